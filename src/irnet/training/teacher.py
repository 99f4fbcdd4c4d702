"""A mean teacher: the running mean of the weights labels fields for the network that learns.

It sees a crop as it is, in several views (Zhou et al. 2020, arXiv 2007.10787); the network learns the same
crop recoloured. Finds that fit together and are sure become instances, unsure ones give no loss, all else is
ground. Marked centres are partial truth: a centre that no sure nucleus holds makes an instance of the best
candidate there is; a nucleus without one is as likely as any.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS
from irnet.config import PerClass, Settings, UnlabelledSettings
from irnet.inference.bare_ground import find_bare
from irnet.inference.devices import autocast
from irnet.inference.networks import Network
from irnet.models.box_branch import BoxBranch
from irnet.models.boxes import area, intersection
from irnet.models.constants import Sizes, by_label
from irnet.models.irnet import IRNet
from irnet.models.losses import mask_targets
from irnet.models.mask_branch import enlarge
from irnet.models.pasting import to_cells
from irnet.models.postprocess import Instances
from irnet.models.views import VIEWS, draw_in_views, score_in_views
from irnet.training.feed import Batch, FieldBatch

HELD = 0.5  # share of a nucleus that lies in its cell
CENTRAL = 0.3  # a centre lies at most this share of its nucleus's sides from the middle of its box
MARGIN = 1.2  # an unsure find's box is enlarged by this factor: boxes about it are no ground either
REACH = 64.0  # px to each side of a centre without a candidate that are not ground
MANY = 3  # nuclei in no other cell: white cells
SAMPLES = 14  # side of the masks by which finds are compared


class TeacherCandidates(NamedTuple):
    """n candidates in one crop."""

    boxes: Tensor  # (n, 4) xyxy px
    labels: Tensor  # (n,)
    scores: Tensor  # (n,)
    frames: Tensor  # (n, 4) xyxy px, where the masks lie
    masks: Tensor  # (n, 28, 28) probabilities
    offered: Tensor  # (n,) bool: stayed in the suppression; the others are there for centres alone
    bare: Tensor  # (n,) bool: a cytoplasm as bright as bare ground and without an outline


class Teacher:
    """Labels crops of fields, as a `Batch` on the CPU.

    Args:
        model: the network that labels, in eval mode; it may change between calls.
        settings: of the run.
        device: where the network computes.
    """

    def __init__(self, model: Network, settings: Settings, device: torch.device) -> None:
        assert isinstance(model, IRNet)
        self.model, self.settings, self.device = model, settings, device

    def __call__(self, crops: FieldBatch) -> Batch:
        """Return the recoloured crops with what the teacher says is on them."""
        known = crops.known()
        s, side, items = self.settings.unlabelled, self.settings.data.mask_size, []
        for image, finds, (points, distractors) in zip(crops.images, self.find(crops), known, strict=True):
            sure, ignore = split_by_certainty(finds, points, distractors, s)

            masks = drawn(finds, sure.nonzero()[:, 0], finds.boxes[sure], side)
            target = {
                "boxes": finds.boxes[sure],
                "labels": finds.labels[sure],
                "masks": (masks * 255).round().to(torch.uint8),
                "annotated": torch.ones(len(LABEL_NAMES), dtype=torch.bool),
                "ignore": ignore,
            }
            items.append((image, target))
        return Batch.of(crops.ids.tolist(), items)

    @torch.no_grad()
    def find(self, crops: FieldBatch) -> list[TeacherCandidates]:
        """Return the candidates in each crop as it is."""
        model, s = self.model, self.settings
        heads, views = model.roi_heads, VIEWS[: s.unlabelled.views]

        with autocast(self.device, s.train.precision):
            seen, scored = score_in_views(model, list(crops.weak.to(self.device)), views)
            ranked = scored.rank(heads.box.power)
            scales = seen[0].scales.repeat(1, 2)[:, None]  # (B, 1, 4)

            places = [
                _places(heads.box, boxes, scores, points.to(self.device) * scale[:, :2], seen[0].sizes)
                for boxes, scores, scale, (points, _) in zip(
                    scored.boxes, ranked, scales, crops.known(), strict=True
                )
            ]

            # Candidates (C, N) flattened to C * N: the class is told by the place.
            boxes = [scored.boxes[i].flatten(0, 1)[place] for i, (place, _) in enumerate(places)]
            labels = [place // scored.boxes.shape[2] + 1 for place, _ in places]
            frames = [enlarge(box, heads.mask.box_scale) for box in boxes]
            masks = draw_in_views(heads.mask, seen, frames, torch.cat(labels))

        counts = [len(box) for box in boxes]
        found = [
            TeacherCandidates(
                boxes=(boxes[i] / scales[i]).cpu(),
                labels=labels[i].cpu(),
                scores=ranked[i].flatten()[place].float().cpu(),
                frames=(frames[i] / scales[i]).cpu(),
                masks=mask.float().cpu(),
                offered=offered.cpu(),
                bare=torch.zeros(len(place), dtype=torch.bool),
            )
            for i, ((place, offered), mask) in enumerate(zip(places, masks.split(counts), strict=True))
        ]
        return [self._drop_bare(finds, weak) for finds, weak in zip(found, crops.weak, strict=True)]

    def _drop_bare(self, finds: TeacherCandidates, weak: Tensor) -> TeacherCandidates:
        """Return the finds, with the cytoplasms that were drawn on bare ground of a crop (3, H, W)."""
        excess, um_per_px = self.settings.predict.bare_ground, self.settings.data.mpp
        likely = finds.offered & (finds.labels == CYTOPLASM)
        likely &= finds.scores >= self.settings.unlabelled.unsure.cytoplasm
        places = likely.nonzero()[:, 0]
        if not excess or not um_per_px or not len(places):
            return finds

        image = weak.permute(1, 2, 0).numpy()
        chosen = Instances(
            *(field[places] for field in (finds.frames, finds.labels, finds.scores, finds.masks))
        )
        cells = to_cells(chosen.found(), image.shape[:2])
        if len(cells) != len(places):  # a mask without a pixel
            return finds

        bare = finds.bare.clone()
        bare[places] = torch.from_numpy(find_bare(image, cells, um_per_px, excess))
        return finds._replace(bare=bare)


def _places(
    box: BoxBranch, boxes: Tensor, scores: Tensor, points: Tensor, sizes: Sizes
) -> tuple[Tensor, Tensor]:
    """Places (n,) in the flattened candidates (C N) of an image that are looked at, and which stay (n,).

    Beside those that stay in the suppression the best candidate of each class for each point (p, 2).
    """
    kept, _ = box.select(boxes, scores, sizes)

    size = boxes[..., 2:] - boxes[..., :2]  # (C, N, 2)
    middle = boxes[..., :2] + size / 2
    away = (points[:, None, None] - middle).abs() / size.clamp(min=1e-3)  # (p, C, N, 2)
    limit = away.new_tensor([CENTRAL if label == NUCLEUS else 0.5 for label in LABEL_NAMES])
    holding = (away.amax(dim=3) <= limit[:, None]) & (scores > 0)  # (p, C, N)

    best = (scores * holding).max(dim=2)
    rows = torch.arange(boxes.shape[0], device=boxes.device) * boxes.shape[1]
    wanted = (best.indices + rows)[best.values > 0]  # of each point and class

    places = torch.cat([kept, wanted]).unique()
    return places, torch.isin(places, kept)


def split_by_certainty(
    finds: TeacherCandidates, points: Tensor, distractors: Tensor, s: UnlabelledSettings
) -> tuple[Tensor, Tensor]:
    """Tell which finds are instances, (n,) bool, and which boxes (k, 4) are neither that nor ground.

    Args:
        finds: candidates of a crop.
        points: (p, 2) x, y of marked nuclei.
        distractors: (q, 4) boxes of what is no target cell: finds in them are ground.
    """
    high, low = _cuts(finds, s.sure), _cuts(finds, s.unsure)
    nucleus = finds.labels == NUCLEUS
    known = intersection(finds.boxes, distractors) > 0.5 * area(finds.boxes)[:, None]
    offered = finds.offered & ~known.any(dim=1)

    likely, sure = offered & (finds.scores >= low), offered & (finds.scores >= high)
    inside = held(finds)

    # A sure nucleus lies in a sure cell; a sure cell holds a nucleus, and few that lie in no other cell.
    sure &= ~nucleus | (inside & sure).any(dim=1)
    mine = inside & sure[:, None]  # (n, n)
    alone = mine & (inside & sure).sum(dim=1, keepdim=True).eq(1)
    sure &= nucleus | (mine.any(dim=0) & (alone.sum(dim=0) < MANY))
    sure &= ~nucleus | (inside & sure).any(dim=1)  # without those of cells that were left out
    lost = _add_points(finds, points, sure, inside & (finds.scores >= high / 2))

    likely &= ~finds.bare | sure
    free = nucleus & ~(inside & likely).any(dim=1)  # a white cell, or a nucleus whose cell is not seen
    unsure = likely & ~sure & ~(free & (finds.scores < high))
    ignore = enlarge(finds.boxes[unsure], MARGIN)
    around = torch.cat([points[lost] - REACH, points[lost] + REACH], dim=1)
    return sure, torch.cat([ignore, around])


def _add_points(finds: TeacherCandidates, points: Tensor, sure: Tensor, inside: Tensor) -> Tensor:
    """Make the best nucleus at each point sure, and its best cell that is `inside` (n, n).

    Tells where one of the two was not seen, (p,) bool.
    """
    lost = torch.zeros(len(points), dtype=torch.bool)
    holding = holds(finds, points) & (finds.labels == NUCLEUS)[:, None]  # (n, p)

    for number in range(len(points)):
        mine = holding[:, number]
        if not (mine & sure).any():
            if not mine.any():
                lost[number] = True
                continue
            sure[_best(finds.scores, mine)] = True

        nucleus = _best(finds.scores, mine & sure)
        if not inside[nucleus].any():
            lost[number] = True
        elif not (inside[nucleus] & sure).any():
            sure[_best(finds.scores, inside[nucleus])] = True
    return lost


def _best(scores: Tensor, among: Tensor) -> int:
    return int(scores.masked_fill(~among, -1).argmax())


def held(finds: TeacherCandidates) -> Tensor:
    """Tell which nuclei lie in which cytoplasms, for at least half of their area, (n, n) bool."""
    n = len(finds.labels)
    inside = torch.zeros((n, n), dtype=torch.bool)
    meeting = intersection(finds.boxes, finds.boxes) > 0
    meeting &= (finds.labels == NUCLEUS)[:, None] & (finds.labels == CYTOPLASM)
    i, j = meeting.nonzero(as_tuple=True)

    own = drawn(finds, i, finds.boxes[i], SAMPLES) >= 0.5
    cells = drawn(finds, j, finds.boxes[i], SAMPLES) >= 0.5

    shared = (own & cells).sum(dim=(1, 2))
    inside[i, j] = shared >= HELD * own.sum(dim=(1, 2)).clamp(min=1)
    return inside


def holds(finds: TeacherCandidates, points: Tensor) -> Tensor:
    """Tell which masks hold which points (p, 2), (n, p) bool."""
    n, p = len(finds.labels), len(points)
    spots = torch.cat([points - 0.5, points + 0.5], dim=1)  # boxes of a pixel

    index = torch.arange(n).repeat_interleave(p)
    return drawn(finds, index, spots.repeat(n, 1), 1).view(n, p) >= 0.5


def drawn(finds: TeacherCandidates, index: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What boxes (k, 4) show of the masks of the finds `index` (k,), probabilities (k, side, side)."""
    return mask_targets(boxes, finds.frames[index], finds.masks[index] * 255, side=side)


def _cuts(finds: TeacherCandidates, cuts: PerClass) -> Tensor:
    """The cut of each find's class, (n,)."""
    least = by_label(cuts)
    return torch.tensor([least[label] for label in finds.labels.tolist()])
