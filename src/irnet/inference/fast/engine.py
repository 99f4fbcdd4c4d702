"""A network as OpenVINO computes it on a CPU: graphs, and in NumPy what goes on between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.config import ModelSettings, PredictSettings
from irnet.inference.encoding import Encoding
from irnet.inference.engine import Engine, Precision
from irnet.inference.fast.boxes import (
    VIEWS,
    Floats,
    Places,
    View,
    anchor_shapes,
    are_real,
    best,
    clip,
    decode,
    enlarge,
    lay,
    resample,
    soften,
)
from irnet.inference.fast.pooling import pool
from irnet.inference.fast.ranking import RankedBoxes, as_input, choose_candidates
from irnet.inference.fast.runtime import Compiled, Graph, installed_version, trim
from irnet.inference.resizing import network_shape
from irnet.models.constants import (
    BOX_CODE,
    BOX_SIDE,
    LEVELS,
    MASK_SIDE,
    PROPOSAL_CODE,
    PROPOSAL_NMS_IOU,
    SMALLEST_BOX,
    SMALLEST_PROPOSAL,
    STRIDE,
    STRIDES,
    area_growth,
    by_label,
)
from irnet.models.neighbourhoods import relation_reach
from irnet.models.pasting import Found

EXACT = ("rank", "suppress")  # graphs that meet places in px: always in float32


class Seen(NamedTuple):
    """What the first graph makes of one view of an image."""

    view: View
    size: tuple[int, int]  # height and width of the view, px
    pyramid: Floats  # places of P2 to P5, level by level, (sum of h w, width)
    shapes: list[tuple[int, int]]  # of these, (h, w)
    logits: list[Floats]  # of the anchors of each level, (n_l,)
    deltas: list[Floats]  # (n_l, 4)


class OpenVINOEngine(Engine):
    """See `Engine`.

    Args:
        graphs: of `export.make_graphs`, by name.
        model: settings of the network that they were made from.
        precision: what graphs compute with, besides those of places in px.
    """

    device = "cpu"

    def __init__(self, graphs: Mapping[str, Graph], model: ModelSettings, precision: Precision) -> None:
        self.name = f"openvino {installed_version()}"
        self.settings, self.precision = model, precision
        self.graphs = {
            name: Compiled(graph, "fp32" if name in EXACT else precision) for name, graph in graphs.items()
        }

    def find(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Found:
        found = self.encode(image, predict, views=views).found
        self._release()  # whoever draws or measures next needs the room
        return found

    def encode(self, image: NDArray[np.uint8], predict: PredictSettings, *, views: int) -> Encoding:
        self._release()  # of the last image
        seen = [self._look(image, view) for view in VIEWS[:views]]
        return _Encoding(self, seen, predict, image.shape[:2])

    def _release(self) -> None:
        """Give back the memory of graphs that have computed: what the next one takes comes on top."""
        for graph in self.graphs.values():
            graph.release()
        trim()

    def _look(self, image: NDArray[np.uint8], view: View) -> Seen:
        picture = view.turn(image.transpose(2, 0, 1))  # (3, H, W)
        height, width = network_shape(picture.shape[1:], self.settings)
        batch = np.zeros((1, 3, -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE), np.float32)
        for place, channel, mean, std in zip(
            batch[0, :, :height, :width], picture, self.settings.mean, self.settings.std, strict=True
        ):
            place[:] = (resample(channel, (height, width)) - np.float32(mean)) / np.float32(std)

        found = self.graphs["look"]([batch])
        self.graphs["look"].release()
        pyramid, *heads = found
        return Seen(
            view,
            (height, width),
            pyramid=pyramid,
            shapes=[(batch.shape[2] // stride, batch.shape[3] // stride) for stride in STRIDES[:LEVELS]],
            logits=[logits[0] for logits in heads[: len(STRIDES)]],
            deltas=[deltas[0] for deltas in heads[len(STRIDES) :]],
        )

    def _propose(self, seen: Seen) -> Floats:
        """Return the best boxes (R, 4) of all levels that no better one of their level covers."""
        settings = self.settings
        growth = area_growth([seen.size], settings.field_megapixels)
        most, most_in_all = (
            round(n * growth) for n in (settings.rpn.pre_nms_test, settings.rpn.post_nms_test)
        )

        boxes, scores = [], []
        levels = zip(seen.logits, seen.deltas, STRIDES, settings.anchor_sizes, strict=True)
        for logits, deltas, stride, size in levels:
            top = best(logits, most)
            columns = -(-(-(-seen.size[1] // STRIDE) * STRIDE) // stride)
            anchors = lay(anchor_shapes(size, settings.anchor_ratios), top, columns=columns, stride=stride)
            box = clip(decode(deltas[top], anchors, PROPOSAL_CODE), seen.size)

            real = are_real(box, SMALLEST_PROPOSAL)
            box, score = box[real], logits[top][real]
            kept = self._suppress(box, score, PROPOSAL_NMS_IOU)
            boxes.append(box[kept])
            scores.append(score[kept])
        return np.concatenate(boxes)[best(np.concatenate(scores), most_in_all)]

    def _read(self, seen: Sequence[Seen], proposals: Floats) -> tuple[Floats, Floats, Floats]:
        """Return features (R, F), scores (R, C) and boxes (R, C, 4) of proposals (R, 4) in the first view.

        They are means over the views.
        """
        features, scores, boxes = [], [], []
        for one in seen:
            mine = one.view.turn_boxes(proposals, seen[0].size)
            pooled = pool(one.pyramid, one.shapes, mine, BOX_SIDE)
            hidden, score, codes = self.graphs["classify"]([pooled])
            decoded = clip(decode(codes[:, 1:], mine[:, None], BOX_CODE), one.size)
            features.append(hidden)
            scores.append(score[:, 1:])
            boxes.append(one.view.turn_boxes(decoded, seen[0].size))
        features, scores, boxes = (np.mean(values, axis=0) for values in (features, scores, boxes))
        return features, scores, boxes

    def _select(
        self, candidates: RankedBoxes, predict: PredictSettings, size: tuple[int, int]
    ) -> tuple[Places, Floats]:
        """Return places (n,) in the flattened (C N) candidates that stay, and scores, best first."""
        powers, cuts = (by_label(value).values() for value in (predict.drm_power, predict.nms))
        places, scores = [], []
        for number, (box, score, correct, power, cut) in enumerate(
            zip(*candidates, powers, cuts, strict=True)
        ):
            score = score * correct ** np.float32(power)
            real = np.flatnonzero((score > predict.floor) & are_real(box, SMALLEST_BOX))
            box, score = box[real], score[real]

            if predict.suppression == "soft":
                score = soften(box, score)
            boxwise = predict.suppression == "box"
            kept = self._suppress(box, score, cut) if boxwise else np.flatnonzero(score > predict.floor)
            places.append(number * len(correct) + real[kept])
            scores.append(score[kept])

        place, score = np.concatenate(places), np.concatenate(scores)
        chosen = best(score, round(predict.max_per_megapixel * area_growth([size])))
        return place[chosen], score[chosen]

    def _suppress(self, boxes: Floats, scores: Floats, iou: float) -> Places:
        """Return the places of boxes that no better one covers by more than `iou`, best first."""
        if not len(boxes):
            return np.zeros(0, np.int64)
        return self.graphs["suppress"]([boxes[None], scores[None, None], np.array([iou], np.float32)])[0][
            :, 2
        ]

    def _draw(self, seen: Sequence[Seen], frames: Floats, labels: Places) -> Floats:
        """Return means over the views of the masks (n, 28, 28) of frames (n, 4) in the first."""
        if not len(frames):
            return np.zeros((0, 2 * MASK_SIDE, 2 * MASK_SIDE), np.float32)

        reach, drawn = as_input(relation_reach([seen[0].size], self.settings.field_megapixels)), []
        for one in seen:
            placed = one.view.turn_boxes(frames, seen[0].size)
            pooled = pool(one.pyramid, one.shapes, placed, MASK_SIDE)
            drawn.append(one.view.turn(self.graphs["draw"]([pooled, labels, frames, reach])[0]))
        return np.mean(drawn, axis=0)


class _Encoding(Encoding):
    """See `Encoding`: the views of one image as an engine has seen them."""

    def __init__(
        self, engine: OpenVINOEngine, seen: Sequence[Seen], predict: PredictSettings, shape: tuple[int, int]
    ) -> None:
        self.engine, self.seen = engine, seen
        (height, width), size = shape, seen[0].size
        # px that the network sees per px of the image
        self.stretch = np.array([size[1] / width, size[0] / height] * 2, np.float32)

        features, self.scores, boxes = engine._read(seen, engine._propose(seen[0]))
        self.boxes = boxes / self.stretch
        read = features, self.scores, boxes
        candidates = choose_candidates(read, size, engine.settings, predict, engine.graphs.get("rank"))
        places, scores = engine._select(candidates, predict, size)
        labels = places // candidates.boxes.shape[1] + 1
        self.found = self._draw(candidates.boxes.reshape(-1, 4)[places], labels, scores)

    def read(self, boxes: Floats) -> tuple[Floats, Floats]:
        _, scores, places = self.engine._read(self.seen, boxes * self.stretch)
        return places / self.stretch, scores

    def draw(self, boxes: Floats, labels: Places) -> Found:
        return self._draw(boxes * self.stretch, labels, np.ones(len(labels), np.float32))

    def _draw(self, boxes: Floats, labels: Places, scores: Floats) -> Found:
        frames = enlarge(boxes, self.engine.settings.mask_box_scale)
        masks = self.engine._draw(self.seen, frames, labels)
        return Found(frames / self.stretch, labels, scores, masks)
