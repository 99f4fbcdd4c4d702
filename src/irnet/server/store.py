"""The review of one COCO file: its images, every edit on disk before it counts, the corrected file."""

import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.data.categories import label_of
from irnet.data.coco.document import Id, Row, group, naming
from irnet.data.coco.rows import ACCEPTED, ORIGIN, is_found, number_rows, parse_image
from irnet.data.coco.run_record import load_checked, made_from
from irnet.data.file_names import JOURNAL
from irnet.data.files import sha256
from irnet.data.sample import UNRECORDED, Entry
from irnet.errors import InputError
from irnet.server.field import Change, ReviewedImage
from irnet.server.journal import Journal, is_of

NEAR = 0.2  # scores so little above the threshold of the run are doubtful
MOST_ROWS = 20_000  # of an image: the page receives all rows at once, half a millisecond of the server each


class Review:
    """Predictions (or annotations) and the corrections made to them.

    `lock` is held around every call but those of the pictures: edits come one after the other.
    """

    def __init__(self, out: Path, *, data: Path | None = None) -> None:
        self.document, self.run = load_checked(out)
        self.source = self.document.path
        self.folder = self.source.parent
        self.lock = threading.RLock()
        with naming(str(self.source)):
            self.categories = _with_both_labels(self.document.categories)

        groups = group(self.document)
        self.fields: list[ReviewedImage] = []
        for row in self.document.images:
            with naming(f"{self.source}: image {row['id']!r}"):
                image = parse_image(row, self.document)
                if (count := len(groups[image.id])) > MOST_ROWS:
                    raise InputError(
                        f"{count:,} instances, more than the {MOST_ROWS:,} that the page can show: cut it "
                        "into fields, or look at it in QuPath (irnet export --to qupath)"
                    )

            rows: dict[Id, Row | None] = {each["id"]: each for each in groups[image.id]}
            numbers = number_rows(groups[image.id], image.last_number)
            self.fields.append(
                ReviewedImage(
                    image=image,
                    rows=rows,
                    categories=self.categories,
                    numbers=numbers,
                    finished=row.get("finished") is True,
                    whole=any(ORIGIN not in each and not is_found(each) for each in groups[image.id]),
                )
            )

        self._places = {field.image.id: place for place, field in enumerate(self.fields)}
        met = self.run.paths
        self.paths = [_find_image(field, met, data) for field in self.fields]
        self._named = data is not None

        self._next_id = 1 + max((_number(row["id"]) for row in self.document.annotations), default=0)
        self.sha256 = self.document.sha256
        self._signature: tuple[int, int, int] | None = (0, 0, 0)  # the first check compares contents

        self.journal = Journal(_find_journal(self.source, self.sha256), source_sha256=self.sha256)
        self._replay()

    @property
    def origin(self) -> Row:
        """What a row says of its origin that says nothing itself: those of a run were predicted."""
        return {ORIGIN: "predicted"} if self.run.said else {}

    @property
    def scale(self) -> float | None:
        """At how many times their size the run took images of unknown um per pixel."""
        scale = self.run.said.get("scale")
        zoom = scale.get("zoom") if isinstance(scale, dict) else scale
        return zoom if isinstance(zoom, int | float) else None

    def doubtful(self, field: ReviewedImage) -> int:
        """How many rows that nobody accepted have a score just above the threshold of the run."""
        cuts = {}
        for key, name in self.categories.items():
            cuts[key] = self.run.scores.get(LABEL_NAMES.get(label_of(name) or 0, ""))

        count = 0
        for row in field.rows.values():
            cut = None if row is None or row.get(ACCEPTED) else cuts.get(row["category_id"])
            score = None if row is None else row.get("score")
            count += cut is not None and isinstance(score, int | float) and 0 <= score - cut < NEAR
        return count

    def entry(self, place: int) -> Entry:
        """The image of a field, without its cells, to be copied: only the one that was segmented."""
        field = self.fields[place]
        recorded = self.run.hashes.get(field.image.name, None)
        if recorded is None and field.image.name in self.run.paths and not self._named:
            recorded = UNRECORDED
        return Entry(
            name=field.image.name,
            path=self.paths[place],
            content=Content(cells=Cells.empty(field.image.shape)),
            page=self.run.page,
            sha256=recorded,
        )

    def check_source(self) -> None:
        """Raise InputError where the predictions are no longer those that were read.

        Edits of them would be written down as edits of others, and lost to the next start.
        """
        if (now := _signature(self.source)) == self._signature:
            return
        if now is None or sha256(self.source) != self.sha256:
            raise InputError(
                f"{self.source} was replaced since this viewer was started: stop it and start it again "
                f"(corrections so far are in {self.journal.path.name}: they go on with the old file alone)"
            )
        self._signature = now

    def new_id(self) -> int:
        """An id that no annotation ever had."""
        self._next_id += 1
        return self._next_id - 1

    def category_of(self, label: int) -> Id:
        """The category that stands for a label."""
        return next(key for key, name in self.categories.items() if label_of(name) == label)

    def edit(self, place: int, op: str, change: Change) -> None:
        """Check an edit, write it to the journal and make it. Raises InputError; nothing is changed then."""
        self.check_source()
        field = self.fields[place]
        field.check(change)
        rows = list(change.rows.items())
        self._note(place, {"op": op, "rows": rows, "finished": change.finished})
        field.apply(change)

    def undo(self, place: int) -> Collection[Id]:
        """Take back the last edit of an image. Returns the ids of its rows. Raises InputError."""
        field = self.fields[place]
        if not field.undoable:
            raise InputError("nothing to undo")
        touched = field.undoable[-1].rows.keys()
        self.check_source()
        self._note(place, {"op": "undo"})
        field.undo()
        return touched

    def redo(self, place: int) -> Collection[Id]:
        """Make the edit again that was taken back last. Returns the ids of its rows. Raises InputError."""
        field = self.fields[place]
        if not field.redoable:
            raise InputError("nothing to redo")
        touched = field.redoable[-1].rows.keys()
        self.check_source()
        self._note(place, {"op": "redo"})
        field.redo()
        return touched

    def _note(self, place: int, line: Row) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.journal.append({"time": stamp, "image": self.fields[place].image.id, **line})

    def _replay(self) -> None:
        for number, line in enumerate(self.journal.lines, start=2):
            with naming(f"{self.journal.path}, line {number}"):
                try:
                    self._play(line)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    raise InputError(f"no edit of these predictions ({error})") from None
        for field in self.fields if self.journal.lines else []:
            with naming(str(self.journal.path)):
                field.check(Change(rows={}, finished=field.finished))

    def _play(self, line: Row) -> None:
        field = self.fields[self._places[line["image"]]]
        if line["op"] in ("undo", "redo"):
            getattr(field, line["op"])()
            return
        rows: dict[Id, Row | None] = dict(line["rows"])
        change = Change(rows=rows, finished=bool(line["finished"]))
        field.check_rows(change)
        field.apply(change)
        self._next_id = max([self._next_id, *(_number(key) + 1 for key in rows)])


def _with_both_labels(categories: Mapping[Id, str]) -> dict[Id, str]:
    """The categories of the file, with one for each label that has none."""
    both = dict(categories)
    present = {label_of(name) for name in categories.values()}
    for label, name in LABEL_NAMES.items():
        if label not in present:
            both[label if label not in both else 1 + max(map(_number, both))] = name
    return both


def _find_image(field: ReviewedImage, met: Mapping[str, Path], data: Path | None) -> Path:
    """Where the image lies: in the folder that the user named, where the run met it, or beside the file."""
    name = field.image.name
    if data is None:
        return met.get(name, field.image.path)
    places = [data / name, data / "images" / name, data / Path(name).name]
    return next((path for path in places if path.is_file()), places[0])


def _find_journal(source: Path, sha256: str) -> Path:
    """The journal of a COCO file; in earlier versions it had the same name for every file of a folder."""
    path, earlier = made_from(source, JOURNAL), source.with_name(JOURNAL)
    return earlier if not path.exists() and is_of(earlier, sha256) else path


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What tells a file from the one that took its place, without reading it; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _number(key: Id) -> int:
    return key if isinstance(key, int) else 0
