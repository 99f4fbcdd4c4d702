"""cells.db of cells that a test has, without a slide."""

from pathlib import Path

import numpy as np

from irnet.cells import Cells
from irnet.slides.block import MEASURES, Block, measure_in_window
from irnet.slides.candidates import Candidates
from irnet.slides.linking import link_nuclei
from irnet.slides.nesting import describe
from irnet.slides.store import order_of, write_store

MPP, PX = 0.37, 1.48


def block_of(cells: Cells) -> Block:
    """Cells as a block, their measures those on a grey field; one measure is not known of some."""
    pixels = np.full((*cells.image_shape, 3), 100, np.uint8)
    measures = measure_in_window(cells, pixels, (200.0, 200.0, 200.0), MPP)
    measures[::5, MEASURES.index("min_diameter_um")] = np.nan
    return Block.of(cells, measures, np.zeros(len(cells), bool))


def write_store_of(folder: Path, cells: Cells, name: str = "smear", px: float = PX) -> Path:
    """The cells.db of cells."""
    found, shape = Candidates.of(block_of(cells)), cells.image_shape
    found = found.select(order_of(found))
    parents, confidence = link_nuclei(found, shape, MPP)
    whole = [round(side * px) for side in shape]
    meta = {"name": name, "mpp": MPP, "px": px, "shape": shape, "slide_shape": whole}
    write_store(folder / "cells.db", describe(found.take, parents, confidence, shape), meta)
    return folder / "cells.db"
