"""Check data sets before they cost a training run, and write what can be mended as a new file."""

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from irnet.data.checks.findings import Finding, finding
from irnet.data.checks.inspection import Inspection, inspect
from irnet.data.checks.mend import mended
from irnet.data.coco.coco import Crowd
from irnet.data.coco.document import dump, naming
from irnet.data.coco.location import locate
from irnet.data.coco.split import PARTS, stale_parts
from irnet.data.file_names import ANNOTATIONS
from irnet.data.files import write_atomic
from irnet.errors import InputError

_logger = logging.getLogger(__name__)
UNDECIDED = (
    "unknown-category",
    "doubled-id",
    "doubled-name",
    "all-crowds",
    "nothing-annotated",
)  # what only the user can know


def check(
    paths: Iterable[str | os.PathLike], *, mapping: Mapping[str, str] | None = None, crowd: Crowd = "ignore"
) -> list[Finding]:
    """All that is wrong with COCO files, or with folders' annotations.json, train, val and test.json.

    Files named together must share no patient, image or cell, except for an annotations.json that was split.
    Raises InputError only for a path that is no data set.
    """
    findings: list[Finding] = []
    parts: list[Inspection] = []
    places = [Path(path) for path in paths]
    for file in dict.fromkeys(file for place in places for file in _files(place)):
        try:
            inspection = inspect(file, mapping=mapping, crowd=crowd)
        except InputError as error:
            findings.append(finding("bad-file", file, str(error)))
            continue
        findings += inspection.findings
        if file.name != ANNOTATIONS or not _parts(file.parent):
            parts.append(inspection)
    for first, second in combinations(parts, 2):
        findings += _shared(first, second)
    for folder in places:
        with suppress(InputError):  # of files that cannot be read, which is told above
            if folder.is_dir() and (message := stale_parts(folder)):
                findings.append(finding("stale-split", folder, message))
    return findings


def fix(
    path: str | os.PathLike,
    out: str | os.PathLike,
    *,
    mapping: Mapping[str, str] | None = None,
    crowd: Crowd = "ignore",
) -> list[Finding]:
    """Write `out`, the COCO file without what `check` calls bad, and return what was found.

    Categories are renamed by `mapping`, crowds become cells with crowd="instances". What we do not know is
    kept. Raises InputError when only the user can know: for unknown categories, doubled ids and names of
    images and files of crowds only, when no image or no annotation would be left, and when `out` exists or
    lies elsewhere than `path` (its images would not be found).
    """
    source, out = locate(path), Path(out)
    if out.exists():
        raise InputError(f"{out} exists: name a new file, files are not changed in place")
    if out.resolve().parent != source.resolve().parent:
        raise InputError(f"{out}: name a file in {source.parent}, beside the images")

    inspection = inspect(source, mapping=mapping, crowd=crowd)
    for undecided in inspection.findings:
        if undecided.code in UNDECIDED:
            raise InputError(f"{source}: {undecided.message}: {undecided.remedy}")

    kept, before = mended(inspection, crowd), inspection.document.data
    images, annotations = inspection.bad_images, inspection.bad_annotations
    for table, bad in (("images", images), ("annotations", annotations | images)):
        if before[table] and not kept[table]:
            why = next(iter(bad.values())).line() if bad else "--map drops them all"
            raise InputError(f"{source}: no {table[:-1]} would be left of {len(before[table])}: {why}")

    with naming(str(source)):
        content = dump(kept)
    write_atomic(out, content)
    for table in ("images", "annotations"):
        if lost := len(before[table]) - len(kept[table]):
            _logger.warning("%s: without %d of %d %s", out, lost, len(before[table]), table)
    return inspection.findings


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [locate(path)]
    whole = path / ANNOTATIONS
    return ([whole] if whole.is_file() else []) + _parts(path) or [locate(path)]


def _parts(folder: Path) -> list[Path]:
    return [file for part in PARTS if (file := folder / f"{part}.json").is_file()]


def _shared(first: Inspection, second: Inspection) -> list[Finding]:
    """Findings, placed in the second file, on what the first holds too."""
    other, place = first.document.path, second.document.path
    found = [
        finding("patient-in-two-files", place, f"patient {patient} is in {other} too")
        for patient in sorted(first.patients & second.patients)
    ]
    for digest in second.pictures.keys() & first.pictures.keys():
        message = f"its pixels are those of {first.pictures[digest]} in {other}"
        found.append(finding("image-in-two-files", place, message, image=second.pictures[digest]))
    copies: dict[str, int] = {}
    for digest in second.outlines.keys() & first.outlines.keys():
        image = second.outlines[digest]
        copies[image] = copies.get(image, 0) + 1
    for image, count in copies.items():
        message = f"{count} of its masks, pixel by pixel, are in {other} too"
        found.append(finding("cells-in-two-files", place, message, image=image))
    return sorted(found, key=lambda item: (item.code, item.image or "", item.message))
