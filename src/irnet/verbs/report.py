"""`irnet report`: one page of what was found, or of how it scored, from the files of a folder."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.coco.coco import read_coco
from irnet.data.coco.document import naming, parse
from irnet.data.coco.found import read_found
from irnet.data.coco.location import is_of_slides, locate
from irnet.data.coco.run_record import RunRecord, made_from
from irnet.data.files import remove_drafts, sha256, write_text
from irnet.data.locking import writing
from irnet.data.sample import Entry
from irnet.errors import DONE, DONE_WITH_ERRORS, InputError
from irnet.metrics import Summary
from irnet.metrics.summary import Evaluated
from irnet.report.found import Page, found_page
from irnet.report.scores import scores_page
from irnet.verbs.evaluate import COMPARISON, GALLERY, REPORT, SUMMARY
from irnet.verbs.predicted import predictions_file, read_predicted
from irnet.verbs.slide_report import report_slides


@dataclass(frozen=True)
class ReportResult:
    """What `write_report` wrote."""

    file: Path
    size: int  # bytes
    missing: list[str]  # pictures that could not be read, slides that are left out, and why

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done except for what is missing."""
        return DONE_WITH_ERRORS if self.missing else DONE


def write_report(source: str | Path, out: str | Path | None = None) -> ReportResult:
    """Write a page about `source`; it holds all its pictures and needs no other file.

    Args:
        source: a folder of `irnet predict`, `irnet slide` or `irnet evaluate`, a data set or a COCO file.
        out: the file to write, None for report.html in the folder (of corrected.json: corrected-report.html).

    Raises:
        InputError: the source or the name is wrong, or another is writing there. A picture that is no longer
            there is only reported.
    """
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    file = made_from(source, REPORT) if out is None else Path(out)
    if file.is_dir():
        raise InputError(f"{file}: a folder; name the file to write, such as {file / REPORT}")
    if file.suffix.lower() != ".html":
        raise InputError(f"{file}: name a file that ends in .html")

    inside = folder.is_dir() and file.resolve().parent == folder.resolve()
    with writing(folder, "irnet report") if inside else nullcontext():
        page = _page(source, folder)
        write_text(file, page.html)
        remove_drafts([folder] if inside else [])
    return ReportResult(file, file.stat().st_size, page.missing)


def _page(source: Path, folder: Path) -> Page:
    if is_of_slides(source):
        return report_slides(source)
    title = source.resolve().name
    if (source / SUMMARY).is_file():
        return _scores(source / SUMMARY, title)
    if (source / COMPARISON).is_file():
        raise InputError(
            f"{source}: a comparison of two methods, whose page is {source / GALLERY}; {source / 'A'} and "
            f"{source / 'B'} can be reported on"
        )
    return found_page(read_found(source), RunRecord.read(folder), title=title)


def _scores(file: Path, title: str) -> Page:
    with naming(f"{file}: no summary of irnet evaluate, run it again"):
        summary = Summary.from_json(parse(file))
        if summary.evaluated is None:
            raise InputError("evaluated is missing")

    pairs, reason = _pairs(summary, summary.evaluated)
    return scores_page(summary, summary.evaluated, pairs, title=title, reason=reason)


def _pairs(summary: Summary, evaluated: Evaluated) -> tuple[list[tuple[Entry, Cells]], str | None]:
    """Return each image with its truth and its predictions; or none, and why."""
    source, data = evaluated.source, evaluated.data
    if (file := predictions_file(source)) is None:
        return [], f"{source} was run, and its predictions were not kept: predict, then evaluate that folder"

    try:
        entries = [entry for entry in read_coco(data) if entry.scored]
        found = read_predicted(file, entries)
    except (InputError, OSError) as error:
        return [], f"{error} (looked for it from this folder, as irnet evaluate did)"

    same = found.sha256 == evaluated.sha256 and len(entries) == summary.images
    if not same or evaluated.data_sha256 not in (None, sha256(locate(data))):
        return [], f"{source} or {data} has changed since it was scored: run evaluate again"

    if evaluated.exclude_border:
        found = found.without_cut()
    # One side of a comparison was scored on the classes alone that both look for.
    scored = {label for label, name in LABEL_NAMES.items() if name in summary.classes}
    pairs = []
    for entry, truth, cells in zip(entries, found.truths, found.cells, strict=True):
        truth = replace(truth, annotated=truth.annotated & scored)
        pairs.append((replace(entry, content=truth), cells))
    return pairs, None
