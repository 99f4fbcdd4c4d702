"""Two methods, or two sets of finished predictions, scored on the same images and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from irnet.cells import Cells
from irnet.data.checks.needs import take_scored, warn_of_found
from irnet.data.coco.coco import read_coco
from irnet.data.files import as_json, remove_drafts, write_atomic, write_text
from irnet.data.locking import writing
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.metrics.changes import count_changes
from irnet.metrics.paired import Comparison, compare_sets
from irnet.metrics.summary import Evaluated
from irnet.metrics.table import render_comparison
from irnet.progress import each, stage
from irnet.report.comparison import SIDES, TwiceFound, comparison_page
from irnet.verbs.evaluate import (
    COMPARISON,
    GALLERY,
    SUMMARY,
    TABLE,
    patients_of,
    refuse_scores_over,
    remove_report,
    score_all,
    write_scores,
)
from irnet.verbs.predicted import Predicted, obtain, predictions_file
from irnet.verbs.swapped import refuse_swapped
from irnet.wording import number_of


class Compared(NamedTuple):
    """What `compare` wrote."""

    comparison: Comparison
    table: str


def compare(
    sources: Sequence[str | Path],
    data: str | Path,
    out_dir: str | Path,
    *,
    score: float | None = None,
    exclude_border: bool = False,
    device: str = "auto",
    views: int = 1,
    own: OwnData = OwnData(),
) -> Compared:
    """Score A and B on a data set: comparison.json, table.txt and gallery.html in `out_dir`.

    The scores of each by itself go into `out_dir`/A and B, as `evaluate` writes them. Both are scored on the
    classes that both look for, and in one um per pixel.

    Args:
        sources: A and B, each as `evaluate` takes it.
        data, score, exclude_border, device, views, own: as for `evaluate`.

    Raises:
        InputError: as for `evaluate`; or there are not two sources, or they are the same, or look for no
            class in common; or another is writing to `out_dir`.
    """
    if len(sources) != 2:
        raise InputError(f"{len(sources)} sources before the data set {data}: name one, or two to compare")
    for source, other in zip(sources, reversed(sources), strict=True):
        refuse_swapped("evaluate", source, data, beside=[other])
    warn_of_found(data)
    names = _names(sources)
    entries = take_scored(own.complete(read_coco(data), data), data)
    for folder in (Path(out_dir), *(Path(out_dir) / side for side in SIDES)):
        refuse_scores_over(folder, *sources, data)

    options = {"score": score, "device": device, "views": views}
    out = Path(out_dir)
    with writing(out, "irnet evaluate"):
        found = [obtain(source, entries, data, **options) for source in sources]
        found = _on_common_classes(found, sources)
        found, unlike = _on_one_scale(found)
        if exclude_border:
            found = [one.without_cut() for one in found]

        scored = [score_all(entries, one) for one in found]
        origins = []
        for side, source, one, scores in zip(SIDES, sources, found, scored, strict=True):
            origins.append(one.origin(source, data, own, exclude_border=exclude_border))
            write_scores(entries, one, scores, origins[-1], out / side)

        with stage("drawing samples for intervals"):
            both_scored = all(one.scored for one in found) and not _uneven(found)
            comparison = compare_sets(scored[0], scored[1], patients_of(entries), scored=both_scored)
        comparison = replace(comparison, remarks=tuple(_remarks(found, unlike)))
        compared = _write(out, entries, found, comparison, names, origins)
        remove_drafts([out, *(out / side for side in SIDES)])
    return compared


def _names(sources: Sequence[str | Path]) -> tuple[str, str]:
    """What people call A and B: the last part of each, or all of it where that is the same."""
    first, second = (Path(source).resolve() for source in sources)
    if (predictions_file(first) or first) == (predictions_file(second) or second):
        raise InputError(f"{sources[0]} is named twice: name two methods, or leave one out")
    if first.name == second.name:
        return str(sources[0]), str(sources[1])
    return first.name, second.name


def _on_common_classes(found: Sequence[Predicted], sources: Sequence[str | Path]) -> list[Predicted]:
    """The same, with the truths of classes alone that both look for."""
    truths = []
    for first, second in zip(found[0].truths, found[1].truths, strict=True):
        truths.append(replace(first, annotated=first.annotated & second.annotated))
    if not any(truth.annotated for truth in truths):
        raise InputError(f"{sources[0]} and {sources[1]} look for no class in common: nothing to compare")
    return [one._replace(truths=truths) for one in found]


def _on_one_scale(found: Sequence[Predicted]) -> tuple[list[Predicted], int]:
    """The same with one um per pixel for what both found in an image whose truth says none.

    That of the one side that knows it; none where the two contradict each other, and in how many images.
    """
    unlike = 0
    sides: tuple[list[Cells], list[Cells]] = ([], [])
    for truth, *both in zip(found[0].truths, *(one.cells for one in found), strict=True):
        said = {cells.mpp for cells in both if cells.mpp is not None}
        if truth.cells.mpp is None:
            both = [replace(cells, mpp=min(said) if len(said) == 1 else None) for cells in both]
            unlike += len(said) > 1
        for side, cells in zip(sides, both, strict=True):
            side.append(cells)
    return [one._replace(cells=cells) for one, cells in zip(found, sides, strict=True)], unlike


def _uneven(found: Sequence[Predicted]) -> bool:
    """Whether one side has candidates of every score and the other those alone that were kept."""
    return {True, False} <= {one.whole for one in found}


def _remarks(found: Sequence[Predicted], unlike: int) -> Iterator[str]:
    """What readers are told of what could not be compared."""
    if unlike:
        images = number_of(len(found[0].cells), "image")
        yield f"the um per pixel of A and B differ in {unlike} of {images}, whose outlines are compared in px"
    if _uneven(found):
        whole, kept = SIDES if found[0].whole else SIDES[::-1]
        yield (
            f"AP is left out: {whole} has candidates of every score, {kept} those alone that irnet predict "
            "kept; name the weights of both, or finished predictions of both"
        )


def _write(
    out: Path,
    entries: Sequence[Entry],
    found: Sequence[Predicted],
    comparison: Comparison,
    names: tuple[str, str],
    origins: Sequence[Evaluated],
) -> Compared:
    """Write what differs between A and B."""
    first, second = found
    images = []
    for number, entry in enumerate(each(entries, "comparing", lambda entry: entry.name)):
        cells, said = (
            [*side] for side in zip(*((f.cells[number], f.said[number]) for f in found), strict=True)
        )
        images.append(TwiceFound.of(entry, first.truths[number], cells, (first.cuts, second.cuts), said))

    changes = count_changes([image.changes for image in images])
    table = render_comparison(comparison, names, changes)
    origin = {"first": asdict(origins[0]), "second": asdict(origins[1])}
    facts = [fact for side, one in zip(SIDES, origins, strict=True) for fact in _facts(side, one)]
    page = comparison_page(
        images,
        comparison,
        changes,
        names=names,
        data=Path(origins[0].data).resolve().name,
        provenance=facts,
    )

    remove_report(out)
    write_atomic(out / COMPARISON, as_json({**origin, **comparison.to_json(), "changes": changes}))
    write_text(out / TABLE, table)
    write_text(out / GALLERY, page)
    (out / SUMMARY).unlink(missing_ok=True)  # of one method, scored here before
    return Compared(comparison, table)


def _facts(side: str, origin: Evaluated) -> list[tuple[str, str]]:
    facts = {"method": origin.method, "scored": origin.source, "SHA-256": origin.sha256}
    return [(f"{side}, {name}", str(value)) for name, value in facts.items() if value]
