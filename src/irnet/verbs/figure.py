"""`irnet figure`: pictures for papers, outlines as lines: fields, or instances side by side."""

from __future__ import annotations

import difflib
import io
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from irnet.data.beside import name_files
from irnet.data.coco.found import read_found
from irnet.data.files import refuse_overwriting, remove_drafts, safe_join, write_atomic
from irnet.data.locking import writing
from irnet.data.sample import Entry
from irnet.errors import DONE, DONE_WITH_ERRORS, NOTHING_DONE, InputError
from irnet.morphometry.table import Row, measure
from irnet.progress import each
from irnet.report.draw import Picture
from irnet.report.measures import Measured, needs_image, range_of, title_of, values_of
from irnet.report.outlines import Style, draw_outlines, need_matplotlib
from irnet.report.page import figure as as_text
from irnet.report.pictures import resize
from irnet.report.sheet import MM, Tile, draw_sheet, family_of, form_of
from irnet.verbs.figure_options import SAVES, FigureOptions
from irnet.wording import name_instance, number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER, SHEET = "figures", "sheet"
DPI = 600  # of an image inside a figure at most; of PNG files
PLAIN: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "irnet",
}  # text stays text
BAR_MM, BAR_SHARE = 14.0, 0.04  # mm of a colour bar's text, up to six digits; share of the bar itself
EDGE_MM = 0.5  # around the image
TALLEST_MM = 1000.0  # a figure is no higher: one of a narrow image is less wide, a sheet has fewer tiles
PNG_PIXELS = 40e6  # of a PNG file at most: a larger one is of fewer pixels an inch
UNDATED: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}  # alike for what is alike


@dataclass
class Figured:
    """What `make_figures` did."""

    files: list[Path] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # images that could not be read
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done except for the errors."""
        if not self.errors:
            return DONE
        return DONE_WITH_ERRORS if self.files else NOTHING_DONE


def make_figures(
    source: str | Path, out: str | Path | None = None, options: FigureOptions = FigureOptions()
) -> Figured:
    """Draw what was found, or annotated, for a paper.

    Args:
        source: folder of `irnet predict`, data set or COCO file.
        out: folder to write to, None for figures/ in the source's; files of the same names are replaced.
        options: what is drawn, and how.

    Raises:
        InputError: the source or an option is wrong, Matplotlib is missing, nothing has the measure, or
            another is writing there.
    """
    options.check()
    need_matplotlib()
    entries = _chosen(read_found(source), options.images)
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    target = folder / FOLDER if out is None else Path(out)

    with writing(target, "irnet figure"):
        done = Figured()
        names = [f"{SHEET}-{options.by}"] if options.sheet else name_files([one.name for one in entries], "")
        made = (safe_join(target, f"{name}.{kind}") for name in names for kind in options.save)
        refuse_overwriting(made, [entry.path for entry in entries])
        values = _measure(entries, options) if options.by else {}
        if options.sheet:
            _make_sheet(entries, values, target, options, done)
        else:
            _make_fields(entries, values, target, options, done)
        remove_drafts({target, *(file.parent for file in done.files)})
    return done


def _chosen(entries: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    known = {entry.name: entry for entry in entries}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise InputError(f"no image {name!r}: choose {' or '.join(near or [*known][:3])}")
    return [known[name] for name in names] if names else list(entries)


def _measure(entries: Sequence[Entry], options: FigureOptions) -> dict[str, NDArray[np.float64]]:
    """The measure of each instance of each image, nan where it is not known or of another class."""
    column, values = options.by or "", {}
    for entry in each(entries, "measuring", lambda entry: entry.name):
        cells, picture = entry.content.cells, None
        if needs_image(column):
            try:
                picture = entry.read().image
            except InputError:  # told when it is drawn
                continue
        rows: list[Row] = measure(cells, entry.name, picture, annotated=entry.content.annotated)
        mine = np.array([row["label"] == options.of for row in rows], dtype=bool)
        values[entry.name] = np.where(mine, values_of(rows, column), np.nan)

    if not any(np.isfinite(some).any() for some in values.values()):
        um = "; um per pixel are unknown" if column.endswith(("_um", "_um2")) else ""
        raise InputError(
            f"no {options.of} has {column}{um}: choose another measure, or the other class with --of"
        )
    return values


def _make_fields(
    entries: Sequence[Entry],
    values: dict[str, NDArray[np.float64]],
    target: Path,
    options: FigureOptions,
    done: Figured,
) -> None:
    """A figure of each image."""
    known = np.concatenate([np.zeros(0), *values.values()])
    low, high = options.limits or range_of(known)
    stems = name_files([entry.name for entry in entries], "")

    pairs = list(zip(entries, stems, strict=True))
    for entry, stem in each(pairs, "drawing", lambda pair: pair[0].name):
        cells = entry.content.cells
        beside = BAR_MM + BAR_SHARE * options.width if options.by else 0.0
        wide = _width_of(cells.image_shape, options.width - beside - 2 * EDGE_MM)
        try:
            picture = _fitting(entry.read().image, wide)
        except InputError as error:
            done.errors.append(f"{entry.name}: {error}")
            continue

        by = None
        if options.by:
            by = Measured(title_of(options.by), values[entry.name], low, high)
        style = Style(
            width=options.line,
            fill=options.fill,
            numbers=entry.content.numbered,
            ids=options.ids,
            scale_bar=options.scale_bar,
            by=by,
        )
        figure, axes = _axes(wide, cells.image_shape, beside=beside)
        draw_outlines(cells, picture, axes, style)
        _save(figure, target, stem, options.save, done)


def _make_sheet(
    entries: Sequence[Entry],
    values: dict[str, NDArray[np.float64]],
    target: Path,
    options: FigureOptions,
    done: Figured,
) -> None:
    """One figure of the instances that lead in a measure; what the edge of an image cuts is left out."""
    ranked, cut = [], 0
    for number, entry in enumerate(entries):
        known = np.isfinite(values.get(entry.name, np.zeros(0)))
        at_edge = entry.content.cells.at_border[: len(known)]
        cut += int((known & at_edge).sum())
        for index in np.flatnonzero(known & ~at_edge).tolist():
            ranked.append((-float(values[entry.name][index]), number, index))
    if not ranked:
        raise InputError(f"the edge of an image cuts all {cut} that have {options.by}: nothing to show")
    shown = sorted(ranked)[: options.sheet]
    if (height := form_of(len(shown), options.width)[2]) > TALLEST_MM:
        raise InputError(
            f"--sheet {len(shown)}: a sheet of --width {options.width:g} mm would be {height:.0f} mm high, "
            f"and {TALLEST_MM:g} is the most: show fewer, or give more width"
        )

    tiles: dict[tuple[float, int, int], Tile] = {}
    for number in each(sorted({number for _, number, _ in shown}), "reading", lambda n: entries[n].name):
        try:
            image = entries[number].read().image
        except InputError as error:
            done.errors.append(f"{entries[number].name}: {error}")
            continue
        mine = [one for one in shown if one[1] == number]
        tiles |= {one: _tile(entries[number], image, one[2], -one[0]) for one in mine}
    if not tiles:
        return

    title = f"{options.of}, by {title_of(options.by or '')}, highest first: {len(tiles)} of {len(ranked)}"
    style = Style(width=options.line, fill=options.fill, scale_bar=options.scale_bar, dash_bare=False)
    figure = draw_sheet([tiles[one] for one in sorted(tiles)], title, width_mm=options.width, style=style)
    _save(figure, target, f"{SHEET}-{options.by}", options.save, done)
    if cut:
        done.notes.append(f"{number_of(cut, 'instance')} cut by the edge of an image left out")


def _tile(entry: Entry, image: Picture, index: int, value: float) -> Tile:
    content = entry.content
    name = name_instance(entry.name, content.numbered[index])
    return Tile(family_of(content.cells, index), image, name, as_text(value))


def _fitting(image: Picture, width_mm: float) -> Picture:
    """The image with no more pixels than its place in the figure shows."""
    share = width_mm / MM * DPI / image.shape[1]
    return image if share >= 1 else resize(image, round(share * max(image.shape[:2])))


def _width_of(shape: tuple[int, int], most: float) -> float:
    """mm that an (H, W) image is wide in its figure: `most`, or less where it would be too high."""
    return min(most, (TALLEST_MM - 2 * EDGE_MM) * shape[1] / shape[0])


def _axes(wide: float, shape: tuple[int, int], *, beside: float) -> tuple[Figure, Axes]:
    """Axes for an (H, W) image `wide` mm wide, in a figure with `beside` mm left at the right."""
    from matplotlib.figure import Figure

    high = wide * shape[0] / shape[1]
    size = wide + beside + 2 * EDGE_MM, high + 2 * EDGE_MM
    figure = Figure(figsize=(size[0] / MM, size[1] / MM))
    axes = figure.add_axes((EDGE_MM / size[0], EDGE_MM / size[1], wide / size[0], high / size[1]))
    return figure, axes


def _save(figure: Figure, folder: Path, stem: str, kinds: Collection[str], done: Figured) -> None:
    """Write a figure in several formats; what is alike gives the same file."""
    from matplotlib import rc_context

    inches = float(np.prod(figure.get_size_inches()))
    dots = {"png": min(DPI, (PNG_PIXELS / inches) ** 0.5)}
    boxes = "letters that the font lacks are boxes in PDF and PNG files; SVG files keep them"

    for kind in (kind for kind in SAVES if kind in kinds):
        content = io.BytesIO()
        for axes in figure.axes:
            for shown in axes.images:  # pixels stay as they are where lines are lines
                shown.set_interpolation("antialiased" if kind == "png" else "none")
        with rc_context(PLAIN), warnings.catch_warnings(record=True) as said:
            warnings.filterwarnings("always", message="Glyph")
            figure.savefig(content, format=kind, dpi=dots.get(kind, DPI), metadata=UNDATED[kind])
        if kind != "svg" and any("Glyph" in str(one.message) for one in said) and boxes not in done.notes:
            done.notes.append(boxes)

        done.files.append(safe_join(folder, f"{stem}.{kind}"))
        write_atomic(done.files[-1], content.getvalue())
