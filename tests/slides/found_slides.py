"""A slide on which cells were found, by who drew them: all that `irnet slide finish` leaves."""

from pathlib import Path

import numpy as np
from made_slides import write_pyramid
from PIL import Image

from irnet.inference.slide_blocks import BlockFolder
from irnet.slides.block import Block, measure_in_window
from irnet.slides.plan import Plan
from irnet.synthetic import generate
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides

MPP = 0.37  # um per pixel of the network


def found_slides(folder: Path, *names: str, px: float = 1.48, count: int = 30) -> Plan:
    """Generated slides of 900 x 1200 px at the network's scale, `px` px of theirs per pixel; finished."""
    drawn = []
    for seed, name in enumerate(names):
        image, content = generate(seed, size=(900, 1200), mpp=MPP, count=count)
        size = round(px * image.shape[1]), round(px * image.shape[0])
        pixels = np.asarray(Image.fromarray(image).resize(size))
        drawn.append((write_pyramid(folder / f"{name}.tif", pixels, mpp=MPP / px), image, content.cells))

    plan = plan_slides([path for path, *_ in drawn], folder / "found", SlideOptions(window=(512, 128)))
    for name, (_, image, cells) in zip(plan.names, drawn, strict=True):
        slide = plan.slide(name)
        every = Block.of(
            cells, measure_in_window(cells, image, slide.background, MPP), np.zeros(len(cells), bool)
        )
        every.scores[:] = np.random.default_rng(0).uniform(0.3, 1, len(cells))
        x, y = ((every.boxes[:, :2] + every.boxes[:, 2:]) / 2).T
        for number, window in slide.windows().items():
            x1, y1, x2, y2 = window.core
            mine = np.flatnonzero((x >= x1) & (x < x2) & (y >= y1) & (y < y2))
            BlockFolder(plan.folder(name)).write(plan.key(slide, window), every.select(mine), number)
    finish_slides(plan.out, partial=True)
    return plan
