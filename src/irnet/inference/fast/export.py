"""Graphs of the parts of a network that compute with tensors alone, made from its torch modules.

Around them is `engine.py`. Needs torch; what reads the graphs does not.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from irnet.errors import InputError
from irnet.inference.fast.runtime import Compiled, Graph, load
from irnet.models.box_branch import LEVEL_STRIDES, BoxBranch
from irnet.models.box_branch import SIDE as BOX_SIDE
from irnet.models.constants import LEVELS
from irnet.models.irnet import IRNet
from irnet.models.mask_branch import SIDE as MASK_SIDE
from irnet.models.mask_branch import MaskBranch
from irnet.models.object_relation import rank_embedding
from irnet.models.ranking import CandidateRanking
from irnet.models.vision import roi_align

TOLERANCE = 1e-3  # of the largest value of an output, between a graph and its module
EXAMPLES = ((96, 160), (224, 128))  # px: sizes that a graph is traced with, and checked with
BOXES = ((3, 4, 5, 2), (6, 0, 1, 3))  # of each level, the same


class Part(NamedTuple):
    """What becomes a graph: a module, the shapes of its inputs (-1: any length), and inputs to try."""

    module: nn.Module
    shapes: list[list[int]]
    examples: list[tuple[Tensor, ...]]


def make_graphs(model: IRNet) -> dict[str, Graph]:
    """Return the graphs of a network in eval mode on the CPU, each of any size of image and number of boxes.

    Raises `InputError` where OpenVINO has no operation for a part, or a graph gives other numbers than its
    module at a size that it was not traced with.
    """
    generator = torch.Generator().manual_seed(0)
    graphs = {}
    for name, part in _parts(model, generator):
        try:
            graphs[name] = _convert(part)
        except InputError:
            raise
        except Exception as error:  # of many kinds, for an operation it does not know
            raise InputError(f"OpenVINO takes no graph of the network's part {name!r}: {error}") from error
        _compare(name, part, graphs[name])
    graphs["suppress"] = _suppression()
    return graphs


class Look(nn.Module):
    """Backbone, pyramid, proposals: (1, 3, H, W) -> P2 to P5, logits of each level, deltas of each level."""

    def __init__(self, model: IRNet) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.rpn.head

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        features = list(self.backbone(batch).values())
        logits, deltas = self.head(features)
        return (*features[:LEVELS], *logits, *deltas)


class Pool(nn.Module):
    """RoIAlign of boxes (n_l, 5) from the level that each belongs to, in the order of the levels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, *inputs: Tensor) -> Tensor:
        levels = zip(inputs[:LEVELS], inputs[LEVELS:], LEVEL_STRIDES, strict=True)
        return torch.cat(
            [roi_align(level, boxes, self.side, 1 / stride, 2) for level, boxes, stride in levels]
        )


class Classify(nn.Module):
    """Features (n, F), class probabilities (n, 1 + C) and codes (n, 1 + C, 4) of pooled boxes."""

    def __init__(self, box: BoxBranch) -> None:
        super().__init__()
        self.head, self.predictor = box.head, box.predictor

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.head(pooled)
        logits, codes = self.predictor(hidden)
        return hidden, logits.softmax(dim=1), codes.unflatten(1, (-1, 4))


class Rank(nn.Module):
    """p(correct) (S, R) of the candidates `rows` (R,) among features, ranks and boxes (S, N, ...)."""

    def __init__(self, drm: CandidateRanking) -> None:
        super().__init__()
        self.drm = drm

    def forward(self, features: Tensor, ranks: Tensor, boxes: Tensor, rows: Tensor) -> Tensor:
        return self.drm.judge(features, rank_embedding(ranks), boxes, rows).sigmoid()


class Draw(nn.Module):
    """Mask probabilities (n, 28, 28) of pooled boxes of the given labels (n,)."""

    def __init__(self, mask: MaskBranch) -> None:
        super().__init__()
        self.head, self.predictor, self.irm = mask.head, mask.predictor, mask.irm

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        deep = self.head(pooled)
        logits = self.predictor(deep)
        if self.irm is not None:
            logits, _ = self.irm(deep, logits, labels)
        channel = labels.view(-1, 1, 1, 1).expand(-1, 1, *logits.shape[2:])
        return logits.gather(1, channel)[:, 0].sigmoid()


def _parts(model: IRNet, generator: torch.Generator) -> Iterator[tuple[str, Part]]:
    look = Look(model)
    images = [torch.randn(1, 3, *size, generator=generator) for size in EXAMPLES]
    yield "look", Part(look, [[1, 3, -1, -1]], [(image,) for image in images])
    with torch.inference_mode():
        pyramids = [look(image)[:LEVELS] for image in images]

    width = pyramids[0][0].shape[1]
    boxes = []
    for levels, counts in zip(pyramids, BOXES, strict=True):
        boxes.append((*levels, *(_random_boxes(n, generator) for n in counts)))
    shapes = [[1, width, -1, -1]] * LEVELS + [[-1, 5]] * LEVELS
    pools = {"pool_boxes": Pool(BOX_SIDE), "pool_masks": Pool(MASK_SIDE)}
    yield from ((name, Part(pool, shapes, boxes)) for name, pool in pools.items())

    pooled = [(pools["pool_boxes"](*example),) for example in boxes]
    yield "classify", Part(Classify(model.roi_heads.box), [[-1, width, BOX_SIDE, BOX_SIDE]], pooled)

    deep = [pools["pool_masks"](*example) for example in boxes]
    labels = [torch.randint(1, 3, (sum(counts),), generator=generator) for counts in BOXES]
    shapes = [[-1, width, MASK_SIDE, MASK_SIDE], [-1]]
    yield "draw", Part(Draw(model.roi_heads.mask), shapes, list(zip(deep, labels, strict=True)))

    if drm := model.roi_heads.box.drm:
        features = drm.appearance.in_features
        shapes = [[-1, -1, features], [-1, -1], [-1, -1, 4], [-1]]
        sets = [_random_candidates(*counts, features, generator) for counts in ((2, 50, 30), (1, 70, 70))]
        yield "rank", Part(Rank(drm), shapes, sets)


def _random_boxes(count: int, generator: torch.Generator) -> Tensor:
    """Boxes (n, 5) inside the smallest example, the number of their image first."""
    low = torch.rand(count, 2, generator=generator) * 60
    return torch.cat(
        [torch.zeros(count, 1), low, low + 4 + torch.rand(count, 2, generator=generator) * 30], dim=1
    )


def _random_candidates(
    sets: int, count: int, rows: int, features: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    boxes = _random_boxes(sets * count, generator)[:, 1:].view(sets, count, 4)
    ranks = torch.arange(float(count)).expand(sets, count).clone()
    return torch.rand(sets, count, features, generator=generator), ranks, boxes, torch.arange(rows)


def _convert(part: Part) -> Graph:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are constants: `_compare` looks
        model = load().convert_model(part.module.eval(), example_input=part.examples[0], input=part.shapes)
    return _written(model)


def _written(model: Any) -> Graph:
    """A model as OpenVINO writes it, weights in float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.xml")
        load().save_model(model, path, compress_to_fp16=False)
        text, weights = (
            np.frombuffer(file.read_bytes(), np.uint8) for file in (path, path.with_suffix(".bin"))
        )
    return Graph(text, weights)


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
    return _written(ov.Model([kept.output(0)], [boxes, scores, iou], "suppress"))
