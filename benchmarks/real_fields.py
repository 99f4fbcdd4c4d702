"""What is found in real conventional smears: annotated nuclei, and what is found where there is no cell.

    python benchmarks/real_fields.py CRIC --part val --cache finds --mpp 0.25
    irnet predict CRIC/images -o found && python benchmarks/real_fields.py CRIC --found found
    python benchmarks/real_fields.py CRIC --found found --versus other

CRIC is a folder of fields of the CRIC Cervix collection (Rezende et al. 2021, CC BY 4.0): images/ and
points.json, COCO keypoints at the centres of classified nuclei; not every nucleus has one. Its fields are
split by the SHA-1 of their names without ending, modulo 5: 0 is test, 1 val, the rest train.

What is found comes from a folder of `irnet predict` (with --score 0.05 `--cuts` chooses), so too at the
program's own estimate of the scale; or from a network at --mpp, kept in the cache. With --versus the
difference of two folders or networks, in pairs.

- own nucleus, own cell: annotated centres matched one to one to a nucleus or cytoplasm that holds them, as
  many as can be. The file says of no cell that it has two nuclei, so none is excepted.
- false: finds with their centroid on ground, a megapixel of it; covered: share of ground under cytoplasms.
  Ground are the tiles (8 x 6 a field) that each of two independent readings called ground.
- marked nuclei: in fields with every nucleus marked, one to one, the mark inside the find or within NEAR px
  of its centroid. What is unreadable, and finds on nuclei marked unsure, count neither way.
- --find-scale prints the um per pixel at which the median nucleus of intermediate cells has 35 um2. Such are,
  in the first training fields, those of normal centres that a network finds at its own scale in a cell of
  which they are .02 to .06, a share that knows no scale.

k / n have Wilson's interval beside that over fields: few fields hold most centres of the rare classes.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from finds import Finder, cuts_of
from numpy.typing import NDArray
from resample import Bench, Share

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells, Content, reaching
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.masks import cover
from irnet.metrics.match import assign
from irnet.verbs.predicted import predictions_file, read_predicted

POINTS = "points.json"
MARKS = Path(__file__).parent / "real_fields"
PARTS = {"test": (0,), "val": (1,), "train": (2, 3, 4)}
ROWS, COLUMNS = 6, 8  # tiles of a field
GROUND = "g"
NEAR = 8  # px between a mark and the centroid of its find

NORMAL = "Negative for intraepithelial lesion"
# Shares of the nucleus in a cell: superficial cells have less, parabasal ones more.
INTERMEDIATE = (0.02, 0.06)
NUCLEUS_UM2 = 35.0  # of an intermediate cell
SCALE_FIELDS = 24  # of the training fields, the first by name

Points = NDArray[np.float64]  # (n, 2) x, y


class Field(NamedTuple):
    """An annotated field."""

    entry: Entry
    points: Points
    classes: list[str]  # (n,) Bethesda class of each point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of CRIC fields")
    parser.add_argument("--part", choices=PARTS, default="val")
    parser.add_argument("--found", help="folder of irnet predict, weights, or bundled", default="bundled")
    parser.add_argument("--versus", help="another one")
    parser.add_argument("--cuts", type=float, nargs=2, help="of cytoplasms and nuclei; those of the weights")
    parser.add_argument("--cache", type=Path, default=Path("finds"), help="of what networks find")
    parser.add_argument("--mpp", type=float, help="um per pixel of the fields, for networks")
    parser.add_argument("--find-scale", action="store_true", help="print um per pixel, from training fields")
    options = parser.parse_args()
    if not (options.data / POINTS).is_file():
        parser.error(f"{options.data}: no {POINTS} in it: name a folder of fields of the CRIC collection")
    if options.find_scale:
        return print_scale(options.data, Finder(options.found, [], options.cache))
    fields, marks = read_fields(options.data, options.part), read_marks(options.part)
    entries = [field.entry for field in fields]
    scores = []
    for source in filter(None, (options.found, options.versus)):
        found = read_found(source, entries, options)
        scores.append(score_fields(fields, found, marks))
    print(agreement(*marks["tiles"]))
    print(Bench({"fields": len(fields)}).table(*scores))


def read_fields(folder: Path, part: str) -> list[Field]:
    """The fields of a part, by name."""
    document = json.loads((folder / POINTS).read_text())
    rows: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in document["images"]}
    for row in document["annotations"]:
        rows[row["image_id"]].append(row)
    fields = []
    for image in sorted(document["images"], key=lambda image: image["file_name"]):
        name, points = image["file_name"], rows[image["id"]]
        if int(hashlib.sha1(Path(name).stem.encode()).hexdigest(), 16) % 5 not in PARTS[part]:
            continue
        truth = Content(cells=Cells.empty((image["height"], image["width"])))
        entry = Entry(name=name, path=folder / "images" / name, content=truth)
        centres = np.array([row["keypoints"][:2] for row in points], dtype=float).reshape(-1, 2)
        fields.append(Field(entry, centres, [row["bethesda"] for row in points]))
    return fields


def read_marks(part: str) -> dict[str, Any]:
    """The two readings of tiles, and the marked nuclei, field by field; empty where there are none."""
    files = {name: MARKS / f"{part}-{name}.json" for name in ("tiles-1", "tiles-2", "nuclei")}
    read = {name: json.loads(file.read_text()) if file.exists() else {} for name, file in files.items()}
    tiles = [read[name].get("fields", {}) for name in ("tiles-1", "tiles-2")]
    return {"tiles": tiles, "nuclei": read["nuclei"]}


def read_found(source: str, entries: Sequence[Entry], options: argparse.Namespace) -> list[Cells]:
    """What a folder holds, or what a network finds, from the cuts on."""
    cuts = cuts_of(options.cuts)
    if file := predictions_file(source):
        found = read_predicted(file, entries).cells
    else:
        finder = Finder(source, [], options.cache)
        found, cuts = finder.find(entries, options.mpp), cuts or finder.cuts
    return [cells.select(reaching(cells, cuts)) for cells in found]


def score_fields(fields: Sequence[Field], found: Sequence[Cells], marks: dict[str, Any]) -> dict[str, Share]:
    """Every score, by name."""
    each = np.arange(len(fields))
    classes = np.array([kind for field in fields for kind in field.classes])
    units = np.repeat(each, [len(field.classes) for field in fields])
    scores = {}
    for label, name in ((NUCLEUS, "nucleus"), (CYTOPLASM, "cell")):
        pairs = zip(fields, found, strict=True)
        held = np.concatenate([held_alone(field.points, cells.of(label)) for field, cells in pairs])
        for kind in (None, *sorted(set(classes))):
            mine = np.ones_like(held) if kind is None else classes == kind
            title = f"own {name}, {kind or 'all'}"
            scores[title] = Share.of(held[mine], np.ones(mine.sum()), units[mine], counted=True)

    tiles = [ground_of(field, marks["tiles"]) for field in fields]
    nuclei, cells, covered, ground = np.array(list(map(ground_finds, found, tiles)), dtype=float).T
    scores["false nuclei a megapixel of ground"] = Share.of(nuclei, ground / 1e6, each)
    scores["false cells a megapixel of ground"] = Share.of(cells, ground / 1e6, each)
    scores["share of ground covered"] = Share.of(covered, ground, each)

    known = [marks["nuclei"].get(field.entry.name) for field in fields]
    right, finds, marked = np.array(list(map(judge, found, known)), dtype=float).T
    scores["marked nuclei, precision"] = Share.of(right, finds, each, counted=True)
    scores["marked nuclei, recall"] = Share.of(right, marked, each, counted=True)
    return scores


def held_alone(points: Points, cells: Cells) -> NDArray[np.bool_]:
    """Which points (n,) have a find of their own that holds them."""
    inside = np.argwhere(holds(cells, points))
    return np.isin(np.arange(len(points)), assign(inside, np.ones(len(inside)))[:, 0])


def holds(cells: Cells, points: Points) -> NDArray[np.bool_]:
    """Whether each point lies in each mask, (n, m)."""
    inside = np.zeros((len(points), len(cells)), dtype=bool)
    for column, (mask, corner) in enumerate(zip(cells.masks, cells.offsets, strict=True)):
        x, y = np.floor(points - corner).astype(np.int64).T
        near = np.flatnonzero((x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0]))
        inside[near, column] = mask[y[near], x[near]]
    return inside


def centroids(cells: Cells) -> Points:
    """Centre of gravity of each mask."""
    middles = [np.argwhere(mask).mean(axis=0)[::-1] for mask in cells.masks]
    return np.array(middles, dtype=float).reshape(-1, 2) + cells.offsets.astype(float)


def ground_of(field: Field, readings: Sequence[dict[str, list[str]]]) -> NDArray[np.bool_]:
    """Pixels (H, W) of the tiles that both readings call ground; none of a field that was not read."""
    height, width = field.entry.content.cells.image_shape
    if not all(field.entry.name in reading for reading in readings):
        return np.zeros((height, width), dtype=bool)
    called = [letters(reading[field.entry.name]) for reading in readings]
    ground = np.all([tiles == GROUND for tiles in called], axis=0)
    rows, columns = np.arange(height) * ROWS // height, np.arange(width) * COLUMNS // width
    return ground[np.ix_(rows, columns)]


def letters(rows: Sequence[str]) -> NDArray[np.str_]:
    """The calls of a field's tiles, (ROWS, COLUMNS)."""
    tiles = np.array([list(row) for row in rows])
    if tiles.shape != (ROWS, COLUMNS):
        raise InputError(f"tiles {tiles.shape}: give {ROWS} rows of {COLUMNS} letters")
    return tiles


def ground_finds(found: Cells, ground: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Nuclei and cells with their centroid on ground, pixels of it under cells, and all of it."""
    x, y = centroids(found).astype(np.int64).T
    false = found.labels[ground[y, x]]
    cells = found.of(CYTOPLASM)
    covered = cover(cells.masks, cells.offsets, (0, 0, ground.shape[1], ground.shape[0]))
    nuclei = int(np.count_nonzero(false == NUCLEUS))
    return nuclei, len(false) - nuclei, int(np.sum(covered & ground)), int(np.sum(ground))


def judge(found: Cells, marks: dict[str, Any] | None) -> tuple[int, int, int]:
    """Matched nuclei, nuclei that count, and marks that count, of a field; none where it has no marks."""
    if marks is None:
        return 0, 0, 0
    nuclei, regions = found.of(NUCLEUS), np.array(marks["unreadable"], dtype=float).reshape(-1, 4)
    nuclei = nuclei.select(~_within(centroids(nuclei), regions))
    points = np.array(marks["nuclei"], dtype=float).reshape(-1, 2)
    points = points[~_within(points, regions)]
    closeness, near = _closeness(nuclei, points)
    matches = assign(np.argwhere(near), closeness[near])
    others = nuclei.select(~np.isin(np.arange(len(nuclei)), matches[:, 1]))
    unsure = np.array(marks["unsure"], dtype=float).reshape(-1, 2)
    doubtful = int(_closeness(others, unsure)[1].any(axis=0).sum())
    return len(matches), len(nuclei) - doubtful, len(points)


def _closeness(nuclei: Cells, points: Points) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How close each point is to each centroid, 1 to 0, and whether it may be that nucleus, (n, m) both."""
    far = np.linalg.norm(points[:, None] - centroids(nuclei), axis=2)
    return 1 / (1 + far), holds(nuclei, points) | (far <= NEAR)


def _within(points: Points, regions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each point lies in any of the boxes (k, 4)."""
    low, high = regions[:, :2], regions[:, 2:]
    within = ((points[:, None] >= low) & (points[:, None] <= high)).all(axis=2)  # (n, k)
    return np.count_nonzero(within, axis=1) > 0


def agreement(first: dict[str, list[str]], second: dict[str, list[str]]) -> str:
    """How far two readings of the same tiles agree, and by how much more than chance (Cohen's kappa)."""
    both = sorted(first.keys() & second.keys())
    if not both:
        return "no tiles were read twice"
    a, b = (np.concatenate([letters(reading[name]).ravel() for name in both]) for reading in (first, second))
    same, kinds = np.mean(a == b), np.unique([a, b])
    chance = sum(np.mean(a == kind) * np.mean(b == kind) for kind in kinds)
    one, other, shared = (
        np.count_nonzero(x) for x in (a == GROUND, b == GROUND, (a == GROUND) & (b == GROUND))
    )
    return (
        f"{len(a)} tiles of {len(both)} fields read twice: {same:.3f} alike, "
        f"kappa {(same - chance) / (1 - chance):.3f}; ground {one} and {other}, {shared} by both"
    )


def print_scale(folder: Path, finder: Finder) -> None:
    """Print the um per pixel at which the intermediate cells' nuclei are as large as they are known to be."""
    areas = []
    for field in read_fields(folder, "train")[:SCALE_FIELDS]:
        network = finder.predictor
        (every,) = finder.find([field.entry], network.settings.data.mpp)  # as it is: not resampled
        found = network.choose(every)
        points = field.points[[kind == NORMAL for kind in field.classes]]
        nuclei = np.flatnonzero((found.labels == NUCLEUS) & (found.parents != NO_PARENT))
        held = np.argwhere(holds(found.select(nuclei), points))
        nuclei = nuclei[assign(held, np.ones(len(held)))[:, 1]]
        shares = found.areas[nuclei] / found.areas[found.parents[nuclei]]
        low, high = INTERMEDIATE
        areas += found.areas[nuclei[(shares >= low) & (shares <= high)]].tolist()
    low, middle, high = np.quantile(areas, [0.25, 0.5, 0.75])
    print(
        f"{len(areas)} nuclei of intermediate cells, {middle:.0f} px2 in the median "
        f"(half of them {low:.0f} to {high:.0f}): {np.sqrt(NUCLEUS_UM2 / middle):.3f} um per pixel"
    )


if __name__ == "__main__":
    main()
