"""Fields composed of the free-lying annotated cells of a data set, as those of the ISBI 2014 challenge were.

    python benchmarks/composites.py EDF-test -o composites --seed 1000
    python benchmarks/composites.py HERLEV-test -o colour --seed 3000 --palette pap

40 fields of 512 x 512 px at 0.37 um per pixel with 2 to 10 cells each, on generated background. Split the
data set by source image first: one cell on both sides measures memory.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from irnet.cells import CYTOPLASM
from irnet.data.formats.coco import read_coco, write_coco
from irnet.data.sample import Entry
from irnet.synthetic import compose, cut_out

SIDE, MPP = 512, 0.37
FEWEST, MOST = 2, 10  # cells of a field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="annotated cells, with um per pixel")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="of the first field; the others follow")
    parser.add_argument("--palette", choices=["grey", "pap", "pale", "vivid"], default="grey")
    arguments = parser.parse_args()
    cutouts = [cutout for entry in read_coco(arguments.data) for cutout in cut_out(entry.read())]
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    entries = []
    for number in range(arguments.fields):
        seed = arguments.seed + number
        count = int(np.random.default_rng(seed).integers(FEWEST, MOST + 1))
        image, truth = compose(
            seed, cutouts, size=(SIDE, SIDE), mpp=MPP, count=count, palette=arguments.palette
        )
        path = arguments.out / "images" / f"{number:03d}.png"
        Image.fromarray(image).save(path)
        entries.append(Entry(name=path.name, path=path, truth=truth))
    write_coco(arguments.out / "annotations.json", entries)
    cells = sum(len(entry.truth.cells.of(CYTOPLASM)) for entry in entries)
    print(f"{len(entries)} fields with {cells} cells, composed of {len(cutouts)} cut-outs")


if __name__ == "__main__":
    main()
