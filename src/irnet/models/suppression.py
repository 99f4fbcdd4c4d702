"""Non-maximum suppression of the proposals of a batch: one by one on a CPU, all at once elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from irnet.models.boxes import box_iou
from irnet.models.vision import nms

ROUNDS = 16  # between two looks at whether anything still changes


def suppress(boxes: Sequence[Tensor], scores: Sequence[Tensor], real: Sequence[Tensor], iou: float) -> Tensor:
    """Which boxes of a list of sets no better one of their set covers by more than `iou`, (B, n) bool.

    Args:
        boxes: of each set (B, n_l, 4) xyxy px, best first; the sets stand one after the other in what is
            returned. scores: (B, n_l).
        real: (B, n_l) bool; others neither stay nor cover.
    """
    if boxes[0].device.type != "cpu":
        return suppress_at_once(boxes, real, iou)

    kept = [torch.zeros_like(those) for those in real]
    for box, score, those, stay in zip(boxes, scores, real, kept, strict=True):
        for image, there in enumerate(those):
            place = there.nonzero()[:, 0]
            stay[image, place[nms(box[image, place], score[image, place], iou)]] = True
    return torch.cat(kept, dim=1)


def suppress_at_once(boxes: Sequence[Tensor], real: Sequence[Tensor], iou: float) -> Tensor:
    """The same (B, n), in rounds over all pairs of a set: a GPU is asked once in `ROUNDS`, not once an image.

    In each round a box stays unless one that stayed in the last round covers it. After as many rounds as the
    longest chain of boxes that cover each other nothing changes, and that is what taking them in turn gives.
    """
    # The sets as one batch, padded to the longest
    counts = [those.shape[1] for those in real]
    most = max(counts)
    box = torch.stack([F.pad(b, (0, 0, 0, most - n)) for b, n in zip(boxes, counts, strict=True)])
    there = torch.stack([F.pad(r, (0, most - n)) for r, n in zip(real, counts, strict=True)])  # (L, B, most)
    flat = box.flatten(0, 1)  # (L B, most, 4)
    covers = (box_iou(flat, flat) > iou).triu_(diagonal=1).to(box.dtype)  # (L B, most, most)

    kept = there.flatten(0, 1)  # (L B, most)
    possible = kept
    while True:
        for _ in range(ROUNDS):
            before = kept
            covered = torch.bmm(kept.to(covers.dtype)[:, None], covers)[:, 0] > 0
            kept = possible & ~covered
        if torch.equal(before, kept):
            break

    sets = kept.view_as(there)  # (L, B, most)
    return torch.cat([stay[:, :n] for stay, n in zip(sets, counts, strict=True)], dim=1)
