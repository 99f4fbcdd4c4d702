"""IRNet as a whole: torchvision's Mask R-CNN except for its modules, whole without cells, every switch."""

import math
import re

import pytest
import torch
from torchvision.models.detection import maskrcnn_resnet50_fpn

from irnet.config import load_recipe
from irnet.models.build import build_model

SOME_BOXES = ("predict.floor=0.0", "predict.max_per_megapixel=20")  # of an untrained network
NAMES = {"objectness", "rpn_box", "cls", "box", "mask", "drm", "irm"}


@pytest.fixture(scope="module")
def torchvision_pair():
    """torchvision's Mask R-CNN and ours with the same weights, which neither explode nor vanish."""
    torch.manual_seed(0)
    theirs = maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=3,
        min_size=128,
        max_size=192,
        box_detections_per_img=30,
        rpn_post_nms_top_n_test=200,
        rpn_post_nms_top_n_train=200,
        rpn_batch_size_per_image=10**6,
        rpn_positive_fraction=1.0,
        box_batch_size_per_image=10**6,
        box_positive_fraction=1.0,
    )
    for name, parameter in theirs.named_parameters():
        if name.endswith("bn3.weight"):
            torch.nn.init.constant_(parameter, 0.1)
    settings = load_recipe(
        "paper",
        [
            "model.drm.enabled=false",
            "model.irm.enabled=false",
            "model.min_size=128",
            "model.max_size=192",
            "model.rpn.post_nms_test=200",
            "model.rpn.post_nms_train=200",
            "model.rpn.batch=1000000",
            "model.rpn.positive_fraction=1.0",
            "model.box_batch=1000000",
            "model.box_positive_fraction=1.0",
            "loss.smooth_l1_beta=0.1111111111",
            "predict.nms={cytoplasm=0.5, nucleus=0.5}",
            "predict.max_per_megapixel=30",
        ],
    )
    ours = build_model(settings.model, settings.loss, settings.predict, pretrained=False)
    ours.load_state_dict(
        {
            re.sub(r"roi_heads\.(box|mask)_", r"roi_heads.\1.", name): tensor
            for name, tensor in theirs.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
    )
    return theirs.eval(), ours.eval()


@pytest.mark.parametrize("size", [(128, 128), (100, 140)])
@torch.no_grad()
def test_without_modules_it_finds_what_torchvision_finds(torchvision_pair, size):
    theirs, ours = torchvision_pair
    image = torch.rand(3, *size)
    batch, _ = theirs.transform([image])
    features = theirs.backbone(batch.tensors)
    expected = theirs.roi_heads(features, theirs.rpn(batch, features)[0], batch.image_sizes)[0][0]
    found = ours([image * 255])[0]
    height, width = batch.image_sizes[0]
    scale = torch.tensor([width / size[1], height / size[0]] * 2)
    assert len(found.boxes) == 30
    torch.testing.assert_close(found.boxes * scale, expected["boxes"], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.scores, expected["scores"])
    torch.testing.assert_close(found.masks, expected["masks"][:, 0], atol=1e-4, rtol=0)
    assert torch.equal(found.labels, expected["labels"])


@torch.no_grad()
def test_without_modules_its_losses_are_torchvisions(torchvision_pair, target):
    theirs, ours = torchvision_pair
    image, truth = torch.rand(3, 128, 128), target(5)
    masks = torch.zeros(5, 128, 128, dtype=torch.uint8)
    batch, resized = theirs.transform(
        [image], [{"boxes": truth["boxes"], "labels": truth["labels"], "masks": masks}]
    )
    features = theirs.backbone(batch.tensors)
    theirs.rpn.train(), theirs.roi_heads.train()
    proposals, expected = theirs.rpn(batch, features, resized)
    expected |= theirs.roi_heads(features, proposals, batch.image_sizes, resized)[1]
    theirs.eval()
    ours.rpn.train()
    found = ours([image * 255], [truth])
    ours.eval()
    for name, their_name in {
        "objectness": "loss_objectness",
        "rpn_box": "loss_rpn_box_reg",
        "cls": "loss_classifier",
        "box": "loss_box_reg",
    }.items():
        torch.testing.assert_close(found[name], expected[their_name], rtol=1e-4, atol=1e-6)


def test_losses_of_an_untrained_network(tiny, images, target):
    losses = tiny("model.drm.loss=probability")(images, [target(6), target(5, seed=1)])
    assert set(losses) == NAMES
    assert losses["objectness"].item() == pytest.approx(math.log(2), rel=0.05)
    assert losses["cls"].item() == pytest.approx(math.log(3), rel=0.05)
    assert math.log(2) < 2 * losses["mask"].item() < 4 * math.log(2)  # weighted by 1/2; logits start wide
    assert losses["drm"].item() < 0.2  # p starts at sigmoid(-3), and few candidates are correct


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.drm.enabled=false", "model.irm.enabled=false"],
        ["model.drm.enabled=false"],
        ["model.irm.enabled=false"],
        ["model.drm.label=max_iou", "model.drm.loss=probability", "model.drm.training_boxes=sampled"],
        ["model.drm.truth_candidates=true", "model.drm.training_boxes=sampled", "model.drm.top_k=5"],
        ["model.irm.relation=false"],
        ["model.irm.inputs=df", "model.irm.affinity=dot"],
        ["model.irm.inputs=msk", "model.irm.affinity=scaled_dot"],
        ["model.irm.affinity=neg_dot", "model.irm.exclude_same_truth=true"],
        ["model.drm.across_classes=true", "predict.suppression=soft"],
        ["model.drm.relation=false"],
        ["model.mask_box_scale=1.5", "predict.suppression=mask"],
        ["loss.box_form=giou", "model.head_norm=none", "model.rpn.ignore_straddling=true"],
        ["model.backbone=resnet34", "model.min_size=96", "model.max_size=96"],
    ],
    ids="+".join,
)
def test_every_switch_builds_trains_and_detects(overrides, tiny, images, target):
    model = tiny(*overrides, *SOME_BOXES)
    losses = model(images, [target(4), target(4, seed=1)])
    sum(losses.values()).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not without
    assert ("drm" in losses) == ("model.drm.enabled=false" not in overrides)
    assert ("irm" in losses) == ("model.irm.enabled=false" not in overrides)
    with torch.no_grad():
        found = model.eval()(images)
    assert all(len(f.boxes) == len(f.masks) > 0 for f in found)


def test_a_few_steps_lower_the_losses(tiny, images, target):
    model, truths = tiny(), [target(5), target(5, seed=1)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    history = []
    for _ in range(4):
        optimizer.zero_grad()
        losses = model(images, truths)
        sum(losses.values()).backward()
        optimizer.step()
        history.append(losses)
    assert all(history[-1][name] < history[0][name] for name in ("objectness", "cls", "mask", "irm"))


def test_no_cell_in_any_image(tiny, images, target):
    model = tiny()
    losses = model(images, [target(0), target(0)])
    sum(losses.values()).backward()
    assert losses["cls"] > 0
    assert losses["box"] == losses["rpn_box"] == losses["mask"] == losses["irm"] == 0
    assert all(p.grad.isfinite().all() for p in model.parameters())  # none is missing: ranks can share them


@pytest.mark.parametrize("label", [1, 2])
def test_one_class_only(tiny, images, target, label):
    losses = tiny()(images, [target(4, labels=(label,)), target(1, labels=(label,))])
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["mask"] > 0


def test_what_was_not_annotated_gives_no_loss(tiny, images, target):
    nothing = target(0) | {"annotated": torch.zeros(2, dtype=torch.bool)}
    losses = tiny()(images, [nothing, nothing])
    assert all(loss < 1e-6 for loss in losses.values())


def test_truth_of_a_class_not_annotated_is_dropped(tiny, images, target):
    nuclei = target(4, labels=(2,)) | {"annotated": torch.tensor([True, False])}
    losses = tiny()(images, [nuclei, nuclei])
    assert losses["box"] == losses["mask"] == losses["rpn_box"] == 0


def test_inside_an_ignore_region_nothing_is_background(tiny, images, target):
    hidden = target(0) | {"ignore": torch.tensor([[0.0, 0.0, 128.0, 128.0]])}
    losses = tiny()(images, [hidden, hidden])
    assert all(loss == 0 for loss in losses.values())


def test_bf16_is_finite(tiny, images, target):
    model = tiny()
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, [target(5), target(0)])
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = model.eval()(images)
    assert all(field.isfinite().all() for f in found for field in f)


@torch.no_grad()
def test_drm_can_be_taken_out(tiny, images):
    model = tiny("predict.max_per_megapixel=20").eval()
    assert not len(model(images)[0].boxes)  # an untrained DRM trusts no box: s p < floor
    model.roi_heads.box.drm = None
    assert len(model(images)[0].boxes)


@torch.no_grad()
def test_batch_and_single_images_agree(tiny, images):
    model = tiny(*SOME_BOXES).eval()
    together = model(images)
    for image, expected in zip(images, together, strict=True):
        found = model([image.float()])[0]
        torch.testing.assert_close(found.boxes, expected.boxes, atol=1e-3, rtol=0)
        torch.testing.assert_close(found.masks, expected.masks, atol=1e-4, rtol=0)


@torch.no_grad()
def test_images_of_different_sizes(tiny, images):
    found = tiny(*SOME_BOXES).eval()([images[0], images[1][:, :70, :101]])
    assert found[1].boxes[:, 2].max() <= 101
    assert found[1].boxes[:, 3].max() <= 70


def test_figures_to_log(tiny, images, target):
    model = tiny()
    model(images, [target(5), target(5)])
    assert set(model.diagnostics) == {
        "gamma",
        "self_weight",
        "effective",
        "hub",
        "p_correct",
        "p_duplicate",
    }
    assert not any(figure.requires_grad for figure in model.diagnostics.values())


def test_same_seed_same_losses(tiny, images, target):
    runs = []
    for _ in range(2):
        model = tiny()
        torch.manual_seed(3)
        runs.append(model(images, [target(5), target(3)]))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in NAMES)


@torch.no_grad()
def test_a_small_image_does_not_displace_the_boxes_of_the_next(tiny):
    """Padded from 38 to 64 px: strides guessed from it would be half of the true ones."""
    model = tiny(*SOME_BOXES).eval()
    image = torch.rand(3, 128, 128) * 255
    (before,) = model([image])
    model([image[:, :38, :38]])
    (after,) = model([image])
    fresh = tiny(*SOME_BOXES).eval()
    fresh.load_state_dict(model.state_dict())
    fresh([image[:, :38, :38]])
    for one in (after, fresh([image])[0]):
        assert len(one.boxes) == len(before.boxes) > 0
        torch.testing.assert_close(one.boxes, before.boxes)
        torch.testing.assert_close(one.masks, before.masks)
