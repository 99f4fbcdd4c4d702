"""Fields composed of cut-outs: annotated isolated cells laid over one another by their optical density.

The 945 composites of the ISBI 2014 challenge were made of such cells by blending (Lu et al. 2015); here
absorbances add, so that an overlap is as dark as two real layers are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, binary_dilation, gaussian_filter

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.sample import Sample
from irnet.errors import InputError
from irnet.synthetic.cell import Drawing, Layer
from irnet.synthetic.layout import LayoutName, Placement, draw_counts, draw_plan
from irnet.synthetic.smear import Patient, assemble, check_choices
from irnet.synthetic.stain import Palette
from irnet.synthetic.truth import collect

Mask = NDArray[np.bool_]

MARGIN = 12  # px of the picture kept around a cut-out cell
INSIDE = 0.9  # of a nucleus that lies in its cell
TOUCH = 0.3  # most px on the border, relative to the root of the area
FRINGE = 2  # px beyond the annotated outline that still belong to the cell
SCALES = (0.85, 1.2)  # of a pasted cell
LAID_ON = (0.15, 0.6)  # distance of a cell from the one it is laid on, as a share of the sum of their radii
TRIES = 1000  # places of such a cell
GAIN = 0.15  # log-deviation of its optical density
CHANNELS = np.eye(3, dtype=np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cutout:
    """An annotated cell that lies free, with a margin of background."""

    image: NDArray[np.uint8]  # (h, w, 3)
    cytoplasm: Mask  # (h, w) the whole cell
    nucleus: Mask  # (h, w), may be empty
    mpp: float
    kind: str = "unknown"


def compose(
    seed: int,
    cutouts: Sequence[Cutout],
    *,
    size: tuple[int, int] = (512, 512),
    mpp: float = 0.37,
    layout: LayoutName = "dense",
    palette: Palette = "grey",
    count: int | None = None,
    covered: float | None = None,
) -> tuple[NDArray[np.uint8], Content]:
    """A field of `cutouts`, each turned, mirrored, scaled and darkened at random, with generated debris.

    Takes what `generate` takes and gives what it gives; background, dirt and camera are those of the
    seed's patient. With `covered` every second cell is laid where others together cover more than this share
    (0 to 1) of what the field shows of it. Raises InputError without cut-outs, where there is no such place,
    and as `generate` does.
    """
    check_choices(layout, palette, mpp)
    if not cutouts:
        raise InputError("nothing to compose: give at least one cut-out of an annotated cell")

    patient = Patient.draw(seed, palette)
    rng = np.random.default_rng((seed, 3))
    if count is None:
        count = int(draw_counts(rng, layout, size, mpp, 1)[0])
    grey, on_top = palette == "grey", 0 if covered is None else count // 2
    ground = draw_plan(rng, layout, size, count - on_top, lambda: _draw_cutout(rng, cutouts, mpp)).cells
    drawings, centres = [_draw(rng, place, grey=grey) for place in ground], [place.centre for place in ground]

    for _ in range(on_top):
        below = collect(drawings, size, mpp)[0]
        place, drawing = _lay_on(rng, ground, below, cutouts, covered=covered or 0.0, grey=grey)
        drawings.append(drawing)
        centres.append(place.centre)

    return assemble(rng, drawings, centres, patient=patient, size=size, mpp=mpp)


def cut_out(sample: Sample, mpp: float | None = None) -> list[Cutout]:
    """The annotated cells of an image that overlap no other one, lie inside it and have one nucleus.

    `mpp` is the scale of images that do not know theirs. Raises InputError when neither is known.
    """
    cells = sample.content.cells
    mpp = cells.mpp or mpp
    if mpp is None:
        raise InputError(f"{sample.name}: um per pixel unknown; set `mpp` of the image in its annotations")

    shared, labels = cells.intersections(cells), cells.labels
    inside = (shared >= INSIDE * cells.areas) & (labels == NUCLEUS)
    found = []
    for index in np.flatnonzero(labels == CYTOPLASM):
        nuclei = np.flatnonzero(inside[index])
        alone = np.count_nonzero(shared[index][labels == CYTOPLASM]) == 1
        if not alone or len(nuclei) != 1:
            continue

        x1, y1, x2, y2 = _frame(cells.boxes[index], cells.image_shape)
        pair = cells.select([int(index), int(nuclei[0])]).shift(-x1, -y1, (y2 - y1, x2 - x1)).to_dense()
        if _is_cut(pair[0]):
            continue

        kind = sample.content.kinds[index] if sample.content.kinds else "unknown"
        image = np.ascontiguousarray(sample.image[y1:y2, x1:x2])
        found.append(Cutout(image=image, cytoplasm=pair[0], nucleus=pair[1], mpp=mpp, kind=kind))
    return found


def _frame(box: NDArray[np.float64], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """A cell's box with its margin."""
    x1, y1, x2, y2 = (int(v) for v in box)
    return max(x1 - MARGIN, 0), max(y1 - MARGIN, 0), min(x2 + MARGIN, shape[1]), min(y2 + MARGIN, shape[0])


def _is_cut(mask: Mask) -> bool:
    """Whether more than a touch of a cell, tightly cropped, lies on the border of its picture."""
    border = sum(np.count_nonzero(side) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return border > TOUCH * np.sqrt(np.count_nonzero(mask))


def _draw_cutout(rng: np.random.Generator, cutouts: Sequence[Cutout], mpp: float) -> tuple[Cutout, float]:
    """One of the cut-outs, and the radius (px) of a circle of the area that it will have."""
    cutout = cutouts[int(rng.integers(len(cutouts)))]
    scale = rng.uniform(*SCALES) * cutout.mpp / mpp
    return cutout, float(np.sqrt(np.count_nonzero(cutout.cytoplasm) / np.pi) * scale)


def _draw(rng: np.random.Generator, place: Placement[Cutout], *, grey: bool) -> tuple[str, Drawing]:
    return place.item.kind, _paste(rng, place.item, place.centre, place.radius, grey=grey)


def _lay_on(
    rng: np.random.Generator,
    ground: Sequence[Placement[Cutout]],
    below: Cells,
    cutouts: Sequence[Cutout],
    *,
    covered: float,
    grey: bool,
) -> tuple[Placement[Cutout], tuple[str, Drawing]]:
    """A cell near one of `ground` that shares more than `covered` of its area with the cytoplasms `below`."""
    shape, mpp = below.image_shape, below.mpp or 1.0
    union: Mask = np.logical_or.reduce(below.of(CYTOPLASM).to_dense(), axis=0)  # (H, W)

    for _ in range(TRIES):
        near = ground[int(rng.integers(len(ground)))]
        item, radius = _draw_cutout(rng, cutouts, mpp)
        distance, angle = (near.radius + radius) * rng.uniform(*LAID_ON), rng.uniform(0, 2 * np.pi)
        x, y = near.centre[0] + distance * np.cos(angle), near.centre[1] + distance * np.sin(angle)
        place = Placement(item, (float(x), float(y)), radius)

        drawing = _draw(rng, place, grey=grey)
        cell = collect([drawing], shape, mpp)[0].of(CYTOPLASM)
        if len(cell) and np.mean(union[cell.to_dense()[0]]) > covered:
            return place, drawing

    raise InputError(
        f"no place where others cover more than {covered} of a cell: give more cut-outs or cells"
    )


def _absorbance(cutout: Cutout) -> NDArray[np.float32]:
    """Optical density (3, h, w) of the cell alone, fading out over the fringe of its outline."""
    far = np.logical_not(binary_dilation(cutout.cytoplasm, iterations=FRINGE + 2))
    background = cutout.image[far] if far.any() else cutout.image.reshape(-1, 3)
    white = np.maximum(np.median(background, axis=0), 1)
    density = np.maximum(-np.log10(np.maximum(cutout.image, 1) / white), 0).transpose(2, 0, 1)
    cover = gaussian_filter(binary_dilation(cutout.cytoplasm, iterations=FRINGE).astype(np.float32), 0.8)
    return (density * cover).astype(np.float32)


def _paste(
    rng: np.random.Generator, cutout: Cutout, centre: tuple[float, float], radius: float, *, grey: bool
) -> Drawing:
    """The cut-out as a drawing about `centre` whose area is that of a circle of `radius` (px)."""
    scale = radius / np.sqrt(np.count_nonzero(cutout.cytoplasm) / np.pi)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1, 1])

    middle = np.argwhere(cutout.cytoplasm).mean(axis=0)  # y, x
    half = int(np.hypot(*cutout.cytoplasm.shape) * scale / 2) + 2
    matrix = turn / scale
    corner = (round(centre[0]) - half, round(centre[1]) - half)
    place = np.array([centre[1] - corner[1], centre[0] - corner[0]])

    def warp(plane: NDArray) -> NDArray[np.float32]:
        side = (2 * half + 1,) * 2
        source = plane.astype(np.float32)
        shift = middle - matrix @ place
        return np.asarray(affine_transform(source, matrix, shift, output_shape=side, order=1), np.float32)

    density = _absorbance(cutout) * np.float32(np.exp(rng.normal(0, GAIN)))
    if grey:
        layers = [Layer(warp(density.mean(axis=0)), corner, np.ones(3, dtype=np.float32))]
    else:
        layers = [Layer(warp(d), corner, dye) for d, dye in zip(density, CHANNELS, strict=True)]

    nucleus = warp(cutout.nucleus) > 0.5
    cytoplasm = (warp(cutout.cytoplasm) > 0.5) | nucleus
    return Drawing(layers, (cytoplasm, corner), [(nucleus, corner)] if nucleus.any() else [])
