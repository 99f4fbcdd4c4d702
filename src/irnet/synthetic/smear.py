"""A field of a smear: cells in clusters, layer on layer, with debris, photographed; and its whole truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells, Truth
from irnet.geometry.masks import trim
from irnet.synthetic.cell import Drawing, Habit, draw_bare_nucleus, draw_cell
from irnet.synthetic.debris import Dirt, add_debris
from irnet.synthetic.layout import LayoutName, Placement, draw_plan, draw_shares
from irnet.synthetic.optics import Camera
from irnet.synthetic.stain import Density, Palette, Stain

LEAST_SHARE = 0.1  # of an instance's area: what the border leaves less of is not annotated
LEAST_PIXELS = 24


@dataclass(frozen=True)
class Patient:
    """What the fields of one patient share: stain, camera, mixture of cells, dirt."""

    stain: Stain
    camera: Camera
    shares: NDArray[np.float64]
    dirt: Dirt
    habit: Habit

    @classmethod
    def draw(cls, seed: int, palette: Palette) -> "Patient":
        """The patient of a seed."""
        rng = np.random.default_rng((seed, 1))
        stain = Stain.draw(rng, palette)
        return cls(
            stain,
            Camera.draw(rng, palette),
            draw_shares(rng),
            Dirt.draw(rng, grey=stain.grey),
            Habit.draw(rng, palette),
        )


def generate(
    seed: int,
    *,
    size: tuple[int, int] = (1000, 1000),
    mpp: float = 0.2529,
    layout: LayoutName = "cps",
    palette: Palette = "pap",
    patient: Patient | None = None,
    count: int | None = None,
) -> tuple[NDArray[np.uint8], Truth]:
    """A generated field: the picture (H, W, 3) uint8 and its whole, amodal truth.

    Args:
        seed: the same seed gives the same field, on any machine and in any process.
        size: height and width (px); mpp: um per pixel.
        layout: arrangement of the cells, see `irnet.synthetic.layout`.
        palette: stain; "grey" is a monochrome camera.
        patient: stain, camera and mixture of cells; None draws them from the seed.
        count: number of cytoplasms; None draws it.
    """
    patient = patient or Patient.draw(seed, palette)
    rng = np.random.default_rng((seed, 0))
    plan = draw_plan(rng, layout, size, mpp, shares=patient.shares, count=count)
    density = Density(size, grey=patient.stain.grey)
    drawings: list[tuple[str, Drawing]] = []
    for placement in plan.cells:
        blur = patient.camera.defocus(rng, mpp)
        drawing = draw_cell(
            rng,
            placement.kind,
            placement.centre,
            placement.radius,
            stain=patient.stain,
            habit=patient.habit,
            mpp=mpp,
            blur=blur,
        )
        drawings.append((placement.kind.name, drawing))
    for placement in plan.bare:
        drawings.append(("bare", _draw_bare(rng, placement, patient, mpp)))
    for _, drawing in drawings:
        for layer in drawing.layers:
            density.add(layer.density, layer.corner, layer.colour)
    centres = [placement.centre for placement in plan.cells]
    distractors = add_debris(rng, density, patient.dirt, centres, stain=patient.stain, mpp=mpp)
    cells, kinds = collect(drawings, size, mpp)
    picture = patient.camera.photograph(rng, density.values, mpp)
    return picture, Truth(cells=cells, kinds=kinds, distractors=tuple(distractors))


def _draw_bare(rng: np.random.Generator, placement: Placement, patient: Patient, mpp: float) -> Drawing:
    blur = patient.camera.defocus(rng, mpp)
    return draw_bare_nucleus(rng, placement.kind, placement.centre, stain=patient.stain, mpp=mpp, blur=blur)


def collect(
    drawings: list[tuple[str, Drawing]], size: tuple[int, int], mpp: float
) -> tuple[Cells, tuple[str, ...]]:
    """The truth of what was drawn: each cell, then its nuclei; and the kind of each instance."""
    masks, offsets, labels, parents, kinds = [], [], [], [], []
    for kind, drawing in drawings:
        parent = NO_PARENT
        if drawing.cytoplasm and (cell := _visible(*drawing.cytoplasm, size)):
            parent = len(masks)
            masks.append(cell[0])
            offsets.append(cell[1])
            labels.append(CYTOPLASM)
            parents.append(NO_PARENT)
            kinds.append(kind)
        for mask, corner in drawing.nuclei:
            if part := _visible(mask, corner, size):
                masks.append(part[0])
                offsets.append(part[1])
                labels.append(NUCLEUS)
                parents.append(parent)
                kinds.append(kind)
    return Cells.build(masks, offsets, labels, size, parents=parents, mpp=mpp), tuple(kinds)


def _visible(
    mask: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]] | None:
    """The part of a mask inside the field and its (x, y), or None when hardly anything of it is left."""
    crop, (x, y) = trim(mask)
    x, y = x + corner[0], y + corner[1]
    left, top = max(0, -x), max(0, -y)
    part = crop[top : max(top, size[0] - y), left : max(left, size[1] - x)]
    area = np.count_nonzero(part)
    if area < max(LEAST_PIXELS, LEAST_SHARE * np.count_nonzero(crop)):
        return None
    return part, (x + left, y + top)
