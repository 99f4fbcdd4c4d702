"""Graphs of the parts of a network that compute with tensors alone, made from its torch modules.

Around them is `engine.py`. Needs torch; what reads the graphs does not.
"""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from irnet.errors import InputError
from irnet.inference.engine import Precision
from irnet.inference.fast.runtime import Compiled, Graph, load, written
from irnet.models.box_branch import BoxBranch
from irnet.models.constants import BOX_SIDE, LEVELS, MASK_SIDE
from irnet.models.irnet import IRNet
from irnet.models.mask_branch import MaskBranch
from irnet.models.object_relation import are_near, rank_embedding
from irnet.models.ranking import CandidateRanking

TOLERANCE = 1e-3  # of the largest value of an output, between a graph and its module
EXAMPLES = ((96, 160), (224, 128))  # px: sizes that a graph is traced with, and checked with
COUNTS = (14, 10)  # of boxes, the same
REACHES = (torch.tensor([25.0]), torch.tensor([1e9]))  # px, the same


class Part(NamedTuple):
    """What becomes a graph: a module, the shapes of its inputs (-1: any length), and inputs to try."""

    module: nn.Module
    shapes: list[list[int]]
    examples: list[tuple[Tensor, ...]]


def make_graphs(model: IRNet, precision: Precision = "fp32") -> dict[str, Graph]:
    """Return the graphs of a network in eval mode on the CPU, each of any size of image and number of boxes.

    Their weights are float32 whatever `precision` they are to compute in.

    Raises `InputError` where OpenVINO has no operation for a part, or a graph gives other numbers than its
    module at a size that it was not traced with.
    """
    parts = _parts(model)
    graphs = {}
    changed = parts if precision == "bf16" else _parts(_with_channel_norms(model))
    for name, part in changed.items():
        try:
            graphs[name] = _convert(part)
        except InputError:
            raise
        except Exception as error:  # of many kinds, for an operation it does not know
            raise InputError(f"OpenVINO takes no graph of the network's part {name!r}: {error}") from error
        _compare(name, parts[name], graphs[name])
    graphs["suppress"] = _suppression()
    return graphs


class ChannelNorm(nn.Module):
    """A group norm whose moments are those of channels, mixed by a convolution.

    As OpenVINO computes it, the usual one wants another order in memory than the convolutions around it. The
    variance is a difference of squares: not for bfloat16.
    """

    mix: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        share = norm.num_channels // norm.num_groups
        groups = torch.block_diag(*[torch.full((share, share), 1 / share)] * norm.num_groups)
        self.register_buffer("mix", groups[:, :, None, None])
        self.register_buffer("weight", norm.weight.detach()[:, None, None])
        self.register_buffer("bias", norm.bias.detach()[:, None, None])
        self.eps = norm.eps

    def forward(self, x: Tensor) -> Tensor:
        mean = F.conv2d(x.mean(dim=(2, 3), keepdim=True), self.mix)  # (n, C, 1, 1)
        length = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        square = F.conv2d(length * length / (x.shape[2] * x.shape[3]), self.mix)
        factor = self.weight * torch.rsqrt((square - mean * mean).clamp(min=0) + self.eps)
        return x * factor + (self.bias - mean * factor)


def _with_channel_norms(model: IRNet) -> IRNet:
    """A copy of a network whose group norms are `ChannelNorm`."""
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.GroupNorm):
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, ChannelNorm(module))
    return model


class Look(nn.Module):
    """Backbone, pyramid, proposals: (1, 3, H, W) -> the places of P2 to P5 (sum of h w, width), then the
    logits of each level, then its deltas.
    """

    def __init__(self, model: IRNet) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.rpn.head

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        features = list(self.backbone(batch).values())
        logits, deltas = self.head(features)
        places = [level[0].permute(1, 2, 0).flatten(0, 1) for level in features[:LEVELS]]  # (h w, width)
        return (torch.cat(places), *logits, *deltas)


class Classify(nn.Module):
    """Features (n, F), class probabilities (n, 1 + C) and codes (n, 1 + C, 4) of pooled boxes."""

    def __init__(self, box: BoxBranch) -> None:
        super().__init__()
        self.head, self.predictor = box.head, box.predictor

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.head(pooled.permute(0, 3, 1, 2))
        logits, codes = self.predictor(hidden)
        return hidden, logits.softmax(dim=1), codes.unflatten(1, (-1, 4))


class Rank(nn.Module):
    """p(correct) (S, R) of the candidates `rows` (R,) among features, ranks and boxes (S, N, ...).

    They hear of those within `reach` (1,) px in x and in y.
    """

    def __init__(self, drm: CandidateRanking) -> None:
        super().__init__()
        self.drm = drm

    def forward(self, features: Tensor, ranks: Tensor, boxes: Tensor, rows: Tensor, reach: Tensor) -> Tensor:
        return self.drm.judge(features, rank_embedding(ranks), boxes, rows, reach=reach).sigmoid()


class Draw(nn.Module):
    """Mask probabilities (n, 28, 28) of pooled boxes (n, 4) of the given labels (n,).

    Instances hear of those within `reach` (1,) px in x and in y.
    """

    def __init__(self, mask: MaskBranch) -> None:
        super().__init__()
        self.head, self.predictor, self.irm = mask.head, mask.predictor, mask.irm

    def forward(self, pooled: Tensor, labels: Tensor, boxes: Tensor, reach: Tensor) -> Tensor:
        deep = self.head(pooled.permute(0, 3, 1, 2))
        logits = self.predictor(deep)
        if self.irm is not None:
            logits, _ = self.irm(deep, logits, labels, near=are_near(boxes, boxes, reach))
        channel = labels.view(-1, 1, 1, 1).expand(-1, 1, *logits.shape[2:])
        return logits.gather(1, channel)[:, 0].sigmoid()


def _parts(model: IRNet) -> dict[str, Part]:
    """The parts of a network; the same inputs are tried whatever its modules are."""
    generator = torch.Generator().manual_seed(0)
    images = [(torch.randn(1, 3, *size, generator=generator),) for size in EXAMPLES]
    box, mask = model.roi_heads.box, model.roi_heads.mask
    width = model.rpn.head.cls_logits.in_channels

    def pooled(side: int) -> list[Tensor]:
        return [torch.randn(count, side, side, width, generator=generator) for count in COUNTS]

    labels = [torch.randint(1, 1 + box.classes, (count,), generator=generator) for count in COUNTS]
    places = [_random_boxes(1, count, generator)[0] for count in COUNTS]
    drawn = list(zip(pooled(MASK_SIDE), labels, places, REACHES, strict=True))
    shape = [-1, MASK_SIDE, MASK_SIDE, width]
    parts = {
        "look": Part(Look(model), [[1, 3, -1, -1]], images),
        "classify": Part(
            Classify(box), [[-1, BOX_SIDE, BOX_SIDE, width]], [(one,) for one in pooled(BOX_SIDE)]
        ),
        "draw": Part(Draw(mask), [shape, [-1], [-1, 4], [1]], drawn),
    }
    if box.drm:
        features = box.drm.appearance.in_features
        shapes = [[-1, -1, features], [-1, -1], [-1, -1, 4], [-1], [1]]
        first, second = (
            _random_candidates(*counts, features, generator) for counts in ((2, 50, 30), (1, 70, 70))
        )
        sets = [(*first, REACHES[0]), (*second, REACHES[1])]
        parts["rank"] = Part(Rank(box.drm), shapes, sets)
    return parts


def _random_boxes(sets: int, count: int, generator: torch.Generator) -> Tensor:
    low = torch.rand(sets, count, 2, generator=generator) * 60
    return torch.cat([low, low + 4 + torch.rand(sets, count, 2, generator=generator) * 30], dim=2)


def _random_candidates(
    sets: int, count: int, rows: int, features: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    boxes = _random_boxes(sets, count, generator)
    ranks = torch.arange(float(count)).expand(sets, count).clone()
    return torch.rand(sets, count, features, generator=generator), ranks, boxes, torch.arange(rows)


def _convert(part: Part) -> Graph:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are constants: `_compare` looks
        model = load().convert_model(part.module.eval(), example_input=part.examples[0], input=part.shapes)
    return written(model)


def _compare(name: str, part: Part, graph: Graph) -> None:
    """Refuse a graph that gives other numbers than its module."""
    compiled = Compiled(graph, "fp32")
    for example in part.examples:
        with torch.inference_mode():
            expected = part.module(*example)
        expected = expected if isinstance(expected, tuple) else (expected,)

        found = compiled([value.numpy() for value in example])
        for mine, theirs in zip(found, expected, strict=True):
            value = theirs.numpy()
            scale = max(1.0, float(np.abs(value).max(initial=0)))
            if mine.shape != value.shape or np.abs(mine - value).max(initial=0) > TOLERANCE * scale:
                raise InputError(
                    f"the graph of the network's part {name!r} gives other numbers than the network itself: "
                    "use --engine torch"
                )


def _suppression() -> Graph:
    """Suppression of boxes (1, n, 4) with scores (1, 1, n): of what stays 0, 0 and its place, (k, 3)."""
    ov = load()
    ops = ov.opset13
    boxes = ops.parameter([1, -1, 4], np.float32, "boxes")
    scores = ops.parameter([1, 1, -1], np.float32, "scores")
    iou = ops.parameter([1], np.float32, "iou")
    every = np.int64(np.iinfo(np.int32).max)
    kept = ops.non_max_suppression(
        boxes, scores, every, iou, np.float32(-np.inf), sort_result_descending=False, output_type="i64"
    )
    return written(ov.Model([kept.output(0)], [boxes, scores, iou], "suppress"))
