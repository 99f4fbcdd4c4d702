"""Where the edge of a cell lies: optical density across hand-drawn outlines, and across generated ones.

    python benchmarks/rim.py HERLEV

HERLEV is annotated cells in COCO form, one a picture; every second one outside rank 0 of composites.py is
looked at. Medians over cells of the density at each distance inside the outline (um), relative to the inside.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from composites import choose
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry
from irnet.synthetic import Patient, generate

EDGES = np.arange(-1.2, 3.01, 0.4)  # um inside the outline
HERLEV_MPP, MPP, SIDE = 0.201, 0.25, 500
AROUND = 30  # px of a generated field kept around a cell
FEWEST = 30  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="annotated cells")
    entries = [e for rank in (1, 2, 3, 4) for e in choose(read_coco(parser.parse_args().data), None, rank)]
    print("um inside    ", *(f"{middle:6.1f}" for middle in (EDGES[:-1] + EDGES[1:]) / 2))
    tell("hand-drawn", [p for e in entries[::2] for p in profiles(*_read(e), HERLEV_MPP)])
    for palette in ("pap", "pale", "vivid", "strong", "grey"):
        found = []
        for seed in range(8):
            patient = Patient.draw(seed, palette, 0.5)
            image, truth = generate(
                seed, size=(SIDE, SIDE), mpp=MPP, layout="sparse", palette=palette, patient=patient
            )
            found += profiles(image, truth.cells, MPP)
        tell(palette, found)


def _read(entry: Entry) -> tuple[NDArray[np.uint8], Cells]:
    sample = entry.read()
    return sample.image, sample.content.cells


def tell(name: str, found: list[list[float]]) -> None:
    """Print the medians of profiles."""
    print(f"{name:11}{len(found):3}", *(f"{value:6.2f}" for value in np.nanmedian(found, axis=0)))


def profiles(image: NDArray[np.uint8], cells: Cells, mpp: float) -> list[list[float]]:
    """Relative density across the outline of each cytoplasm that the border does not cut."""
    masks, nuclei = cells.of(CYTOPLASM).to_dense(), cells.of(NUCLEUS).to_dense()
    if not len(masks):
        return []
    nucleus, depth = nuclei.any(axis=0), masks.sum(axis=0)
    height, width = image.shape[:2]
    found = []
    for mask in masks:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if len(masks) > 1 and (
            min(rows[0], columns[0]) < 2 or rows[-1] > height - 3 or columns[-1] > width - 3
        ):
            continue
        part = (
            slice(max(0, rows[0] - AROUND), rows[-1] + AROUND),
            slice(max(0, columns[0] - AROUND), columns[-1] + AROUND),
        )
        profile = across(image[part], mask[part], nucleus[part], np.greater(depth, mask)[part], mpp)
        if profile:
            found.append(profile)
    return found


def across(image: NDArray, mask: NDArray, nucleus: NDArray, others: NDArray, mpp: float) -> list[float]:
    """Density by distance inside one outline; empty where background or inside are too small or too pale."""
    inside = (_distance(mask) - _distance(~mask)) * mpp
    inside -= np.sign(inside) * mpp / 2
    far = (inside < EDGES[0]) & ~others
    if np.count_nonzero(far) < FEWEST:
        return []
    density = np.log10(np.median(image[far], axis=0) / np.maximum(image, 1)).mean(axis=2)
    used = ~others & ((_distance(~nucleus) * mpp > 1.5) if nucleus.any() else True)
    middle = density[(inside > EDGES[-1]) & used]
    if middle.size < FEWEST or np.median(middle) < 0.03:
        return []
    rings = [used & (inside >= a) & (inside < b) for a, b in pairwise(EDGES)]
    return [float(density[ring].mean() / np.median(middle)) if ring.any() else np.nan for ring in rings]


def _distance(mask: NDArray) -> NDArray[np.float64]:
    return np.asarray(distance_transform_edt(mask))


if __name__ == "__main__":
    main()
