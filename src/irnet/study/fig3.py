"""Figure 3: image, truth and every method side by side, differences boxed; fields by rule, not by eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from irnet.cells import LABEL_NAMES, Cells, reaching
from irnet.data.files import write_atomic, write_text
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.metrics.aji import aji
from irnet.metrics.match import Pairwise, partners
from irnet.report.colours import LOOSE, colour_cells
from irnet.report.draw import Picture, overlay
from irnet.report.figure import add_scale_bar, panels
from irnet.report.flaws import FRAMES, MEANINGS, Box, as_box, flaws, frame_flaws
from irnet.study.jobs import is_finished, jobs_of, run_rows
from irnet.study.protocol import Say
from irnet.study.record import Study
from irnet.study.render import bullets
from irnet.study.rows import TABLE1, Row, choose_rows
from irnet.study.scoring import TEST, VAL, choose_cuts, read_predicted_cells
from irnet.study.tables import StudyPage

FIELDS = 4
SIDE_UM, SIDE_PX = 100.0, 400  # of a window; px where the scale is unknown
LEGEND = 34  # px
RULE = (
    "The fields are those on which the trained methods disagree most: largest standard deviation over them "
    "of the field's AJI (mean of both classes) times its number of true cells and nuclei, or fields of one "
    "cell would come first; at most one field of a patient. Of each the window that holds the most "
    "differences whole is shown. Everything is of seed 0, at each method's own thresholds."
)
COLOURS = (
    "What a method found has the colour of the true cell or nucleus that it matches, and is white where it "
    "matches none; a nucleus without a cell is dashed."
)


class MethodFinds(NamedTuple):
    """What one method found in every test image, cut at its thresholds."""

    row: Row
    cells: list[Cells]


class ChosenField(NamedTuple):
    """A test image that is shown, and which window of it."""

    index: int
    window: Box


def make_figure(
    study: Study, *, keys: str | None = None, fields: int = FIELDS, device: str, say: Say
) -> StudyPage:
    """Run what is missing of seed 0 of Table 1's rows, then write fig3.png and fig3.md, its legend.

    Raises what `jobs.run_rows` raises, and `InputError` while no row is finished.
    """
    rows = choose_rows(TABLE1, keys)
    missing = run_rows(study, rows, seeds=1, device=device, say=say)
    methods = [_read(study, row) for row in rows if is_finished(study, jobs_of(study, [row])[0])]
    if not methods:
        raise InputError(f"{study.out}: no row is finished yet: {'; '.join(map(str, missing))}")

    test = study.parts.test
    shown = choose_fields(test, methods, fields)
    write_atomic(study.out / "fig3.png", to_png(draw_figure(test, methods, shown)))
    page = _page(test, methods, shown)
    write_text(study.out / "fig3.md", page)
    return StudyPage(page, missing)


def choose_fields(test: Sequence[Entry], methods: Sequence[MethodFinds], count: int) -> list[ChosenField]:
    """The fields on which trained methods disagree most, and the window of each with the most differences."""
    trained = [method for method in methods if method.row.base is not None] or methods
    scores = np.array([_scores(test, method) for method in trained])  # (methods, fields)
    disagreement = scores.std(axis=0) * [len(entry.content.cells) for entry in test]

    chosen: dict[str, int] = {}
    for index in np.argsort(-disagreement, kind="stable").tolist():
        patient = test[index].patient or f"image {index}"
        if patient not in chosen and len(chosen) < count:
            chosen[patient] = index

    fields = []
    for index in chosen.values():
        found = [method.cells[index] for method in methods]
        fields.append(ChosenField(index, _window(test[index], found)))
    return fields


def draw_figure(
    test: Sequence[Entry], methods: Sequence[MethodFinds], shown: Sequence[ChosenField]
) -> Picture:
    """A row of panels a field: image, truth, every method; a legend of the boxes below; (h, w, 3) uint8."""
    strips = [_strip(test[field.index], methods, field) for field in shown]
    width = max(strip.shape[1] for strip in strips)
    parts = [*(_widened(strip, width) for strip in strips), _legend(width)]
    return np.concatenate(parts)


def _page(test: Sequence[Entry], methods: Sequence[MethodFinds], shown: Sequence[ChosenField]) -> str:
    fields = []
    for field in shown:
        x1, y1, x2, y2 = field.window
        fields.append(f"{test[field.index].name}, x {x1} to {x2}, y {y1} to {y2}")

    titles = ", ".join(method.row.title for method in methods)
    parts = [
        "# Figure 3: fields of the test set",
        RULE,
        f"Image, truth, {titles}. {COLOURS}",
        bullets(fields),
        "![](fig3.png)",
    ]
    return "\n\n".join(parts) + "\n"


def _read(study: Study, row: Row) -> MethodFinds:
    folder, parts = study.folder(row.key, 0), study.parts
    found = read_predicted_cells(folder / TEST, parts.test)
    if row.scored:
        cuts = choose_cuts(parts.val, read_predicted_cells(folder / VAL, parts.val))
        found = [cells.select(reaching(cells, cuts)) for cells in found]
    return MethodFinds(row, found)


def _scores(test: Sequence[Entry], method: MethodFinds) -> list[float]:
    """AJI of every field."""
    return [_score(entry, cells) for entry, cells in zip(test, method.cells, strict=True)]


def _score(entry: Entry, found: Cells) -> float:
    """AJI of an image, mean of the classes that it has."""
    truth = entry.content.cells
    values = [aji(Pairwise.between(truth.of(label), found.of(label))).value for label in LABEL_NAMES]
    return float(np.mean([value for value in values if value is not None] or [0.0]))


def _window(entry: Entry, found: Sequence[Cells]) -> Box:
    """Of the windows about each difference, inside the frame, the one that holds the most of them whole."""
    truth = entry.content.cells
    height, width = truth.image_shape
    side = SIDE_PX if truth.mpp is None else round(SIDE_UM / truth.mpp)
    size = np.minimum((width, height), side)

    listed = [flaw.box for cells in found for flaw in flaws(truth, cells)] or [(0, 0, width, height)]
    boxes = np.array(listed, dtype=float)  # (n, 4)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2

    starts = np.clip(np.round(centres - size / 2), 0, np.array([width, height]) - size)  # (n, 2)
    low, high = starts[:, None], starts[:, None] + size  # (n, 1, 2)
    whole = (boxes[:, :2] >= low).all(axis=2) & (boxes[:, 2:] <= high).all(axis=2)  # (n, n)
    held = whole.sum(axis=1)
    return as_box(np.concatenate([starts[held.argmax()], starts[held.argmax()] + size]))


def _strip(entry: Entry, methods: Sequence[MethodFinds], field: ChosenField) -> Picture:
    image, truth = entry.read().image, entry.content.cells
    plain = _cut(image, field.window)
    colours = colour_cells(truth)
    drawn = [
        plain if truth.mpp is None else add_scale_bar(plain, truth.mpp),
        _cut(overlay(image, truth, colours=colours), field.window),
    ]

    for method in methods:
        found = method.cells[field.index]
        own = np.concatenate([colours, [LOOSE]])[partners(found, truth)]  # NO_PARENT is the last row
        framed = frame_flaws(overlay(image, found, colours=own), flaws(truth, found))
        drawn.append(_cut(framed, field.window))
    return panels(drawn, [entry.name, "truth", *(method.row.title for method in methods)])


def _cut(image: Picture, window: Box) -> Picture:
    x1, y1, x2, y2 = window
    return np.ascontiguousarray(image[y1:y2, x1:x2])


def _legend(width: int) -> Picture:
    sheet = Image.new("RGB", (width, LEGEND), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=20)
    x = 4
    for kind, colour in FRAMES.items():
        pen.rectangle((x, 8, x + 22, LEGEND - 8), outline=colour, width=3)
        pen.text((x + 30, LEGEND // 2), MEANINGS[kind], fill="black", font=font, anchor="lm")
        x += 60 + round(font.getlength(MEANINGS[kind]))
    return np.asarray(sheet)


def _widened(strip: Picture, width: int) -> Picture:
    return np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0)), constant_values=255)
