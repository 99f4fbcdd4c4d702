"""CSPNet: the layers as published, two stages that do not know each other, and whole runs of it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.baselines.cspnet import CSPNet, build_cspnet, local_response_norm
from irnet.baselines.cspnet_boxes import FRAME, STRIDE, FiveLayers
from irnet.baselines.cspnet_masks import MaskNetwork, MergedLevels
from irnet.cells import Cells
from irnet.config import Settings, load_recipe
from irnet.inference.networks import build_network
from irnet.inference.predict import Predictor
from irnet.inference.weights import load_weights, save_weights
from irnet.models.boxes import Proposed, box_iou
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.models.truths import Truths

CSPNET = (
    "model.drm.enabled=false",
    "model.irm.enabled=false",
    "model.cspnet.enabled=true",
    "predict.suppression=mask",
)
SIDE = 96  # px of the images


def settings_of(*overrides: str) -> Settings:
    return load_recipe("study-tiny", [*CSPNET, *overrides])


def build(*overrides: str) -> CSPNet:
    torch.manual_seed(0)
    settings = settings_of(*overrides)
    return build_cspnet(settings.model, settings.loss, settings.predict)


def target(labels: tuple[int, ...] = (1, 2, 1)) -> dict[str, Tensor]:
    """Discs: a cell, its nucleus, and a cell that overlaps the first."""
    boxes = torch.tensor([[12.0, 16, 60, 70], [28, 32, 44, 50], [45, 40, 88, 90]])
    y, x = torch.meshgrid(torch.linspace(-1, 1, 112), torch.linspace(-1, 1, 112), indexing="ij")
    disc = ((x**2 + y**2 < 1) * 255).to(torch.uint8)
    n = len(labels)
    return {
        "boxes": boxes[:n],
        "labels": torch.tensor(labels, dtype=torch.int64),
        "masks": disc.expand(n, -1, -1),
        "annotated": torch.ones(2, dtype=torch.bool),
        "ignore": torch.zeros(0, 4),
    }


def picture(truth: dict[str, Tensor]) -> Tensor:
    """The discs of a truth on a bright ground, (3, 96, 96) uint8."""
    image = torch.full((3, SIDE, SIDE), 235.0)
    for box, label in zip(truth["boxes"].int().tolist(), truth["labels"].tolist(), strict=True):
        x1, y1, x2, y2 = box
        disc = F.interpolate(truth["masks"][:1, None].float(), (y2 - y1, x2 - x1))[0, 0] > 0
        image[:, y1:y2, x1:x2][:, disc] *= 0.8 if label == 1 else 0.4
    return image.to(torch.uint8)


# Layers


def test_the_first_five_layers_end_on_a_grid_of_four_px():
    network = FiveLayers(norm=local_response_norm)
    shapes = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _module, _inputs, x: shapes.append(tuple(x.shape[1:])))
    (features,) = network(torch.zeros(1, 3, 64, 96)).values()
    assert shapes == [(32, 102, 134), (64, 46, 62), (128, 20, 28), (256, 18, 26), (512, 16, 24)]
    assert features.shape == (1, 512, 64 // STRIDE, 96 // STRIDE)
    assert [isinstance(layer[2], nn.LocalResponseNorm) for layer in network.layers] == [True] * 4 + [False]


def test_a_unit_of_the_first_stage_sees_the_pixels_around_its_anchors():
    network = build("model.cspnet.stage1=cspn6").requires_grad_(False)
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    features = network.backbone(image)
    features["0"][0, :, 8, 7].sum().backward()
    seen = image.grad[0].abs().sum(dim=0).nonzero()
    (y1, x1), (y2, x2) = seen.amin(dim=0).tolist(), (seen.amax(dim=0) + 1).tolist()
    _, _, anchors = network.rpn._score([features["0"]])
    first = anchors.view(16, 16, -1, 4)[8, 7, 0]
    assert ((first[:2] + first[2:]) / 2).tolist() == [(x1 + x2) / 2, (y1 + y2) / 2]
    assert x2 - x1 == y2 - y1 == 2 * FRAME + 1


def test_levels_are_merged_by_addition():
    torch.manual_seed(0)
    network = MergedLevels(norm=local_response_norm)
    image = torch.randn(1, 3, 40, 32)
    levels = [network.down[0](image)]
    for layer in list(network.down)[1:]:
        levels.append(layer(F.max_pool2d(levels[-1], 3, stride=2)))
    assert [tuple(x.shape[1:]) for x in levels] == [(32, 40, 32), (64, 19, 15), (128, 9, 7), (256, 4, 3)]
    merged = levels[3][0].detach().numpy()
    for deconvolution, level in zip(network.up, levels[2::-1], strict=True):
        merged = add_raised(merged, deconvolution, level[0].detach().numpy())
    weight, bias = (p.detach().numpy() for p in network.merge.parameters())
    expected = np.einsum("oc,chw->ohw", weight[:, :, 0, 0], merged) + bias[:, None, None]
    assert np.allclose(network(image)[0].detach().numpy(), expected, atol=1e-5)


def add_raised(deep: np.ndarray, layer: nn.ConvTranspose2d, level: np.ndarray) -> np.ndarray:
    """A level and the deeper one: pairs of channels spread over 4 x 4 px each 2 px, cropped, added."""
    weight = layer.weight.detach().numpy()[:, 0]  # (2 C, 4, 4)
    channels, height, width = level.shape
    raised = np.zeros((channels, 2 * deep.shape[1] + 2, 2 * deep.shape[2] + 2), dtype=np.float32)
    for c in range(len(deep)):
        for i in range(deep.shape[1]):
            for j in range(deep.shape[2]):
                raised[c // 2, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += deep[c, i, j] * weight[c]
    return level + np.maximum(raised[:, :height, :width], 0)


def test_the_hidden_layer_has_2_6_million_weights():
    network = build("model.cspnet.norm=group").masks
    assert network.fc1.weight.numel() == 16 * 25 * 25 * 256 == 2_560_000
    assert network.fc2.out_features == 2 * 25 * 25
    assert not any(isinstance(module, nn.LocalResponseNorm) for module in network.modules())
    assert sum(isinstance(module, nn.GroupNorm) for module in network.modules()) == 4


# Boxes of stage 2


def mask_network(rois: int = 128) -> MaskNetwork:
    return MaskNetwork(classes=2, norm=local_response_norm, rois=rois)


class Same(nn.Module):
    """Gives what it is made with, whatever it sees."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def forward(self, _images: Tensor) -> Tensor:
        return self.features


def test_frames_are_whole_pixels_of_the_image():
    boxes = [torch.tensor([[10.2, 20.0, 30.7, 40.0], [0.5, 1.0, 63.9, 47.5]]), torch.zeros(0, 4)]
    frames = mask_network().frames(boxes, [(48, 64), (32, 32)])
    assert frames[0].tolist() == [[7, 17, 34, 43], [0, 0, 64, 48]]
    assert frames[1].shape == (0, 4)


def test_pooling_sees_the_pixels_of_the_frame():
    features = torch.rand(2, 16, 64, 64)
    network = mask_network().eval()
    network.classes, network.levels = 16, Same(features)  # type: ignore[assignment]
    network.fc1, network.fc2 = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    frames = [torch.tensor([[5.0, 7, 30, 32]]), torch.tensor([[0.0, 0, 50, 50], [39, 39, 64, 64]])]
    same, pooled, corner = network(features, frames)
    assert torch.equal(same, features[0, :, 7:32, 5:30])
    assert torch.equal(pooled, F.max_pool2d(features[1, :, :50, :50], 2))
    assert torch.equal(corner, features[1, :, 39:, 39:])


def test_masks_are_trained_in_boxes_that_overlap_a_truth():
    truth = target()
    truths = Truths.collate([truth, target(())], torch.ones(2, 2))
    moved = truth["boxes"] + torch.tensor([3.0, 0, 3, 0])
    boxes = Proposed.of([torch.cat([moved, torch.tensor([[0.0, 0, 9, 9]])]), moved])
    chosen, image, match = mask_network()._choose(boxes, truths)
    assert image.tolist() == [0] * 6  # three that stage 1 offers, three truths; none where nothing is
    overlap = box_iou(chosen, truth["boxes"])
    assert (overlap.amax(dim=1) >= 0.5).all()
    assert torch.equal(overlap.argmax(dim=1), match)
    assert len(mask_network(rois=2)._choose(boxes, truths)[0]) == 2


# The whole


@pytest.mark.parametrize("stage1", ["fpn", "cspn6"])
def test_stages_share_no_gradient(stage1):
    network = build(f"model.cspnet.stage1={stage1}")
    losses = network([picture(target())], [target()])
    own = {name for name, _ in network.named_parameters() if name.startswith("masks.")}
    mask = losses.pop("mask")
    for loss, reached in ((mask, own), (sum(losses.values()), network.state_dict().keys() - own)):
        network.zero_grad()
        loss.backward()
        touched = {name for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
        assert touched
        assert touched <= reached


@pytest.mark.parametrize("stage1", ["fpn", "cspn6"])
def test_losses_fall_on_one_image(stage1):
    network = build(f"model.cspnet.stage1={stage1}").train()
    network.masks.dropout.p = 0.0
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    truth = target()
    history = []
    for _ in range(16):
        losses = network([picture(truth)], [truth])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    assert history[0]["mask"] == pytest.approx(np.log(2), abs=0.01)
    assert history[-1]["mask"] < 0.75 * history[0]["mask"]
    last = np.mean([losses["cls"] for losses in history[-4:]])  # one step draws few boxes: it says little
    assert last < 0.8 * history[0]["cls"]


@pytest.mark.parametrize("stage1", ["fpn", "cspn6"])
def test_images_without_cells_or_with_one_class(stage1):
    network = build(f"model.cspnet.stage1={stage1}")
    nothing, nuclei = target(()), target((2, 2)) | {"annotated": torch.tensor([False, True])}
    losses = network([picture(nothing)] * 2, [nothing, nuclei])
    assert all(loss.isfinite() for loss in losses.values())
    assert network.diagnostics["rois"] >= 1  # 2 truths in 2 images
    losses = network([picture(nothing)], [nothing])
    assert losses["mask"] == 0
    sum(losses.values()).backward()


@pytest.mark.parametrize("stage1", ["fpn", "cspn6"])
@torch.no_grad()
def test_instances_of_images_of_two_sizes(stage1):
    network = build(f"model.cspnet.stage1={stage1}", "predict.max_per_megapixel=7").eval()
    found = network([picture(target()), torch.full((3, 40, 70), 200, dtype=torch.uint8)])
    for instances, (height, width) in zip(found, ((96, 96), (40, 70)), strict=True):
        boxes, labels, scores, masks = instances
        assert len(boxes) == len(labels) == len(scores) == 7
        assert masks.shape == (7, 25, 25)
        assert torch.equal(scores, scores.sort(descending=True).values)
        assert set(labels.tolist()) <= {1, 2}
        assert boxes.min() >= 0
        assert (boxes[:, 2:] <= torch.tensor([width, height])).all()


@pytest.mark.parametrize("stage1", ["fpn", "cspn6"])
@torch.no_grad()
def test_no_boxes_give_no_masks(stage1):
    sure = ("predict.score={cytoplasm=1.0, nucleus=1.0}", "predict.floor=1.0")
    (instances,) = build(f"model.cspnet.stage1={stage1}", *sure).eval()([picture(target())])
    assert [tuple(field.shape) for field in instances] == [(0, 4), (0,), (0,), (0, 25, 25)]


def test_its_detector_is_the_recipes_mask_rcnn():
    settings = settings_of()
    plain = build_model(settings.model, settings.loss, settings.predict)
    shapes = {name: tensor.shape for name, tensor in plain.state_dict().items()}
    ours = {name: tensor.shape for name, tensor in build().state_dict().items()}
    assert {name for name in shapes if name not in ours} == {
        name for name in shapes if name.startswith("roi_heads.mask.")
    }
    assert all(ours[name] == shape for name, shape in shapes.items() if name in ours)
    assert isinstance(build_network(load_recipe("study-tiny")), IRNet)


def test_masks_suppress_masks_of_their_class():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    centres = rng.uniform(20, 44, (30, 2))
    masks = np.array([np.hypot(x - cx, y - cy) < 12 for cx, cy in centres])
    cells = Cells.from_dense(masks, rng.integers(1, 3, 30), scores=rng.permutation(30) / 30)
    settings = settings_of("predict.nms={cytoplasm=0.3, nucleus=0.6}")
    stayed = Predictor(build(), settings=settings).suppress(cells)
    kept: list[int] = []
    for i in np.argsort(-cells.scores):
        rivals = [j for j in kept if cells.labels[j] == cells.labels[i]]
        overlaps = [(masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum() for j in rivals]
        if all(overlap <= (0.3 if cells.labels[i] == 1 else 0.6) for overlap in overlaps):
            kept.append(int(i))
    assert sorted(stayed.scores) == sorted(cells.scores[kept])
    assert 2 < len(kept) < 30


def test_weights_come_back_and_predict(tmp_path):
    settings = settings_of()
    network = build()
    save_weights(tmp_path / "best.safetensors", network, settings=settings, trained={}, half=False)
    again, read, _ = load_weights(tmp_path)
    assert isinstance(again, CSPNet)
    assert read.method == "cspnet"
    image = picture(target()).permute(1, 2, 0).numpy()
    ours, theirs = (Predictor(n, settings=settings).find(image).cells for n in (network, again))
    assert np.array_equal(ours.scores, theirs.scores)
    assert len(ours) > 0
