"""Time and memory of tables, exports and report; each file read by another library than ours.

    python benchmarks/outputs.py -o runs/outputs
    python benchmarks/outputs.py -o runs/outputs --old CHECKOUT

One generated field, 100 of them, and one picture of 5,000 cells with a nucleus each. CPU seconds and peak
memory of each command's process, its start included. With --old the same commands of another checkout in
turns with ours, on one picture of about 5,000 generated cells with as many nuclei, as a data set and as a
folder of predict: there cells.csv is what predict measured.
"""

import argparse
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import large
import numpy as np
import pyarrow.parquet
import roifile
import shapely
import tifffile
from pycocotools.coco import COCO

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.files import sha256, write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.synthetic import generate_set

CROWD, SIDE = 5000, 7000
MEGAPIXELS = 30  # of the picture of generated cells
FORMATS = ("qupath", "imagej", "labelme", "cvat", "csv", "parquet", "labels")


def draw_crowd(folder: Path) -> None:
    """Discs with a disc inside, in rows, each overlapping the next."""
    rng = np.random.default_rng(0)
    columns = int(np.ceil(CROWD**0.5))
    place = np.stack(np.divmod(np.arange(CROWD), columns)[::-1], axis=1) * (SIDE // columns)
    masks, corners = [], []
    for reach in (60, 14):
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        masks += [x**2 + y**2 <= reach**2] * CROWD
        corners.append(place + 60 - reach)
    labels = np.repeat([CYTOPLASM, NUCLEUS], CROWD)
    parents = np.concatenate([np.full(CROWD, -1), np.arange(CROWD)])
    cells = Cells.build(masks, np.concatenate(corners), labels, (SIDE, SIDE), parents=parents, mpp=0.25)
    picture = rng.integers(220, 236, (SIDE, SIDE, 3), dtype=np.uint8)
    for mask, (x, y) in zip(cells.masks, cells.offsets, strict=True):
        picture[y : y + mask.shape[0], x : x + mask.shape[1]][mask] //= 2
    path = folder / "images" / "crowd.png"
    write_atomic(path, to_png(picture))
    write_coco(folder / "annotations.json", [Entry(name=path.name, path=path, content=Content(cells=cells))])


def draw_generated(data: Path, found: Path) -> None:
    """A data set, and a folder as predict leaves it, of generated cells repeated over one picture."""
    data.mkdir(parents=True)
    large.make(data, 2 * CROWD, MEGAPIXELS)
    (data / "truth.json").unlink()
    shutil.copytree(data, found)
    (data / "predictions.json").rename(data / "annotations.json")

    run("measure", str(data))
    shutil.copy(data / "cells.csv", found / "cells.csv")
    image = {"name": "a.tif", "path": str((data / "a.tif").resolve()), "sha256": sha256(data / "a.tif")}
    hashes = {name: sha256(found / name) for name in ("predictions.json", "cells.csv")}
    write_atomic(found / "run.json", json.dumps({"images": [image], "hashes": hashes}).encode())


def compare(out: Path, old: Path, only: list[str]) -> None:
    """Print what (some) commands of both checkouts cost, and whether their tables of cells are the same."""
    data, found = out / "data", out / "run"
    draw_generated(data, found)
    commands = {
        "measure": ("measure", str(data)),
        **{f"export {to}": ("export", str(data), "--to", to, "-o", str(out / to)) for to in FORMATS[:3]},
        "export qupath, of predict": ("export", str(found), "--to", "qupath", "-o", str(out / "of run")),
        "report": ("report", str(data)),
    }
    print(
        "| command | CPU s, old | new | ratio | peak MiB, old | new | load |\n|---|---|---|---|---|---|---|"
    )
    for name in only or commands:
        words, costs, tables = commands[name], [], []
        for source in (old, Path(__file__).parents[1]):
            for folder in (*map(out.joinpath, FORMATS), out / "of run"):
                shutil.rmtree(folder, ignore_errors=True)
            costs.append(run(*words, source=source))
            tables.append((data / "cells.csv").read_text(encoding="utf-8-sig"))
        (was, held), (now, holds) = costs
        load = os.getloadavg()[0]
        print(
            f"| {name} | {was:.1f} | {now:.1f} | {now / was:.3f} | {held:.0f} | {holds:.0f} | {load:.0f} |",
            flush=True,
        )
        if name == "measure":
            before, after = (list(csv.DictReader(io.StringIO(table))) for table in tables)
            print(f"{len(after)} rows; values that differ: {differing(before, after)}", file=sys.stderr)


def differing(before: list[dict[str, str]], after: list[dict[str, str]]) -> dict[str, int]:
    """How many values of each column of two tables differ."""
    counts = Counter[str]()
    for old, new in zip(before, after, strict=True):
        counts.update(column for column in old if old[column] != new[column])
    return dict(counts)


def run(*words: str, source: Path | None = None) -> tuple[float, float]:
    """CPU seconds and peak memory (MiB) of an irnet command, of another checkout than the one installed."""
    command = [sys.executable, "-m", "irnet", *words]
    there = {} if source is None else {"PYTHONPATH": str(source.resolve() / "src")}
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **there}
    )
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"irnet {' '.join(words)} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def count_outside(folder: Path) -> dict[str, int]:
    """Instances that other libraries find in the files, each read by its own."""
    geometries = [
        shapely.get_parts(shapely.from_geojson(path.read_text())) for path in folder.glob("qupath/*.geojson")
    ]
    assert all(shapely.is_valid(part).all() for part in geometries)
    coco = COCO(str(folder / "annotations.json"))
    decoded = sum(int(coco.annToMask(row).any()) for row in list(coco.anns.values())[:200])
    regions = 0
    for path in folder.glob("imagej/*.zip"):
        regions += len(roifile.roiread(path)) if len(zipfile.ZipFile(path).namelist()) > 1 else 1
    return {
        "pycocotools, annotations (of the first 200 decoded)": decoded,
        "shapely, valid cell outlines of QuPath": sum(map(len, geometries)),
        "roifile, regions of ImageJ": regions,
        "pyarrow, rows of Parquet": sum(
            pyarrow.parquet.read_table(path).num_rows for path in folder.glob("parquet/*.parquet")
        ),
        "tifffile, instances seen in the label maps": sum(
            len(np.unique(tifffile.imread(path))) - 1 for path in folder.glob("labels/*.tif*")
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--csv", type=Path, help="write the figures there too")
    parser.add_argument("--old", type=Path, help="a checkout to compare with, on one large picture")
    parser.add_argument("--commands", nargs="+", default=[], help="those to compare, such as measure")
    options = parser.parse_args()
    if options.old:
        compare(options.out, options.old, options.commands)
        return
    one, hundred, crowd = (options.out / name for name in ("1 image", "100 images", "5000 cells"))
    generate_set(one, images=1, patients=1, seed=7)
    generate_set(hundred, images=100, patients=20, seed=7)
    draw_crowd(crowd)
    rows = []
    for folder in (one, hundred, crowd):
        commands = {
            "measure": ("measure", str(folder)),
            **{f"export {name}": ("export", str(folder), "--to", name) for name in FORMATS},
            "report": ("report", str(folder)),
        }
        for name, words in commands.items():
            rows.append((folder.name, name, *(round(value, 1) for value in run(*words))))
        for reader, count in count_outside(folder).items():
            print(f"{folder.name}: {reader}: {count}", flush=True)
    print("| | command | CPU s | peak MiB |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("set", "command", "cpu_s", "peak_mib"), *rows])


if __name__ == "__main__":
    main()
