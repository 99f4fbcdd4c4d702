"""How dense and of which colour the cells of real conventional smears are, beside those of `strong`.

    python benchmarks/cric_density.py CRIC --generated 24

CRIC is the folder that real_fields.py describes; its training fields are looked at. Optical density of discs
of 5 px about the annotated centres, and of rings of 26 to 36 px around them, each the median of its pixels;
in generated fields of the same size and scale about the centres of all nuclei. Ground: how far the fields are
from empty where no centre is within 90 px.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from real_fields import read_fields

from irnet.cells import NUCLEUS
from irnet.synthetic import Patient, generate
from irnet.synthetic.layout import LayoutName

PERCENTILES = (5, 25, 50, 75, 95)
DISC, RING = 5, (26, 36)  # px
FAR = 90  # px
SIZE, MPP, ABNORMAL = (960, 1280), 0.224, 0.7  # of the generated fields
LAYOUTS = get_args(LayoutName)
Field = tuple[NDArray[np.uint8], NDArray[np.float64]]  # (H, W, 3), centres (n, 2) x, y
THIN = 0.05  # optical density below which a ring says nothing of the dye


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of CRIC fields")
    parser.add_argument("--generated", type=int, default=24, help="number of generated fields")
    options = parser.parse_args()
    real = ((field.entry.read().image, field.points) for field in read_fields(options.data, "train"))
    describe("real", real)
    describe("generated", generate_fields(options.generated))


def generate_fields(count: int) -> Iterator[Field]:
    """Fields of the palette `strong`, of the layouts in turn, with the centres of their nuclei."""
    for seed in range(count):
        patient = Patient.draw(seed, "strong", ABNORMAL)
        image, truth = generate(
            seed, size=SIZE, mpp=MPP, layout=LAYOUTS[seed % len(LAYOUTS)], patient=patient
        )
        boxes = truth.cells.of(NUCLEUS).boxes
        yield image, (boxes[:, :2] + boxes[:, 2:]) / 2


def describe(name: str, fields: Iterable[Field]) -> None:
    """Print percentiles of the densities, and of the ground."""
    pairs, ground = [], []
    for image, points in fields:
        density = measure_density(image)
        pairs += measure(density, points)
        ground.append(far_from(density, points))
    nuclei, rings = np.array(pairs).transpose(1, 0, 2)  # (n, 3)
    shares = rings / np.maximum(rings.sum(axis=1, keepdims=True), 1e-9)
    thick = rings.mean(axis=1) > THIN
    orange = (shares[:, 2] > shares[:, 1]) & (shares[:, 2] > 0.4)
    print(f"{name}: {len(pairs)} nuclei of {len(ground)} fields, percentiles {PERCENTILES}")
    for part, values in (("nucleus", nuclei), ("ring", rings), ("nucleus - ring", nuclei - rings)):
        print(f"  {part:16}", np.percentile(values.mean(axis=1), PERCENTILES).round(3))
    print(f"  {'ground':16}", np.percentile(np.concatenate(ground), PERCENTILES).round(3))
    print(f"  orange rings: {orange[thick].mean():.3f}")
    for channel, letter in enumerate("RGB"):
        print(f"  {letter} of thick rings", np.percentile(shares[thick, channel], PERCENTILES).round(3))


def measure_density(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Optical density (H, W, 3); white is a 97th percentile."""
    white = np.percentile(image.reshape(-1, 3), 97, axis=0)
    return np.log10(white / np.maximum(image, 1)).clip(0)


def far_from(density: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean densities of some of the pixels that are far from all points."""
    part = density[::7, ::7].mean(axis=2)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]] * 7
    free = np.ones(part.shape, dtype=bool)
    for x, y in points:
        free &= np.hypot(rows - y, columns - x) > FAR
    return part[free]


def measure(density: NDArray[np.float64], points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Optical density (2, 3) of nucleus and ring at each point."""
    found = []
    for x, y in points.astype(int).tolist():
        top, left = max(0, y - RING[1]), max(0, x - RING[1])
        part = density[top : y + RING[1] + 1, left : x + RING[1] + 1]
        rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
        distance = np.hypot(rows - (y - top), columns - (x - left))
        ring = (distance > RING[0]) & (distance < RING[1])
        found.append(np.stack([np.median(part[where], axis=0) for where in (distance < DISC, ring)]))
    return found


if __name__ == "__main__":
    main()
