"""Images seen in several views, mirrored and transposed, whose scores, boxes and masks are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from irnet.models.box_branch import BoxBranch, Features
from irnet.models.candidates import ScoredCandidates
from irnet.models.constants import Sizes
from irnet.models.irnet import IRNet
from irnet.models.mask_branch import MaskBranch, enlarge
from irnet.models.postprocess import Instances

Powers = tuple[float, ...]  # of p(correct) in the final score, by class


class View(NamedTuple):
    """A view of an image; each one undoes itself."""

    axes: tuple[int, ...] = ()  # that are mirrored: -1 is x, -2 is y
    transposed: bool = False  # instead

    def turn(self, picture: Tensor) -> Tensor:
        """A picture or masks (..., H, W) in the view, or back from it."""
        return picture.transpose(-1, -2) if self.transposed else picture.flip(self.axes)

    def turn_boxes(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes (..., 4) xyxy px of an image of `size` (H, W) in the view, or back from it."""
        x1, y1, x2, y2 = boxes.unbind(-1)
        if self.transposed:
            return torch.stack([y1, x1, y2, x2], dim=-1)
        if -1 in self.axes:
            x1, x2 = size[1] - x2, size[1] - x1
        if -2 in self.axes:
            y1, y2 = size[0] - y2, size[0] - y1
        return torch.stack([x1, y1, x2, y2], dim=-1)


VIEWS = (View(), View((-1,)), View((-2,)), View(transposed=True))


class ViewFeatures(NamedTuple):
    """What the backbone and its pyramid make of one view of B images."""

    view: View
    features: Features
    sizes: Sizes  # height and width of the view of each image, px
    scales: Tensor  # px of it per px of the image, in x and y, (B, 2)


def find_in_views(
    model: IRNet, image: Tensor, powers: Sequence[Powers] = (), *, views: Sequence[View] = VIEWS
) -> list[Instances]:
    """The instances of one image (3, H, W) for each of `powers`; without them, for those of the network.

    The first view is the image itself: it alone proposes boxes, for proposals of several views crowd the
    DRM's candidates (docs/log.md, 2026-11-26). Masks are drawn once, for all that stay under any power.
    """
    # What stays under each power: places (n,) in the flattened (C N) candidates, and scores (n,)
    box = model.roi_heads.box
    seen, scored = score_in_views(model, [image], views)
    ranked = [scored.rank(classes)[0] for classes in powers or [box.power]]
    chosen = [box.select(scored.boxes[0], scores, seen[0].sizes) for scores in ranked]
    counts = [len(place) for place, _ in chosen]

    # What stays under any
    kept, places = torch.cat([place for place, _ in chosen]).unique(return_inverse=True)
    labels = kept // scored.boxes.shape[2] + 1
    frames = enlarge(scored.boxes[0].flatten(0, 1)[kept], model.roi_heads.mask.box_scale)
    masks = draw_in_views(model.roi_heads.mask, seen, [frames], labels)  # (kept, 28, 28)

    frames = frames / seen[0].scales[0].repeat(2)
    found = zip(places.split(counts), chosen, strict=True)
    return [Instances(frames[place], labels[place], score, masks[place]) for place, (_, score) in found]


def score_in_views(
    model: IRNet, images: Sequence[Tensor], views: Sequence[View] = VIEWS
) -> tuple[list[ViewFeatures], ScoredCandidates]:
    """What the pyramid holds of images (3, H, W) of one size in each view, and candidates in the first."""
    seen = look_in_views(model, images, views)
    (boxes, valid), _ = model.rpn(list(seen[0].features.values()), seen[0].sizes)
    box = model.roi_heads.box
    hidden, score, place = read_in_views(box, seen, boxes)
    return seen, box.score_candidates(hidden, score, place, valid, seen[0].sizes)


def look_in_views(model: IRNet, images: Sequence[Tensor], views: Sequence[View]) -> list[ViewFeatures]:
    """What the pyramid holds of images (3, H, W) of one size in each view."""
    seen = []
    for view in views:
        batch, sizes, scales = model.prepare([view.turn(image) for image in images])
        seen.append(ViewFeatures(view, model.backbone(batch), sizes, scales))
    return seen


def read_in_views(
    box: BoxBranch, seen: Sequence[ViewFeatures], boxes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The DRM's features (B, R, F), class probabilities (B, R, C) and boxes (B, R, C, 4) of boxes (B, R, 4).

    Places are of the first view, all are means over the views.
    """
    size = seen[0].sizes[0]
    features, scores, decoded = [], [], []
    for one in seen:
        mine = one.view.turn_boxes(boxes, size)
        hidden, logits, codes = box(one.features, mine, one.sizes)
        features.append(hidden)
        scores.append(logits.softmax(dim=2)[..., 1:])
        decoded.append(one.view.turn_boxes(box.decode(codes, mine, one.sizes), size))

    hidden, score, place = (torch.stack(values).mean(dim=0) for values in (features, scores, decoded))
    return hidden, score, place


def draw_in_views(
    mask: MaskBranch, seen: Sequence[ViewFeatures], frames: list[Tensor], labels: Tensor
) -> Tensor:
    """Means over the views of the masks (n, 28, 28) of each image's frames (n_b, 4) in the first view."""
    masks = []
    for one in seen:
        placed = [one.view.turn_boxes(boxes, seen[0].sizes[0]) for boxes in frames]
        masks.append(one.view.turn(mask.masks(one.features, placed, labels, one.sizes)))
    return torch.stack(masks).mean(dim=0)
