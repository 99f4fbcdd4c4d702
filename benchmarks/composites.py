"""Fields composed of the free-lying annotated cells of a data set, as those of the ISBI 2014 challenge were.

    python benchmarks/composites.py EDF --mpp 0.37 --captures 4 5 6 15 -o grey-test --seed 1000
    python benchmarks/composites.py HERLEV --mpp 0.201 --rank 0 -o colour-test --seed 3000 --palette pap

40 fields of 512 x 512 px at 0.37 um per pixel with 2 to 10 cells each, on generated background. With
`--covered 0.6` every second cell shares more than 60 % of its area with the union of the others.

Training, validation and test fields of one set, for `irnet study`, are three calls into one folder:

    python benchmarks/composites.py HERLEV --mpp 0.201 --palette pap -o SET --part train --rank 2 3 4
    python benchmarks/composites.py HERLEV --mpp 0.201 --palette pap -o SET --part val --rank 1 --seed 1000
    python benchmarks/composites.py HERLEV --mpp 0.201 --palette pap -o SET --part test --rank 0 --seed 2000

With `--groups 16` the captures are dealt to 16 groups, and all cells of a field come from one of them, which
stands as the patient of the field: no cell lies in fields of two patients, and intervals over patients hold.

One cell on both sides measures memory, so cells are chosen by capture, the first number in the name of their
image: by `--captures`, or by `--rank`, the place of the capture's number among all of them, modulo 5.
sources.json (PART-sources.json) names the source of each cytoplasm, in the order of the annotations, so that
scores can be resampled by source cell: image and number of the free-lying cell there.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from irnet.cells import CYTOPLASM
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.split import PARTS
from irnet.data.files import sha256, write_atomic
from irnet.data.sample import Entry
from irnet.metrics.degree import degrees
from irnet.synthetic import Cutout, compose, cut_out

SIDE, MPP = 512, 0.37
FEWEST, MOST = 2, 10  # cells of a field
RANKS = 5
COVERED = 0.6  # by the union of the others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="annotated cells")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--mpp", type=float, help="um per pixel of images that do not say theirs")
    parser.add_argument("--captures", type=int, nargs="+", help="of the cells; all unless given")
    parser.add_argument("--rank", type=int, nargs="+", choices=range(RANKS), help="of captures, modulo 5")
    parser.add_argument("--part", choices=PARTS, help="of a set: PART.json instead of annotations.json")
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--groups", type=int, default=1, help="of captures, each the patient of its fields")
    parser.add_argument("--seed", type=int, default=0, help="of the first field; the others follow")
    parser.add_argument("--palette", choices=["grey", "pap", "pale", "vivid", "strong"], default="grey")
    parser.add_argument("--covered", type=float, help="least share of every second cell under the others")
    arguments = parser.parse_args()
    entries = read_coco(arguments.data)
    chosen = choose(entries, arguments.captures, arguments.rank)
    cutouts = [cutout for entry in chosen for cutout in named_cutouts(entry, arguments.mpp)]
    groups = deal(cutouts, arguments.groups)
    if not all(groups):
        parser.error(f"--groups {arguments.groups}: there are free-lying cells of fewer captures than that")
    part = f"{arguments.part}-" if arguments.part else ""
    target = arguments.out / f"{arguments.part or 'annotations'}.json"
    (arguments.out / "images").mkdir(parents=True, exist_ok=True)
    composed, sources = [], {}
    for number in range(arguments.fields):
        seed, group = arguments.seed + number, number % arguments.groups
        image, truth = compose(
            seed,
            groups[group],
            size=(SIDE, SIDE),
            mpp=MPP,
            count=int(np.random.default_rng(seed).integers(FEWEST, MOST + 1)),
            palette=arguments.palette,
            covered=arguments.covered,
        )
        path = arguments.out / "images" / f"{part}{number:03d}.png"
        Image.fromarray(image).save(path)
        cytoplasms = np.flatnonzero(truth.cells.labels == CYTOPLASM)
        sources[path.name] = [truth.kinds[i] for i in cytoplasms]
        patient = f"{part}group{group:02d}" if arguments.groups > 1 else None
        composed.append(Entry(name=path.name, path=path, content=replace(truth, kinds=()), patient=patient))
    write_coco(target, composed)
    write_atomic(arguments.out / f"{part}sources.json", json.dumps(sources, indent=1).encode())
    shares = np.concatenate([degrees(entry.content.cells.of(CYTOPLASM)) for entry in composed])
    print(f"{len(composed)} fields with {len(shares)} cells, composed of {len(cutouts)} cut-outs")
    print(f"{np.mean(shares > COVERED):.2f} of the cells are covered by more than {COVERED}")
    pictures = hashlib.sha256(b"".join(entry.path.read_bytes() for entry in composed)).hexdigest()
    print(f"sha256 {target.name} {sha256(target)}, images {pictures}")


def choose(
    entries: Sequence[Entry], captures: Sequence[int] | None, chosen: Sequence[int] | None
) -> list[Entry]:
    """The images of some captures, by number or by rank; None are all."""
    numbers = [capture(entry.name) for entry in entries]
    ranks = {number: place % RANKS for place, number in enumerate(sorted(set(numbers)))}
    return [
        entry
        for entry, number in zip(entries, numbers, strict=True)
        if (captures is None or number in captures) and (chosen is None or ranks[number] in chosen)
    ]


def capture(name: str) -> int:
    """The first number in the name of an image."""
    if (number := re.search(r"\d+", name)) is None:
        raise SystemExit(f"{name}: no number in its name says which capture it is of")
    return int(number[0])


def deal(cutouts: Sequence[Cutout], groups: int) -> list[list[Cutout]]:
    """The cut-outs of each group; those of one capture stay together."""
    captures = sorted({capture(cutout.kind) for cutout in cutouts})
    return [
        [cutout for cutout in cutouts if captures.index(capture(cutout.kind)) % groups == group]
        for group in range(groups)
    ]


def named_cutouts(entry: Entry, mpp: float | None) -> list[Cutout]:
    """The cut-outs of an image; the kind of each, which composed cells inherit, is the name of its source."""
    return [
        replace(cutout, kind=f"{entry.name}#{number}")
        for number, cutout in enumerate(cut_out(entry.read(), mpp))
    ]


if __name__ == "__main__":
    main()
