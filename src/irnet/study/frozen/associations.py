"""What the associations of Eq. 1 look like: which cells a cell of a test image listens to, drawn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irnet.cells import CYTOPLASM, Cells
from irnet.data.sample import Entry
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.models.instance_relation import InstanceRelation
from irnet.models.pasting import to_cells
from irnet.report.draw import Picture, overlay
from irnet.report.figure import panels

SHOWN = 3  # cells
CROWD = 25  # more annotated cells than this are hard to look at
ITSELF, SILENT, HEARD = ((0, 176, 255), (235, 235, 235), (255, 61, 0))  # azure; white to vermilion


def choose_field(test: list[Entry]) -> Entry:
    """The fullest test image that can still be looked at."""
    return max(test, key=lambda entry: -abs(CROWD - len(entry.content.cells.of(CYTOPLASM))))


def draw_associations(predictor: Predictor, irm: InstanceRelation, entry: Entry) -> Picture | None:
    """The best finds of an image, each beside the others in the colour of the weight that it gives them.

    Returns (H, W, 3), panels side by side at the network's scale; None where there are too few finds.
    """
    weights, image, cells = associate(predictor, irm, entry)
    best = np.flatnonzero(cells.labels == CYTOPLASM)[:SHOWN]
    if len(best) < SHOWN:
        return None

    drawn, captions = [], []
    for cell in best:
        own = weights[cell]
        same = cells.labels == cells.labels[cell]
        others = np.where(np.arange(len(cells)) == cell, 0.0, own)
        drawn.append(overlay(image, cells.select(same), colours=_colours(others, int(cell))[same]))

        heard = np.exp(-np.sum(own * np.log(np.maximum(own, 1e-12))))
        captions.append(
            f"itself {own[cell]:.2f}, the strongest other {others.max():.2f}, effective {heard:.1f}"
        )
    return panels(drawn, captions)


def associate(
    predictor: Predictor, irm: InstanceRelation, entry: Entry
) -> tuple[NDArray[np.float64], Picture, Cells]:
    """Weights (n, n) among the finds of an image, the image and the finds (best first) at that scale.

    The network is watched while it predicts; of finds that leave no pixel the weights are left out.
    """
    # What goes into the IRM, and what the network says
    sample = entry.read()
    heard: list[tuple[Tensor, ...]] = []
    found: list[tuple] = []
    watches = [
        irm.register_forward_pre_hook(lambda _, inputs: heard.append(inputs)),
        predictor.model.register_forward_hook(lambda _, inputs, result: found.append((inputs[0], result))),
    ]
    predictor.find(sample.image, sample.content.cells.mpp, scale=OWN)
    for watch in watches:
        watch.remove()

    # Finds are numbered in place of scores, from 0 to 1, so that those with a pixel can be told
    images, instances = found[0]
    image = images[0].permute(1, 2, 0).cpu().numpy()  # (H, W, 3)
    count = len(instances[0].labels)
    numbered = instances[0]._replace(scores=torch.arange(count) / max(count, 1))
    cells = to_cells(numbered.found(), image.shape[:2])

    kept = np.rint(cells.scores * count).astype(np.int64)
    weights = irm.associations(*heard[0][:3]).double().cpu().numpy() if heard else np.zeros((0, 0))
    return weights[np.ix_(kept, kept)], image, cells


def _colours(others: NDArray, cell: int) -> NDArray[np.uint8]:
    """A colour for each find: the cell's own, or one between SILENT and HEARD."""
    share = (others / max(others.max(), 1e-12))[:, None]
    colours = (1 - share) * np.array(SILENT) + share * np.array(HEARD)
    colours[cell] = ITSELF
    return colours.round().astype(np.uint8)
