"""The corrected set: COCO rows with all edits, and its images, ready to train on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cuts
from irnet.data.coco.document import Row, dump
from irnet.data.coco.rows import ACCEPTED, AnnotationRow
from irnet.data.coco.run_record import made_from
from irnet.data.file_names import CORRECTED
from irnet.data.files import refuse_losing, remove_drafts, safe_join, write_atomic
from irnet.data.locking import writing
from irnet.data.pixels import to_png
from irnet.errors import InputError
from irnet.server.field import ReviewedImage
from irnet.server.store import Review
from irnet.verbs import export as others
from irnet.wording import number_of

FORMATS = ("coco", *others.FORMATS)


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What an export wrote."""

    path: Path  # the COCO file, or the folder of another format
    images: int  # copied beside the COCO file
    notes: list[str]  # which images were not copied, and what another format cannot hold


def export(
    review: Review,
    file_format: str,
    *,
    finished_only: bool = False,
    cuts: Cuts | None = None,
) -> ExportResult:
    """Write corrected.json, its images where they do not lie beside it, and from it another format.

    Args:
        review: what was corrected.
        file_format: one of FORMATS.
        finished_only: leave out images that were not looked at as a whole.
        cuts: the least score of each class for instances that nobody accepted.

    Raises:
        InputError: no image is finished where these are asked for, another image of the same name lies where
            an image has to go, an extra is missing, or another is writing there.
    """
    if file_format not in FORMATS:
        raise InputError(f"format {file_format!r} is not written: choose one of {', '.join(FORMATS)}")
    chosen = [i for i, field in enumerate(review.fields) if field.finished or not finished_only]
    if finished_only and not chosen:
        raise InputError("no image is finished: Shift A finishes one, or export all images")
    names = {i: _file_name(review, i) for i in chosen}
    with writing(review.folder, "irnet view"):
        images, left_out = _place_images(review, names)
        target = made_from(review.source, CORRECTED)
        write_atomic(target, dump(corrected(review, names, cuts or {})))
        remove_drafts([review.folder])
    if unseen := _count_unseen([review.fields[i] for i in chosen], cuts or {}):
        left_out.append(
            f"left out: {number_of(unseen, 'prediction')} that stood below the scores when the image was "
            "finished"
        )
    if file_format == "coco":
        return ExportResult(path=target, images=images, notes=left_out)
    done = others.export(target, file_format, replace=True)
    return ExportResult(path=done.folder, images=images, notes=[*left_out, *done.notes, *done.errors])


def corrected(review: Review, names: Mapping[int, str], cuts: Cuts) -> Row:
    """The corrected COCO document of the images whose places and names are given."""
    source = review.document.data
    images = {row["id"]: row for row in review.document.images}
    fields = {i: review.fields[i] for i in names}
    edits = sum(len(field.undoable) for field in fields.values())
    stated = source.get("info")
    info: Row = stated if isinstance(stated, dict) else {}

    return source | {
        "info": {**info, "corrected": {"source_sha256": review.sha256, "edits": edits}},
        "categories": _categories(review),
        "images": [
            images[field.image.id]
            | {"file_name": names[i]}
            | _annotated(field)
            | (
                {}
                if field.whole and not (field.finished or field.image.unfinished)
                else {"finished": field.finished}
            )
            | ({"last_number": field.last_number} if field.numbers else {})
            for i, field in fields.items()
        ],
        "annotations": [
            review.origin | row | {"number": field.numbers[row["id"]]}
            for field in fields.values()
            for row in _kept(field, cuts)
        ],
    }


def _annotated(field: ReviewedImage) -> Row:
    """Which classes are annotated in an image where it was not both: what was drawn since is one of them."""
    if field.image.annotated == LABEL_NAMES.keys():
        return {}
    return {"annotated_categories": [LABEL_NAMES[label] for label in sorted(field.annotated)]}


def _kept(field: ReviewedImage, cuts: Cuts) -> list[Row]:
    """Rows except for those deleted and the predictions that nobody took for cells; links follow."""
    instances = field.parsed()
    rows = {}
    for key, row in field.rows.items():
        if row is not None and (key not in instances or _is_taken(row, instances[key], field, cuts)):
            rows[key] = row

    kept = []
    for row in rows.values():
        linked = row.get("cell_id") is None or row["cell_id"] in rows
        kept.append(row if linked else {name: value for name, value in row.items() if name != "cell_id"})
    return kept


def _is_taken(row: Row, instance: AnnotationRow, field: ReviewedImage, cuts: Cuts) -> bool:
    """Whether someone accepted it, or it is not below the scores: those of then in a finished image.

    To finish an image accepts all that is shown: a prediction that is still open was below the scores then.
    """
    if row.get(ACCEPTED):
        return True
    return instance.score >= cuts.get(instance.label, 0.0) and not (field.finished and instance.score < 1)


def _count_unseen(fields: Sequence[ReviewedImage], cuts: Cuts) -> int:
    """How many predictions of finished images are left out though they are not below the scores of today."""
    unseen = 0
    for field in fields:
        for key, each in field.parsed().items():
            row = field.rows[key] or {}
            above = each.score >= cuts.get(each.label, 0.0)
            unseen += above and not _is_taken(row, each, field, cuts)
    return unseen


def _categories(review: Review) -> list[Row]:
    known = {row["id"]: row for row in review.document.data["categories"]}
    return [known.get(key, {"id": key, "name": name}) for key, name in review.categories.items()]


def _file_name(review: Review, index: int) -> str:
    """The image's own name; a page of a TIFF becomes an image of its own."""
    name = review.fields[index].image.name
    return name if review.run.page is None else f"{name}.png"


def _place_images(review: Review, names: Mapping[int, str]) -> tuple[int, list[str]]:
    """Copy images to where readers of the corrected file look: images/ or beside it.

    Returns how many were copied, and a note on those that were not.
    """
    beside = all(_same(review.paths[i], safe_join(review.folder, name)) for i, name in names.items())
    folder = review.folder if beside and not (review.folder / "images").is_dir() else review.folder / "images"
    written, left_out = 0, []

    for index, name in names.items():
        target, source = safe_join(folder, name), review.paths[index]
        if _same(source, target):
            continue

        try:
            entry = review.entry(index)
            content = entry.copy() if entry.page is None else to_png(entry.read().image)
        except InputError as error:
            left_out.append(f"{name}: the image was not copied: {error}")
            continue

        refuse_losing(target, lambda content=content: content)
        if not target.exists():
            write_atomic(target, content)
            written += 1
    return written, left_out


def _same(source: Path, target: Path) -> bool:
    return target.is_file() and source.resolve() == target.resolve()
