"""Nuclei (JOMLS, step b): stable extremal regions, a level set that tightens them, four tests."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from irnet.baselines.jomls.levelset import edge_stop, evolve
from irnet.baselines.jomls.patch import Patch, number_pieces

Grey = NDArray[np.uint8]  # (h, w)
Mask = NDArray[np.bool_]  # (h, w)

# Lengths and areas in pixels of .37 um, constants of Lu et al. 2015 as their code runs. Nuclei beyond
# 82 um2, dysplastic ones among them, are no region of MSER: a limit of the method, kept.
LEAST_AREA, MOST_AREA = 120, 600  # px of a stable region
DELTA = 4  # grey levels up and down over which it must be stable: 8 in all, 3 % of the range
MOST_VARIATION = 0.25  # of its area over them. docs/decisions/0012
LENGTH, PUSH = 4.0, 5.0  # weights of outline and area: a positive push shrinks
STEPS, LAST = 10 * 2, 10  # with the push, and without
MOST_ECCENTRICITY = 0.9  # exclusive, as are the next four
MOST_SHARE = 0.1  # of the clump's area
DARK, LEAST_DARK = 170, 100  # grey level (inclusive) at which a nucleus must exceed so many px,
PALE, LEAST_PALE = 200, 300  # and a paler one so many


class NucleusPatch(NamedTuple):
    """A nucleus whole inside a clump."""

    patch: Patch
    centre: tuple[float, float]  # y, x
    clump: int  # label


def find_nuclei(grey: Grey, clumps: NDArray[np.int64]) -> list[NucleusPatch]:
    """The nuclei of a grey image (H, W) that lie whole inside a clump of the label image (H, W)."""
    blobs = number_pieces(clean(stable_regions(grey), grey))
    areas = np.bincount(clumps.ravel())
    nuclei = []
    for blob in regionprops(blobs, intensity_image=grey):
        below = np.unique(clumps[blob.slice][blob.image])
        if len(below) > 1 or below[0] == 0 or not _is_nucleus(blob, int(areas[below[0]])):
            continue
        top, left = blob.bbox[:2]
        nuclei.append(NucleusPatch(Patch(blob.image, left, top), blob.centroid, int(below[0])))
    return nuclei


def stable_regions(grey: Grey) -> Mask:
    """The union of all stable extremal regions of a nucleus's size.

    OpenCV leaves out regions that resemble the one around them (min_diversity = .2); then next to none
    of the nuclei remain, so that this test is switched off.
    """
    detector = cv2.MSER.create(
        delta=DELTA, min_area=LEAST_AREA, max_area=MOST_AREA, max_variation=MOST_VARIATION, min_diversity=0
    )
    regions, _ = detector.detectRegions(grey)
    union = np.zeros(grey.shape, dtype=bool)
    for region in regions:
        x, y = np.asarray(region).T
        union[y, x] = True
    return union


def clean(blobs: Mask, grey: Grey) -> Mask:
    """The blobs after a level set that tightens them onto edges."""
    g = edge_stop(grey.astype(np.float64))
    return evolve(blobs, g, [(STEPS, PUSH * g), (LAST, 0 * g)], length=LENGTH)


def _is_nucleus(blob, clump_area: int) -> bool:
    small = blob.area < MOST_SHARE * clump_area
    dark = blob.area > LEAST_DARK and blob.intensity_mean <= DARK
    pale = blob.area > LEAST_PALE and blob.intensity_mean <= PALE
    return small and blob.eccentricity < MOST_ECCENTRICITY and (dark or pale)
