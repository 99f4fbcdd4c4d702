"""A field of a smear: cells in clusters, layer on layer, with debris, photographed; and its whole truth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Content
from irnet.conventions import PLAUSIBLE_MPP
from irnet.errors import InputError
from irnet.synthetic.cell import Drawing, draw_bare_nucleus, draw_cell
from irnet.synthetic.debris import add_debris
from irnet.synthetic.dirt import Dirt
from irnet.synthetic.film import Habit
from irnet.synthetic.kinds import ABNORMAL, Kind, draw_crowd, draw_kind, draw_shares
from irnet.synthetic.layout import LAYOUTS, LayoutName, Plan, draw_counts, draw_plan
from irnet.synthetic.optics import Camera
from irnet.synthetic.stain import STRENGTHS, Density, Palette, Stain
from irnet.synthetic.truth import collect

VERSION = 11  # goes up whenever a seed gives another picture or truth
DEEP_REACH, DEEP_BLUR = (15, 70), (0.5, 1.4)  # um: around the middle of a group out of focus, and its blur


@dataclass(frozen=True)
class Patient:
    """What the fields of one patient share: stain, camera, mixture of cells, dirt."""

    stain: Stain
    camera: Camera
    shares: NDArray[np.float64]
    dirt: Dirt
    habit: Habit

    @classmethod
    def draw(cls, seed: int, palette: Palette, abnormal: float = ABNORMAL) -> "Patient":
        """The patient of a seed; `abnormal` is the probability that it has many small and odd cells."""
        rng = np.random.default_rng((seed, 1))
        stain = Stain.draw(rng, palette)
        return cls(
            stain,
            Camera.draw(rng, palette),
            draw_shares(rng, abnormal),
            Dirt.draw(rng, palette),
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
    opaque: bool = False,
) -> tuple[NDArray[np.uint8], Content]:
    """Draw a field of a smear with its truth.

    Args:
        seed: the same seed gives the same field in any process; on a processor with other vector
            instructions pixels may differ (docs/reference/generator.md).
        size: height and width (px).
        mpp: um per pixel.
        layout: arrangement of the cells: "cps", "dense", "heaped", "crowded", "sparse" (`layout.py`).
        palette: stain: "pap", "pale", "vivid", "strong"; "grey" is a monochrome camera.
        patient: stain, camera and mixture of cells; None draws them from the seed.
        count: number of cytoplasms; None draws it.
        opaque: cells hide what lies under them; as a rule all of it shines through.

    Returns:
        The picture (H, W, 3) uint8, and what it holds: whole masks, also where cells lie under others.

    Raises:
        InputError: an unknown layout or palette, a scale that no microscope has, or a negative number.

    Example:
        >>> import irnet
        >>> image, content = irnet.generate(1, size=(200, 300), mpp=0.5, count=3)
        >>> image.shape, content.cells
        ((200, 300, 3), Cells(3 cytoplasms, 7 nuclei, 200 x 300, 0.5 um/px))
    """
    check_choices(layout, palette, mpp)
    if seed < 0 or (count or 0) < 0 or min(size) < 1:
        raise InputError(f"seed {seed}, count {count}, size {size}: seed and count begin at 0, sizes at 1 px")

    patient = patient or Patient.draw(seed, palette)
    rng = np.random.default_rng((seed, 0))
    if count is None:
        count = int(draw_counts(rng, layout, size, mpp, 1)[0])

    plan = draw_plan(
        rng,
        layout,
        size,
        count,
        lambda: draw_kind(rng, patient.shares, mpp),
        lambda: draw_crowd(rng, mpp),
    )

    drawings = _draw_cells(rng, plan, patient, mpp)
    centres = [placement.centre for placement in plan.cells]
    return assemble(rng, drawings, centres, patient=patient, size=size, mpp=mpp, opaque=opaque)


def assemble(
    rng: np.random.Generator,
    drawings: list[tuple[str, Drawing]],
    centres: list[tuple[float, float]],
    *,
    patient: Patient,
    size: tuple[int, int],
    mpp: float,
    opaque: bool = False,
) -> tuple[NDArray[np.uint8], Content]:
    """The picture (H, W, 3) of drawn cells, debris around their `centres` (x, y px) added, and its truth."""
    density = Density(size, grey=patient.stain.grey)
    for _, drawing in drawings:
        if opaque and drawing.cytoplasm is not None:
            density.hide(*drawing.cytoplasm)
        for layer in drawing.layers:
            density.add(layer.density, layer.corner, layer.colour)

    distractors = add_debris(rng, density, patient.dirt, centres, stain=patient.stain, mpp=mpp)
    cells, kinds = collect(drawings, size, mpp)
    picture = patient.camera.photograph(rng, density.values, mpp)
    return picture, Content(cells=cells, kinds=kinds, distractors=tuple(distractors))


def check_choices(layout: str, palette: str, mpp: float) -> None:
    """Raise InputError for a layout, palette or scale that cannot be drawn."""
    if layout not in LAYOUTS:
        raise InputError(f"no layout {layout!r}: choose one of {', '.join(LAYOUTS)}")
    if palette not in STRENGTHS:
        raise InputError(f"no palette {palette!r}: choose one of {', '.join(STRENGTHS)}")
    low, high = PLAUSIBLE_MPP
    if not low <= mpp <= high:
        raise InputError(f"mpp = {mpp:g} um per pixel: choose from {low:g} to {high:g}")


def _draw_cells(
    rng: np.random.Generator, plan: Plan[Kind], patient: Patient, mpp: float
) -> list[tuple[str, Drawing]]:
    """All cells of a plan, then its bare nuclei, each with the name of its kind."""
    drawings, blurs = [], _draw_blurs(rng, plan, patient.camera, mpp)

    for place in plan.cells:
        drawing = draw_cell(
            rng,
            place.item,
            place.centre,
            place.radius,
            stain=patient.stain,
            habit=patient.habit,
            mpp=mpp,
            blur=next(blurs),
        )
        drawings.append((place.item.name, drawing))

    for place in plan.bare:
        drawing = draw_bare_nucleus(
            rng, place.item, place.centre, stain=patient.stain, mpp=mpp, blur=next(blurs)
        )
        drawings.append(("bare", drawing))
    return drawings


def _draw_blurs(rng: np.random.Generator, plan: Plan[Kind], camera: Camera, mpp: float) -> Iterator[float]:
    """Blur (px) of each cell, then of each bare nucleus; what lies near one cell may all be out of focus."""
    places = [*plan.cells, *plan.bare]
    deep = places[rng.integers(len(places))] if places and rng.random() < camera.deep else None
    reach, blur = rng.uniform(*DEEP_REACH) / mpp, rng.uniform(*DEEP_BLUR) / mpp
    for place in places:
        near = deep is not None and np.hypot(*np.subtract(place.centre, deep.centre)) < reach
        yield max(camera.defocus(rng, mpp), blur if near else 0.0)
