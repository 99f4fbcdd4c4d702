"""Split a data set by patient: train.json, val.json and test.json beside its json, over the same images."""

import hashlib
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from irnet.data.coco.document import Document, Id, Row, dump, group, identity, load, naming, short
from irnet.data.coco.rows import read_flag
from irnet.data.file_names import ANNOTATIONS, CORRECTED
from irnet.data.files import write_atomic
from irnet.errors import InputError
from irnet.wording import number_of

PARTS = ("train", "val", "test")
WHOLE = (ANNOTATIONS, CORRECTED)  # what is split
RATIOS = (7, 1, 2)  # section 3.1
_TRAINS_ONLY = "for training, as nothing of them is scored; Shift A in irnet view finishes an image"
_logger = logging.getLogger(__name__)


class PartFile(NamedTuple):
    """A part of a data set as it was written."""

    path: Path
    images: int
    patients: int  # that are named
    instances: int

    def counts(self) -> str:
        """What it holds, in words."""
        counts = {"image": self.images, "patient": self.patients, "instance": self.instances}
        return ", ".join(number_of(number, noun) for noun, number in counts.items())


def split(path: str | os.PathLike, *, ratios: Sequence[float] = RATIOS, seed: int = 0) -> dict[str, PartFile]:
    """Write the three parts of a data set and return them by name.

    All images of a patient fall into one part. Images without a patient are split one by one, with a
    warning. Patients of whom a review finished no image are all for training: nothing of them is scored.
    Raises InputError when there are not enough others for a part and when a part exists already.
    """
    document = load(path)
    group(document)  # ids join the tables, or InputError
    keys = [_key(row, document.path) for row in document.images]
    pairs = [*zip(document.images, keys, strict=True)]
    scored = [key for row, key in pairs if _is_scored(row, document.path)]
    if left := len(set(keys) - set(scored)):
        _logger.warning(
            "%s: %s without a finished image (or images that name no patient): %s",
            document.path,
            number_of(left, "patient"),
            _TRAINS_ONLY,
        )
    with naming(str(document.path)):
        parts = {**dict.fromkeys(keys, PARTS[0]), **assign_parts(scored, ratios=ratios, seed=seed)}

    paths = {part: document.path.with_name(f"{part}.json") for part in PARTS}
    for target in paths.values():
        if target.exists():
            raise InputError(f"{target} exists: remove or rename it to split again")
    _warn_of_nameless(document)

    contents, written = {}, {}
    with naming(str(document.path)):
        for part, target in paths.items():
            chosen = [row for row, key in pairs if parts[key] == part]
            rows = _restrict(document, chosen)
            contents[target] = dump(rows)
            named = {row["patient"] for row in chosen if row.get("patient") is not None}
            written[part] = PartFile(target, len(chosen), len(named), len(rows["annotations"]))
    for target, content in contents.items():
        write_atomic(target, content)
    return written


def _warn_of_nameless(document: Document) -> None:
    alone = sum(row.get("patient") is None for row in document.images)
    if alone:
        _logger.warning(
            "%s: %d of %d images name no patient: they are split image by image, so that cells of one "
            "patient may lie on both sides; irnet data convert --from coco --patients says whose they are",
            document.path,
            alone,
            len(document.images),
        )


def part_files(folder: Path, parts: Iterable[str]) -> list[Path]:
    """The files of some parts of a data set that was split. InputError where one is missing."""
    files = [folder / f"{part}.json" for part in parts]
    if missing := [file.name for file in files if not file.exists()]:
        raise InputError(f"{folder}: has train.json but no {', '.join(missing)}: irnet data split makes all")
    return files


def parse_ratios(text: str) -> tuple[float, ...]:
    """Shares of training, validation and test.

    >>> parse_ratios("7:1:2")
    (7.0, 1.0, 2.0)
    """
    try:
        return tuple(float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"--ratios {text!r}: write three numbers, such as 7:1:2") from None


def assign_parts(
    keys: Sequence[str],
    *,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    parts: Sequence[str] = PARTS,
) -> Mapping[str, str]:
    """The part of each distinct key. Numbers of keys follow `ratios` by largest remainder, none is empty.

    The order is by hash of seed and key: the same on every machine, regardless of the order of `keys`.

    >>> sorted(assign_parts([f"patient {i}" for i in range(10)]).values())
    ['test', 'test', 'train', 'train', 'train', 'train', 'train', 'train', 'train', 'val']
    """
    distinct = in_drawn_order(keys, seed=seed)
    counts = _apportion(len(distinct), ratios, parts)
    names = [part for part, count in zip(parts, counts, strict=True) for _ in range(count)]
    return dict(zip(distinct, names, strict=True))


def in_drawn_order(keys: Iterable[str], *, seed: int) -> list[str]:
    """The distinct keys by hash of seed and key: chance, yet the same for any order of `keys`."""
    return sorted(set(keys), key=lambda key: hashlib.sha256(f"{seed}/{key}".encode()).digest())


def _apportion(total: int, ratios: Sequence[float], parts: Sequence[str]) -> list[int]:
    if len(ratios) != len(parts) or not all(0 < ratio < math.inf for ratio in ratios):
        raise InputError(
            f"ratios must be {len(parts)} numbers above 0 for {', '.join(parts)}, not {list(ratios)}"
        )
    if total < len(parts):
        raise InputError(
            f"each of {', '.join(parts)} needs a patient, or an image that names none, of its own: "
            f"found {total}, at least {len(parts)} are needed"
        )
    shares = [total * ratio / sum(ratios) for ratio in ratios]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(parts)), key=lambda i: counts[i] - shares[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    while 0 in counts:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    return counts


def _key(row: Row, path: Path) -> str:
    if row.get("patient") is None:
        return f"image {row['id']}"
    with naming(f"{path}: image {short(row.get('file_name'))}"):
        return f"patient {identity(row, 'patient')}"


def _is_scored(row: Row, path: Path) -> bool:
    """Whether an image was annotated, and a review, if there was one, finished it."""
    with naming(f"{path}: image {short(row.get('file_name'))}"):
        finished = read_flag(row, "finished")
    return finished is not False and row.get("annotated_categories") != []


def stale_parts(folder: Path) -> str | None:
    """What to say where no set beside the parts in a folder is the one that was split, as it is now."""
    parts = [folder / f"{part}.json" for part in PARTS if (folder / f"{part}.json").is_file()]
    wholes = [folder / name for name in WHOLE if (folder / name).is_file()]
    if not parts or not wholes:
        return None

    rows = _rows_of(parts)
    changed = {whole.name: _differing(rows, _rows_of([whole])) for whole in wholes}
    name, count = min(changed.items(), key=itemgetter(1))
    if not count:
        return None
    taken = " and ".join(path.name for path in parts)
    return (
        f"{number_of(count, 'annotation')} of {name} are others in {taken}, which are taken: remove these "
        "and split again if it was corrected since"
    )


def _rows_of(files: Iterable[Path]) -> dict[tuple[Id, Id], Row]:
    """Annotations by the ids of their image and of themselves. Raises InputError."""
    return {
        (identity(row, "image_id"), identity(row)): row for file in files for row in load(file).annotations
    }


def _differing(parts: Mapping[tuple[Id, Id], Row], whole: Mapping[tuple[Id, Id], Row]) -> int:
    """How many annotations differ, or are in one alone, of images that the parts have annotations of."""
    images = {image for image, _ in parts}
    keys = parts.keys() | {key for key in whole if key[0] in images}
    return sum(parts.get(key) != whole.get(key) for key in keys)


def _restrict(document: Document, images: list[Row]) -> Row:
    ids = {row["id"] for row in images}
    annotations = [row for row in document.annotations if row["image_id"] in ids]
    return document.data | {"images": images, "annotations": annotations}
