"""`irnet measure`: one row for each cell and nucleus of what was found, from masks and pixels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from irnet.data.coco.found import read_found
from irnet.data.coco.location import is_of_slides
from irnet.data.coco.run_record import RunRecord, made_from
from irnet.data.file_names import CELLS, IMAGES, PREDICTIONS
from irnet.data.files import remove_drafts, sha256, write_atomic
from irnet.data.locking import writing
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import DONE, DONE_WITH_ERRORS, InputError, check_save
from irnet.morphometry.images import IMAGE_COLUMNS, summarise_image
from irnet.morphometry.parquet import check_parquet, to_parquet
from irnet.morphometry.table import (
    STAIN,
    Row,
    Value,
    encode_csv,
    from_csv,
    measure,
    to_csv,
)
from irnet.progress import each
from irnet.verbs.own_data import Completion
from irnet.verbs.run_files import refuse_foreign_tables
from irnet.verbs.slide_export import measure_slides
from irnet.wording import for_spreadsheet, name_instance

SAVES = ("csv", "parquet")


@dataclass(frozen=True)
class Measured:
    """What `measure_files` did."""

    files: list[Path]
    rows: int
    errors: list[str]  # images whose stain could not be measured, or slides that are left out, and why
    notes: list[str]  # what was added to what the files say

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done except for the errors."""
        return DONE_WITH_ERRORS if self.errors else DONE


def measure_files(
    source: str | Path,
    *,
    own: OwnData = OwnData(),
    link: bool = False,
    exclude_overlap: bool = False,
    save: Collection[str] = ("csv",),
) -> Measured:
    """Measure what a folder of `irnet predict`, a data set or a COCO file holds.

    cells.csv and images.csv go beside it.

    Args:
        source: the folder or file. Of an image that is no longer where it was, all but the stain is measured.
        own: um per pixel and patients, where the source does not say them.
        link: pair the nuclei of images without any link with cells.
        exclude_overlap: leave pixels that several cells cover out of their stain.
        save: which of "csv" and "parquet".

    Raises:
        InputError: the source or an option is wrong, the extra for Parquet is missing, or another is writing
            there.
    """
    check_save(save, SAVES)
    if "parquet" in save:
        check_parquet()

    if is_of_slides(Path(source)):
        if own != OwnData() or link or exclude_overlap:
            raise InputError(f"{source}: cells of slides are measured in their windows: give --save alone")
        return Measured(*measure_slides(source, [kind for kind in SAVES if kind in save]), [])

    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    if not folder.is_dir():
        raise InputError(f"{source}: no such file or folder")

    with writing(folder, "irnet measure"):
        if "csv" in save:
            refuse_foreign_tables(made_from(source, name) for name in (CELLS, IMAGES))
        complete = Completion(own, source, link)
        entries = complete(read_found(source))
        same_stain = not (link or exclude_overlap)  # as predict measures it
        before = measured_by_run(source, entries) if same_stain else {}
        table = MeasuredImages(_notes(folder), before)
        for entry in each(entries, "measuring", lambda entry: entry.name):
            table.add(entry, exclude_overlap=exclude_overlap)

        contents = {made_from(source, name): content for name, content in table.files(save).items()}
        for path, content in contents.items():
            write_atomic(path, content)
        remove_drafts([folder])
    notes = [*complete.notes, *table.kept]
    return Measured(list(contents), len(table.rows), table.errors, notes)


def _notes(folder: Path) -> dict[str, list[str]]:
    """What a run in the folder noted on images, by name."""
    with suppress(InputError):  # whoever reads predictions of it says so
        return RunRecord.read(folder).notes
    return {}


@dataclass
class MeasuredImages:
    """The rows of both tables, image by image; `notes` and what a run measured `before` are by image."""

    notes: Mapping[str, Sequence[str]]
    before: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    summaries: list[Row] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # what predict measured and cannot be measured again

    def add(self, entry: Entry, *, exclude_overlap: bool) -> None:
        """Measure an image."""
        rows, error = measure_entry(entry, exclude_overlap=exclude_overlap)
        if error and (before := self.before.get(entry.name)):
            for row, old in zip(rows, before, strict=True):
                row.update({name: old[name] for name in STAIN})
            self.kept.append(f"{error}: it stays as irnet predict measured it")
            error = None
        notes = [*self.notes.get(entry.name, ()), *([error] if error else [])]
        content = entry.content
        self.summaries.append(
            summarise_image(
                content.cells,
                rows,
                name=entry.name,
                patient=entry.patient,
                notes=notes,
                annotated=content.annotated,
            )
        )
        self.rows += rows
        self.errors += [error] if error else []

    def files(self, save: Collection[str]) -> dict[str, bytes]:
        """The content of each file to write."""
        files = {}
        if "csv" in save:
            files[CELLS] = encode_csv(to_csv(self.rows))
            files[IMAGES] = encode_csv(to_csv(self.summaries, IMAGE_COLUMNS))
        if "parquet" in save:
            files["cells.parquet"] = to_parquet(self.rows)
        return files


def measured_by_run(source: str | Path, entries: Sequence[Entry]) -> dict[str, list[Row]]:
    """Rows of each image as predict measured them, by name: those of a cells.csv that is as the run left it.

    `entries` are what was read from `source`; none where it is another file than the run's, or where a run
    did not record the file's SHA-256.
    """
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    table = folder / CELLS
    of_run = Path(source).is_dir() or Path(source).name == PREDICTIONS
    if not of_run or not (folder / PREDICTIONS).is_file():
        return {}
    hashes = RunRecord.read(folder).said.get("hashes")
    if not isinstance(hashes, dict) or not table.is_file() or hashes.get(CELLS) != sha256(table):
        return {}

    rows: dict[Value, list[Row]] = {}
    for row in from_csv(table.read_text(encoding="utf-8-sig")) or []:
        rows.setdefault(row["image"], []).append(row)
    named = {}
    for entry in entries:
        mine = rows.get(for_spreadsheet(entry.name), [])
        if [row["id"] for row in mine] != list(entry.content.numbered):
            return {}
        named[entry.name] = _named(entry, mine)
    return named


def _named(entry: Entry, rows: Sequence[Row]) -> list[Row]:
    """Rows of a spreadsheet with their names as they are."""
    return [
        row | {"image": entry.name, "name": name_instance(entry.name, number)}
        for row, number in zip(rows, entry.content.numbered, strict=True)
    ]


def measure_entry(entry: Entry, *, exclude_overlap: bool = False) -> tuple[list[Row], str | None]:
    """Return the rows of an image, and why its stain is not among them, where its pixels cannot be read."""
    picture, error = None, None
    try:
        picture = entry.read().image
    except InputError as reason:
        error = f"{entry.name}: stain not measured: {reason}"
    content = entry.content
    rows = measure(
        content.cells,
        entry.name,
        picture,
        exclude_overlap=exclude_overlap,
        numbers=content.numbered,
        annotated=content.annotated,
    )
    return rows, error
