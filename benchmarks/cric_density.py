"""How dense and of which colour the cells of real conventional smears are: what the palette `strong` shows.

    python benchmarks/cric_density.py CRIC

CRIC is the folder that real_fields.py describes; its training fields are looked at. Optical density of discs
of 5 px about the annotated centres, and of rings of 26 to 36 px around them, each the median of its pixels.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_fields import read_fields

PERCENTILES = (5, 25, 50, 75, 95)
NUCLEUS, RING = 5, (26, 36)  # px
THIN = 0.05  # optical density below which a ring says nothing of the dye


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of CRIC fields")
    fields = read_fields(parser.parse_args().data, "train")
    pairs = np.array([pair for field in fields for pair in measure(field.entry.read().image, field.points)])
    nuclei, rings = pairs[:, 0], pairs[:, 1]  # (n, 3)
    shares = rings / np.maximum(rings.sum(axis=1, keepdims=True), 1e-9)
    thick = rings.mean(axis=1) > THIN
    orange = (shares[:, 2] > shares[:, 1]) & (shares[:, 2] > 0.4)
    print(f"{len(pairs)} nuclei of {len(fields)} fields, percentiles {PERCENTILES}")
    for name, values in (("nucleus", nuclei), ("ring", rings), ("nucleus - ring", nuclei - rings)):
        print(name, np.percentile(values.mean(axis=1), PERCENTILES).round(3))
    print(f"orange rings: {orange[thick].mean():.3f}")


def measure(image: NDArray[np.uint8], points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Optical density (2, 3) of nucleus and ring at each point; white is a 97th percentile."""
    white = np.percentile(image.reshape(-1, 3), 97, axis=0)
    density = np.log10(white / np.maximum(image, 1)).clip(0)
    found = []
    for x, y in points.astype(int).tolist():
        top, left = max(0, y - RING[1]), max(0, x - RING[1])
        part = density[top : y + RING[1] + 1, left : x + RING[1] + 1]
        rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
        distance = np.hypot(rows - (y - top), columns - (x - left))
        ring = (distance > RING[0]) & (distance < RING[1])
        found.append(np.stack([np.median(part[where], axis=0) for where in (distance < NUCLEUS, ring)]))
    return found


if __name__ == "__main__":
    main()
