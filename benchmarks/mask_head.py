"""Whether a finer mask head draws better masks than the network's own, over the same frozen trunk.

    python benchmarks/mask_head.py SET ... --steps 400 --fields 50

Both are taught in truth boxes, moved a little, of the release recipe's crops: the network's own branch goes
on from its weights; the finer one refines its masks. It sees 28 x 28 samples of the finest level of the
pyramid and of optical density, in frames 1.2 times the boxes, and draws 56 x 56: with Dice, cross-entropy
that weighs overlaps threefold, and the overlap and the uncovered rest as further outputs (Jiang et al.,
CVPR 2023, "DoNet"). Scored is the mean IoU of masks in truth boxes of composed fields.
"""

import argparse
import copy
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.cells import CYTOPLASM, Cells
from irnet.config import load_recipe
from irnet.data.coco.coco import read_coco
from irnet.inference.weights import load_weights
from irnet.metrics.degree import degrees
from irnet.models.box_branch import Features
from irnet.models.boxes import intersection
from irnet.models.irnet import IRNet
from irnet.models.losses import mask_targets
from irnet.models.mask_branch import MaskBranch, enlarge
from irnet.models.pasting import paste
from irnet.models.vision import pyramid_pool, roi_align
from irnet.training.feed import Feed
from irnet.training.sources import open_source

SIDE, FRAME, WIDTH = 28, 1.2, 64
OFF = 0.05  # of a box's sides, how far a taught box is off
OVERLAP_WEIGHT, OTHERS_WEIGHT = 3.0, 0.5
RATE, DECAY = 3e-4, 0.05
COVERED = 0.4  # share of a cell under others


class FineHead(nn.Module):
    """Refines masks that another branch drew: logits (n, 3, 56, 56) of mask, overlap and uncovered rest."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = pyramid_pool(["0"], [4], side=SIDE, inside=False)
        self.density = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        channels = [width + 16 + 2, WIDTH, WIDTH, WIDTH, WIDTH]
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(8, b), nn.ReLU(inplace=True))
                for a, b in pairwise(channels)
            )
        )
        self.enlarge = nn.ConvTranspose2d(WIDTH, WIDTH, 2, stride=2)
        self.outputs = nn.Conv2d(WIDTH, 3, 1)
        nn.init.zeros_(self.outputs.weight)  # the first masks are those of the other branch
        nn.init.zeros_(self.outputs.bias)

    def forward(
        self, features: Features, image: Tensor, frames: Tensor, first: Tensor, nucleus: Tensor
    ) -> Tensor:
        """Logits in `frames` (n, 4) of one image (3, H, W), 0 to 255, from the `first` logits (n, 28, 28)."""
        seen = self.pool(features, [frames], [tuple(image.shape[1:])])
        density = -((image[None].float() + 1) / 256).log()
        rois = torch.cat([torch.zeros_like(frames[:, :1]), frames], dim=1)
        stained = self.density(roi_align(density, rois, 2 * SIDE, sampling_ratio=2, aligned=True)).relu()
        kind = nucleus[:, None, None, None].float().expand(-1, 1, SIDE, SIDE)
        hidden = self.convolutions(torch.cat([seen, stained, first[:, None] / 4, kind], dim=1))
        logits = self.outputs(self.enlarge(hidden).relu())
        base = F.interpolate(first[:, None], scale_factor=2, mode="bilinear", align_corners=False)
        return torch.cat([logits[:, :1] + base, logits[:, 1:]], dim=1)


def own_logits(
    branch: MaskBranch, features: Features, boxes: Tensor, labels: Tensor, size: tuple[int, int]
) -> Tensor:
    """What the network's own branch draws in boxes (n, 4), logits (n, 28, 28)."""
    deep, logits = branch(features, [boxes], [size])
    if branch.irm is not None:
        logits, _ = branch.irm(deep, logits, labels, torch.zeros_like(labels))
    return logits[torch.arange(len(labels)), labels]


def framed(values: Tensor, boxes: Tensor, frames: Tensor) -> Tensor:
    """Logits (n, 28, 28) of `boxes` as they lie in `frames` (n, 4); surely nothing outside the boxes."""
    probability = mask_targets(frames, boxes, values.sigmoid() * 255, side=SIDE)
    return probability.clamp(0.01, 0.99).logit()


def teach(
    branch: MaskBranch,
    head: FineHead,
    source: MaskBranch,
    features: Features,
    image: Tensor,
    target: dict[str, Tensor],
) -> tuple[Tensor, Tensor]:
    """Losses of the own branch and of the finer head, of one crop."""
    truth, labels, masks = target["boxes"], target["labels"], target["masks"]
    sides = (truth[:, 2:] - truth[:, :2]).repeat(1, 2)
    boxes = truth + OFF * sides * torch.randn_like(truth).clamp(-2, 2)
    size = (image.shape[1], image.shape[2])

    own = own_logits(branch, features, boxes, labels, size)
    wanted = mask_targets(boxes, truth, masks, side=SIDE)
    first_loss = F.binary_cross_entropy_with_logits(own, wanted)

    frames = enlarge(boxes, FRAME)
    with torch.no_grad():
        first = framed(own_logits(source, features, boxes, labels, size), boxes, frames)
    logits = head(features, image, frames, first, labels != CYTOPLASM)
    wanted = mask_targets(frames, truth, masks, side=2 * SIDE)
    shared = wanted * others_in(frames, truth, labels, masks)
    return first_loss, fine_loss(logits, wanted, shared)


def others_in(frames: Tensor, truth: Tensor, labels: Tensor, masks: Tensor) -> Tensor:
    """Where other cytoplasms lie in the frames of the instances (n, 56, 56), 0 to 1."""
    meeting = (intersection(frames, truth) > 0) & (labels == CYTOPLASM)
    meeting.fill_diagonal_(False)
    i, j = meeting.nonzero(as_tuple=True)
    drawn = mask_targets(frames[i], truth[j], masks[j], side=2 * SIDE)
    covered = frames.new_zeros((len(frames), 2 * SIDE, 2 * SIDE))
    return covered.index_reduce_(0, i, drawn, "amax")


def fine_loss(logits: Tensor, wanted: Tensor, shared: Tensor) -> Tensor:
    """Dice and weighted cross-entropy of the mask, and cross-entropy of the two further outputs."""
    weight = 1 + (OVERLAP_WEIGHT - 1) * shared
    entropy = F.binary_cross_entropy_with_logits(logits[:, 0], wanted, weight=weight) / weight.mean()
    drawn = logits[:, 0].sigmoid()
    both, all_ = (drawn * wanted).sum(dim=(1, 2)), (drawn + wanted).sum(dim=(1, 2))
    dice = (1 - (2 * both + 1) / (all_ + 1)).mean()
    others = torch.stack([shared, wanted - shared], dim=1)
    return entropy + dice + OTHERS_WEIGHT * F.binary_cross_entropy_with_logits(logits[:, 1:], others)


@torch.no_grad()
def score(
    model: IRNet, branch: MaskBranch, head: FineHead | None, *, path: Path, fields: int, threshold: float
) -> str:
    """A row of mean IoU in truth boxes: cytoplasms, those that lie under others, nuclei."""
    ious = []
    for entry in sorted(read_coco(path), key=lambda entry: entry.name)[:fields]:
        sample = entry.read()
        cells = sample.content.cells
        image = torch.from_numpy(sample.image.transpose(2, 0, 1).copy())
        boxes, labels = torch.from_numpy(cells.boxes).float(), torch.from_numpy(cells.labels)
        features = features_of(model, image)
        logits = own_logits(branch, features, boxes, labels, cells.image_shape)
        if head is not None:
            frames = enlarge(boxes, FRAME)
            logits = head(features, image, frames, framed(logits, boxes, frames), labels != CYTOPLASM)[:, 0]
            boxes = frames
        covered = np.full(len(cells), np.nan)
        covered[cells.labels == CYTOPLASM] = degrees(cells.of(CYTOPLASM))
        ious += zip(ious_of(cells, boxes, logits, threshold), covered.tolist(), strict=True)
    iou, covered = np.array(ious).T  # nuclei: nan
    kinds = covered >= 0, covered > COVERED, np.isnan(covered)
    return " | ".join(f"{iou[kind].mean():.4f} ({kind.sum()})" for kind in kinds)


def ious_of(cells: Cells, boxes: Tensor, logits: Tensor, threshold: float) -> list[float]:
    """IoU of what was drawn of each instance with its own mask, (n)."""
    values = []
    for k, label in enumerate(cells.labels.tolist()):
        drawn, _ = paste(
            logits[k].double().sigmoid().numpy(), boxes[k].double().numpy(), cells.image_shape, threshold
        )
        x, y = np.maximum(0, np.floor(boxes[k, :2].numpy())).astype(int)
        one = Cells.build([drawn], [(x, y)], [label], cells.image_shape)
        values.append(float(one.iou(cells.select([k]))[0, 0]))
    return values


def features_of(model: IRNet, image: Tensor) -> Features:
    """What the trunk makes of one image (3, H, W)."""
    batch, _, _ = model.prepare([image])
    return model.backbone(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="sets of composites.py")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--steps", type=int, default=400, help="of one crop; 0 scores the masks as they are")
    parser.add_argument("--fields", type=int, help="of each set the first, by name")
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="least probability of the pixels of a mask"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    model, _, _ = load_weights(options.model)
    model.requires_grad_(False).eval()
    source = model.roi_heads.mask
    branch = copy.deepcopy(source).requires_grad_(True)
    head = FineHead(source.predictor.get_parameter("conv5_mask.weight").shape[0])
    parameters = [*branch.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": branch.parameters(), "lr": RATE / 10}, {"params": head.parameters(), "lr": RATE}],
        weight_decay=DECAY,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [RATE / 10, RATE], total_steps=max(options.steps, 1), pct_start=0.1, cycle_momentum=False
    )
    settings = load_recipe("release", [f"train.seed={options.seed}", "model.trunk_sha256="])
    crops = open_source(settings, None).crops
    feed = Feed(crops, batch=1, reuse=settings.data.generated.reuse, workers=int(options.steps > 0)).batches()
    begun = time.monotonic()
    for step in range(1, options.steps + 1):
        batch = next(feed)
        image, target = batch.images[0], batch.targets()[0]
        if not len(target["boxes"]):
            continue
        with torch.no_grad():
            features = features_of(model, image)
        losses = teach(branch, head, source, features, image, target)
        optimizer.zero_grad()
        sum(losses).backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            told = " ".join(f"{loss.item():.3f}" for loss in losses)
            print(f"step {step}: {told}, {(time.monotonic() - begun) / step:.1f} s", flush=True)

    rows = {"as they are": (source, None), "taught": (branch, None), "finer": (source, head)}
    print("| masks | set | cytoplasms | more than .4 under others | nuclei |\n|---|---|---|---|---|")
    for path in options.data:
        for name, drawn in list(rows.items())[: 3 if options.steps else 1]:
            row = score(model, *drawn, path=path, fields=options.fields, threshold=options.threshold)
            print(f"| {name} | {path.name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
