"""JOMLS: joint optimisation of level sets for overlapping cervical cells (Lu, Carneiro, Bradley, TIP 2015).

Z. Lu, G. Carneiro, A. P. Bradley: An Improved Joint Optimization of Multiple Level Set Functions for the
Segmentation of Overlapping Cervical Cells, IEEE TIP 24(4), 2015; with the constants that the authors' code
runs with. All of them are pixels of .37 um, to which images are resampled, and grey levels of a background
near 238, to which images are brightened or darkened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from irnet.baselines.jomls.clumps import Gaussians, describe, find_clumps, fit_gaussians, outline_clumps
from irnet.baselines.jomls.guess import guess_cells
from irnet.baselines.jomls.joint import evolve_jointly
from irnet.baselines.jomls.nuclei import NucleusPatch, find_nuclei
from irnet.baselines.jomls.patch import Patch, Rectangle
from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.conventions import check_mpp
from irnet.errors import InputError
from irnet.progress import each

MPP = 0.37  # um per pixel at which the constants hold
BACKGROUND = 238.0  # grey level of the empty slide
BRIGHT = 95  # percentile of the grey levels that is taken for it
LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue in grey
LEAST_SIDE = 16  # px: a narrower image shows no cell
MARGIN = 10  # px about a clump
THIN = 4  # px between the rows and columns that `fit` learns from


@dataclass(frozen=True, eq=False)
class JOMLS:
    """Finds overlapping cells without training. Call it: `JOMLS()(image, mpp)`.

    A cell is found where its nucleus is; nuclei keep the index of their cell. All scores are 1.

    Args:
        gaussians: what background and cells look like, see `fit`; None takes it from each image alone.
    """

    gaussians: Gaussians | None = None

    @classmethod
    def fit(cls, images: Iterable[tuple[NDArray[np.uint8], float | None]]) -> Self:
        """The method with one pair of Gaussians for all of the training `images`, (image, mpp) each.

        Raises InputError when no image shows a cell.
        """
        features, cells = [], []
        for image, mpp in images:
            grey = prepare(image, mpp)
            thinned = describe(grey)[:, ::THIN, ::THIN]
            features.append(thinned.reshape(len(thinned), -1))
            cells.append(outline_clumps(grey)[::THIN, ::THIN].ravel())
        if not any(part.any() for part in cells):
            raise InputError("no image shows a clump of cells to learn from: give images with cells")
        return cls(fit_gaussians(np.concatenate(features, axis=1), np.concatenate(cells)))

    def __call__(self, image: NDArray[np.uint8], mpp: float | None = None) -> Cells:
        """Cells of an (H, W, 3) RGB image; where `mpp` is unknown (None) it is taken at its own scale.

        Raises InputError for another kind of array and an `mpp` that no microscope has.
        """
        grey = prepare(image, mpp)
        if min(grey.shape) < LEAST_SIDE:
            return Cells.empty(image.shape[:2], mpp)

        clumps = find_clumps(grey, self.gaussians)
        nuclei = find_nuclei(grey, clumps)

        cytoplasms = {}
        for number, place in enumerate(each(ndimage.find_objects(clumps), "clump"), start=1):
            inside = [index for index, nucleus in enumerate(nuclei) if nucleus.clump == number]
            if inside:
                clump = Patch.cut(clumps[place] == number, place[1].start, place[0].start)
                found = separate(grey, clump, [nuclei[index] for index in inside])
                cytoplasms |= {inside[index]: cell for index, cell in found.items()}

        return collect(nuclei, cytoplasms, grey.shape, image.shape[:2], mpp)


def prepare(image: NDArray[np.uint8], mpp: float | None) -> NDArray[np.uint8]:
    """The image in grey at the working scale, its background at 238, (h, w)."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(f"an array of shape {image.shape} and type {image.dtype}: give (H, W, 3) of uint8")
    check_mpp(mpp)

    # The working scale
    zoom = 1.0 if mpp is None else mpp / MPP
    height, width = (max(1, round(side * zoom)) for side in image.shape[:2])
    grey = PIL.Image.fromarray((image @ np.array(LUMINANCE)).astype(np.float32))
    values = np.asarray(grey.resize((width, height), PIL.Image.Resampling.BICUBIC))

    # The working brightness
    level = max(float(np.percentile(values, BRIGHT)), 1.0)
    return np.rint(values * (BACKGROUND / level)).clip(0, 255).astype(np.uint8)


def separate(grey: NDArray[np.uint8], clump: Patch, nuclei: list[NucleusPatch]) -> dict[int, Patch]:
    """The cells of a clump of an (H, W) image by their nucleus; a clump of one nucleus is its cell."""
    if len(nuclei) == 1:
        return {0: clump}
    frame = clump.window.grow(MARGIN)  # beyond the image too: what lies there is outside the clump
    inside = clump.within(frame)
    levels = np.zeros(inside.shape)
    levels[inside] = grey[clump.window.slices][clump.mask]
    centres = np.array([nucleus.centre for nucleus in nuclei]) - (frame.top, frame.left)
    cells = evolve_jointly(levels, inside, guess_cells(inside, centres))
    return {index: cell.shift(frame.left, frame.top) for index, cell in cells.items()}


def collect(
    nuclei: list[NucleusPatch],
    cytoplasms: dict[int, Patch],
    working_shape: tuple[int, int],
    shape: tuple[int, int],
    mpp: float | None,
) -> Cells:
    """Cytoplasms, by the index of their nucleus, and nuclei in the image's own frame of `shape` (H, W)."""
    place = {index: row for row, index in enumerate(cytoplasms)}
    patches = [resample(patch, working_shape, shape) for patch in cytoplasms.values()]
    patches += [resample(nucleus.patch, working_shape, shape) for nucleus in nuclei]

    return Cells.build(
        [patch.mask for patch in patches],
        [(patch.x, patch.y) for patch in patches],
        [CYTOPLASM] * len(cytoplasms) + [NUCLEUS] * len(nuclei),
        shape,
        parents=[NO_PARENT] * len(cytoplasms) + [place.get(i, NO_PARENT) for i in range(len(nuclei))],
        mpp=mpp,
    )


def resample(patch: Patch, old: tuple[int, int], new: tuple[int, int]) -> Patch:
    """The patch of a frame of size `old` (h, w) in one of size `new`, through its crop alone."""
    if old == new:
        return patch
    step = np.divide(old, new)  # old px per new px
    source = patch.window.grow(1)
    low = np.floor(np.array([source.top, source.left]) / step).astype(int)
    high = np.ceil(np.array([source.bottom, source.right]) / step).astype(int)
    target = Rectangle(low[0], high[0], low[1], high[1]).clip(new)

    start = (np.array([target.top, target.left]) + 0.5) * step - 0.5 - (source.top, source.left)
    size = (target.bottom - target.top, target.right - target.left)
    soft = ndimage.affine_transform(
        patch.within(source).astype(np.float32), step, offset=start.tolist(), output_shape=size, order=1
    )
    return Patch.cut(soft >= 0.5, target.left, target.top)
