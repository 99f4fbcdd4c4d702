"""Does the mask of a cell gain from its neighbours, where nothing but the mask is asked for?

    python benchmarks/neighbours.py STUDY

Over the finished Mask R-CNN of each seed of a study, whose weights stay as they are, mask refiners of the
relation module's size are trained on the cytoplasms of its training fields. All see the deep features and the
first mask of a box ("first", as it is), and beyond that

    plain      nothing,
    relation   what Eq. 1 of the paper brings: features of the others, each in the frame of its own box,
    drawn      the first masks of the others, drawn where they lie in the box,
    true       the true masks of the others, drawn there: nothing that finds neighbours can know more of them.

Boxes are the true ones, moved and resized by up to a tenth, so that no cell is missing and none is double.
Scores are IoU in the box at 28 x 28, of each mask and of its part under others (pooled), on the test fields;
differences are paired, intervals 95 % by patient. Whether hidden edges can be seen is a matter of the set:
`irnet synth`, with and without `--opaque`.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.cells import CYTOPLASM
from irnet.inference.predict import Predictor
from irnet.metrics.statistics import difference, image_mean, pooled
from irnet.models.constants import MASK_SIDE
from irnet.models.instance_relation import InstanceRelation
from irnet.models.irnet import IRNet
from irnet.models.losses import mask_loss, mask_targets
from irnet.study.frozen.network import compute_features
from irnet.study.jobs import Job, is_finished
from irnet.study.record import Study, open_study
from irnet.study.render import number_table, with_bounds
from irnet.study.rows import MASK_RCNN
from irnet.study.scoring import patient_weights
from irnet.training.crops import CropDataset, Item
from irnet.training.optim import schedule_factor
from irnet.training.sources import open_source

SIDE = 2 * MASK_SIDE  # of masks
RATE, CLIP = 6e-4, 5.0  # as `irnet study beyond` trains heads
JITTER = 0.1  # of a box's sides
FIELD = 320  # px of a test field that are looked at, at the network's scale
REFINERS = ("first", "plain", "relation", "drawn", "true")
FIGURES = {"IoU": image_mean, "IoU under others": pooled}


class Seen(NamedTuple):
    """The cytoplasms of a crop as the frozen network sees them."""

    deep: Tensor  # (n, width, 14, 14)
    first: Tensor  # (n, 1 + C, 28, 28) logits
    targets: Tensor  # (n, 28, 28) 0 to 1
    others: Tensor  # (n, 28, 28) the true masks of the others in each box, their union
    drawn: dict[str, Tensor]  # refiner -> (n, 1, 14, 14): what it is told of the others


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--crops", type=int, default=360, help="of the training fields")
    parser.add_argument("--steps", type=int, default=800, help="of four crops")
    arguments = parser.parse_args()
    study = open_study(None, arguments.study)
    seeds = [seed for seed in range(study.seeds) if is_finished(study, Job(MASK_RCNN, seed))]
    print(f"seeds {', '.join(map(str, seeds))}", flush=True)

    scores = {name: np.zeros((len(seeds), len(study.parts.test), len(FIGURES), 2)) for name in REFINERS}
    for place, seed in enumerate(seeds):
        model = Predictor.load(study.folder(MASK_RCNN.key, seed) / "run", device="cpu").model.eval()
        training, test = (
            [look(model, crop, number) for number, crop in enumerate(crops)]
            for crops in crops_of(study, arguments.crops)
        )
        for name in REFINERS:
            refiner = None if name == "first" else train(name, training, seed, arguments.steps)
            scores[name][place] = [score(refiner, name, seen) for seen in test]
            gamma = "" if refiner is None or refiner.gamma is None else f", gamma {refiner.gamma.item():.3f}"
            print(f"seed {seed}, {name}: IoU {mean(scores[name][place]):.4f}{gamma}", flush=True)
    print(f"\n{page(study, scores)}")


def crops_of(study: Study, count: int) -> tuple[Iterator[Item], Iterator[Item]]:
    """Crops of the training fields, augmented as the recipe does, and one of each test field, as it is."""
    crops = open_source(study.recipe("train.seed=0"), study.data).crops
    fields = (
        CropDataset([entry], size=FIELD, mpp=crops.mpp, rules=crops.rules) for entry in study.parts.test
    )
    return (crops[number] for number in range(count)), (field[0] for field in fields)


@torch.no_grad()
def look(model: IRNet, item: Item, number: int) -> Seen:
    """The cytoplasms of a crop, in boxes that `number` decides."""
    image, truth = item
    seen, own = compute_features(model, image), truth["labels"] == CYTOPLASM
    boxes, masks = truth["boxes"][own] * seen.scale.repeat(2), truth["masks"][own]
    frames = jitter(boxes, number)

    deep, first = model.roi_heads.mask(seen.features, [frames], [seen.size])
    found, real = first[:, CYTOPLASM].sigmoid(), masks.float() / 255
    nothing = deep.new_zeros(len(frames), 1, MASK_SIDE, MASK_SIDE)
    drawn = {
        "plain": nothing,
        "relation": nothing,
        "drawn": draw_others(frames, frames, found, MASK_SIDE)[:, None],
        "true": draw_others(frames, boxes, real, MASK_SIDE)[:, None],
    }
    targets = mask_targets(frames, boxes, masks, side=SIDE)
    return Seen(deep, first, targets, draw_others(frames, boxes, real, SIDE), drawn)


def jitter(boxes: Tensor, number: int) -> Tensor:
    """Boxes (n, 4), moved and resized by up to JITTER of their sides."""
    generator = torch.Generator().manual_seed(number)
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + sides * JITTER * (2 * torch.rand(boxes.shape, generator=generator) - 1)


def draw_others(frames: Tensor, boxes: Tensor, masks: Tensor, side: int) -> Tensor:
    """What all others show in each frame, (n, side, side) 0 to 1: the highest of their masks.

    `masks` (n, m, m) are 0 to 1, each in its own box of `boxes` (n, 4); `frames` (n, 4) xyxy px.
    """
    centres = (torch.arange(side) + 0.5) / side
    drawn = []
    for number, frame in enumerate(frames):
        place = frame[:2] + centres[:, None] * (frame[2:] - frame[:2])  # (side, 2) px of x and y
        x, y = place.T
        grid = torch.stack([x.expand(side, side), y[:, None].expand(side, side)], dim=2)  # (side, side, 2)

        corner, size = boxes[:, None, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None, None]
        inside = (grid - corner) / size * 2 - 1  # (n, side, side, 2): -1 to 1 in the box of each
        shown = F.grid_sample(masks[:, None], inside, align_corners=False)[:, 0]
        shown[number] = 0
        drawn.append(shown.amax(dim=0))
    return torch.stack(drawn) if drawn else masks.new_zeros(0, side, side)


def train(name: str, crops: Sequence[Seen], seed: int, steps: int) -> InstanceRelation:
    """A refiner, trained on four crops a step; those of one seed start alike and see the same."""
    torch.manual_seed(seed)
    width = crops[0].deep.shape[1]
    refiner = InstanceRelation(channels=width + 1, width=width, relation=name == "relation", temperature=4.0)
    optimizer = torch.optim.AdamW(refiner.parameters(), lr=RATE, weight_decay=0.01)
    rng = np.random.default_rng(seed)

    for step in range(steps):
        warm = min(1.0, (step + 1) / max(1, steps // 10))
        for group in optimizer.param_groups:
            group["lr"] = (
                RATE * warm * schedule_factor(step, steps, schedule="cosine", milestones=(), decay=1)
            )

        chosen = [crops[number] for number in rng.choice(len(crops), 4, replace=False).tolist()]
        refined = torch.cat([refine(refiner, name, seen) for seen in chosen])
        labels = torch.full((len(refined),), CYTOPLASM)
        loss = mask_loss(refined, labels, torch.cat([seen.targets for seen in chosen]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(refiner.parameters(), CLIP)
        optimizer.step()
    return refiner.eval()


def refine(refiner: InstanceRelation | None, name: str, seen: Seen) -> Tensor:
    """Refined logits (n, 1 + C, 28, 28) of the cytoplasms of a crop, without a refiner the first ones."""
    if refiner is None:
        return seen.first
    deep = torch.cat([seen.deep, seen.drawn[name]], dim=1)
    return refiner(deep, seen.first, torch.full((len(deep),), CYTOPLASM))[0]


@torch.no_grad()
def score(refiner: InstanceRelation | None, name: str, seen: Seen) -> list[tuple[float, float]]:
    """Numerators and denominators of FIGURES, of one field."""
    found, true = refine(refiner, name, seen)[:, CYTOPLASM] > 0, seen.targets >= 0.5
    both, either = (found & true).float(), (found | true).float()
    ious = both.sum(dim=(1, 2)) / either.sum(dim=(1, 2)).clamp(min=1)
    under = seen.others >= 0.5
    return [
        (float(ious.mean()) if len(ious) else 0.0, float(len(ious) > 0)),
        (float(both[under].sum()), float(either[under].sum())),
    ]


def mean(table: np.ndarray) -> float:
    """The mean IoU of the fields of one seed, (fields, figures, 2)."""
    return float(table[:, 0, 0].sum() / table[:, 0, 1].sum())


def page(study: Study, scores: dict[str, np.ndarray]) -> str:
    """Scores, and paired differences to the plain refiner."""
    weights = patient_weights(study.parts.test)
    found = {
        name: [way(table[:, :, place], weights) for place, way in enumerate(FIGURES.values())]
        for name, table in scores.items()
    }
    rows = []
    for name, estimates in found.items():
        gains = [difference(one, base) for one, base in zip(estimates, found["plain"], strict=True)]
        told = (
            ["", ""]
            if name == "plain"
            else [f"{with_bounds(gain)}, {gain.agreeing} of {len(gain.seeds)}" for gain in gains]
        )
        rows.append(
            [name, *(text for pair in zip(map(with_bounds, estimates), told, strict=True) for text in pair)]
        )
    columns = [text for title in FIGURES for text in (title, "over plain, seeds that agree")]
    return number_table(["told of the others", *columns], rows)


if __name__ == "__main__":
    main()
