"""`irnet report` of whole slides: rows, notes, overviews, and crops of cells at the ends of measures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS
from irnet.data.file_names import PLAN, SLIDES_RUN
from irnet.errors import InputError
from irnet.progress import each
from irnet.report.close_up import LEAST_WINDOW, MARGIN, ROOM, draw_close_up
from irnet.report.found import Page
from irnet.report.measures import title_of
from irnet.report.pictures import Shown
from irnet.report.slides import OVERVIEW, CellFigure, SlideFigure, draw_density, show_overview, slides_page
from irnet.slides.instance import as_cells
from irnet.slides.layout import Layout
from irnet.slides.overview import shrink
from irnet.slides.plan import Plan, SlidePlan
from irnet.slides.readers.slide import Pixels, Slide
from irnet.slides.reading import Instance, Store, open_store
from irnet.slides.store import SORTED_BY, TILE
from irnet.slides.windows import PHASE
from irnet.verbs.finished_slides import finished_slides
from irnet.verbs.slide_notes import notes_of, read_quality
from irnet.verbs.slide_rows import rows_of_slides
from irnet.verbs.slide_run import open_planned
from irnet.wording import name_instance, number_and_noun, number_of

MOST_CROPS = 360  # on a page: 5 MB
NEAR = 200  # instances that are drawn around one
_OF_CELLS = ("nuclei", "nc_ratio")
_NO_PLAN = "where the slide lies is not known: its plan.json is not beside cells.db"


class End(NamedTuple):
    """One end of a measure of cells, or of nuclei."""

    label: int
    measure: str
    highest: bool


ENDS = [
    End(label, measure, highest)
    for measure in SORTED_BY
    for label in (CYTOPLASM, NUCLEUS)
    for highest in (True, False)
    if not (label == NUCLEUS and measure in _OF_CELLS) and (highest or measure != "nuclei")  # many have none
]


@dataclass(frozen=True)
class _Open:
    """A slide that is open, and how its pixels become those of cells.db."""

    slide: Slide
    layout: Layout

    def pixels(self, frame: tuple[int, int, int, int]) -> Pixels:
        """A frame at the network's scale; it starts on the grid of PHASE px."""
        plane, level = self.layout.plane, self.layout.level
        return self.layout.resampling.cut_out(lambda box: self.slide.read(plane, level, box), frame)


def report_slides(source: Path) -> Page:
    """The page of what was found on slides. Raises InputError where none is finished.

    One that is not is left out, one whose file is gone or another is there without pictures: that is told.
    """
    finished = finished_slides(source)
    paths = [path.resolve() for path in finished.paths]
    figures, metas = [], []
    galleries = MOST_CROPS // len(ENDS)  # slides that have one
    a_slide = max(1, galleries // len(paths))  # instances of each end
    for number, path in enumerate(each(paths, "drawing", lambda path: path.parent.name)):
        with open_store(path) as store:
            metas.append(store.meta)
            figures.append(_figure(store, path.parent, a_slide if number < galleries else 0))

    headline = [
        number_and_noun(len(figures), "slide"),
        number_and_noun(sum(meta.cells for meta in metas), "cell"),
        number_and_noun(sum(meta.nuclei for meta in metas), "nucleus"),
    ]
    if finished.left_out:
        headline.append((str(len(finished.left_out)), "left out"))
    html = slides_page(
        figures,
        rows_of_slides(paths, metas),
        title=source.resolve().name,
        headline=headline,
        chosen=_how_chosen(a_slide, min(galleries, len(paths)), len(paths)),
        provenance=[
            *(("left out", reason) for reason in finished.left_out),
            *_describe_run(paths[0].parent.parent.parent),
        ],
    )
    without = [f"no picture: {figure.name}: {figure.problem}" for figure in figures if figure.problem]
    return Page(html, [*finished.left_out, *without])


def _how_chosen(count: int, galleries: int, slides: int) -> str:
    measures = "; ".join(map(_plain, SORTED_BY))
    some = f" Of {slides} slides the first {galleries} have a gallery." if galleries < slides else ""
    return (
        f"The {count} highest and lowest of all cells, and of all nuclei, by each of {measures}; without "
        f"those that the edge of a window cuts.{some}"
    )


def _figure(store: Store, folder: Path, count: int) -> SlideFigure:
    """A slide with `count` instances of each end."""
    quality, chosen = read_quality(folder), _choose(store, count)
    with ExitStack() as stack:
        opened, problem = None, None
        try:
            opened = _open(folder, stack)
            pictures = _overviews(store, opened)
            crops = {one.id: _crop(store, opened, one) for one, _ in chosen}
        except InputError as error:
            problem, crops, pictures = str(error), {}, _overviews(store, None)

    cells = []
    for one, reasons in chosen:
        name, label = name_instance(store.meta.name, one.id), LABEL_NAMES[one.label]
        cells.append(CellFigure(name, label, reasons, _measures(one), crops.get(one.id)))
    facts = _facts(store, quality.reader if quality else "")
    return SlideFigure(store.meta.name, facts, notes_of(quality), pictures, cells, problem)


def _open(folder: Path, stack: ExitStack) -> _Open:
    if not (folder / PLAN).is_file():
        raise InputError(_NO_PLAN)
    plan = SlidePlan.read(folder)
    return _Open(stack.enter_context(open_planned(plan, same_reader=False)), plan.layout)


def _facts(store: Store, reader: str) -> list[tuple[str, str]]:
    meta = store.meta
    height, width = meta.slide_shape
    return [
        ("size", f"{width} × {height} px, {meta.mpp / meta.px:.4g} µm per pixel"),
        ("scale of the network", f"{meta.mpp:.4g} µm per pixel"),
        *([("read by", reader)] if reader else []),
    ]


def _choose(store: Store, count: int) -> list[tuple[Instance, list[str]]]:
    """The instances at the ends of measures, each once with its reasons, by place: near ones share tiles."""
    chosen: dict[int, tuple[Instance, list[str]]] = {}
    for label, measure, highest in ENDS if count else ():
        ranked = store.ranked(measure, label=label, limit=2 * count, highest=highest)
        for one in [one for one in ranked if not one.cut][:count]:
            reason = f"{'highest' if highest else 'lowest'} {_plain(measure)}"
            chosen.setdefault(one.id, (one, []))[1].append(reason)
    return [chosen[number] for number in sorted(chosen)]


def _plain(measure: str) -> str:
    """A measure without its unit or formula."""
    return title_of(measure).split(" (")[0]


def _measures(one: Instance) -> dict[str, float | None]:
    """What the gallery sorts by, to four digits; what galleries are made of first."""
    known: dict[str, float | None] = {"score": one.score, "nuclei": one.nuclei, **one.measures}
    names = [*SORTED_BY, *(name for name in known if name not in SORTED_BY)]
    values = [(name, known[name]) for name in names]
    return {name: None if value is None else float(f"{value:.4g}") for name, value in values}


def _overviews(store: Store, opened: _Open | None) -> list[tuple[str, Shown]]:
    """The slide, if it could be opened, and where its cells lie."""
    (height, width), meta = store.meta.slide_shape, store.meta
    zoom = min(1.0, OVERVIEW / max(height, width))
    shape = max(1, round(zoom * height)), max(1, round(zoom * width))
    counts, mpp = store.tiles(), meta.mpp / meta.px / zoom

    picture, shown = None, []
    if opened is not None:
        try:
            picture = shrink(opened.slide, opened.layout.plane, (0, 0, width, height), shape)
            shown.append(("the slide", show_overview(picture, mpp)))
        except InputError:  # without smaller levels: cells are shown all the same
            picture = None
    for column, what in ((2, "cells"), (3, "nuclei")):
        corners = counts[:, [0, 1]] * TILE * meta.px * zoom
        squares = np.column_stack([corners, corners + TILE * meta.px * zoom, 1.0 * counts[:, column]])
        drawn = draw_density(picture, squares, shape)
        most = int(counts[:, column].max(initial=0))
        side = round(TILE * meta.mpp)
        caption = f"{what} in squares of {side} µm, the darkest {most}"
        shown.append((caption, show_overview(drawn, mpp)))
    return shown


def _crop(store: Store, opened: _Open, one: Instance) -> Shown:
    """An instance with its family in colour and others around it pale."""
    x1, y1, x2, y2 = one.box
    reach = max(LEAST_WINDOW, ROOM[one.label] * max(x2 - x1, y2 - y1)) / 2 + MARGIN
    height, width = store.meta.shape
    left, top = (max(0, floor(((a + b) / 2 - reach) / PHASE)) * PHASE for a, b in ((x1, x2), (y1, y2)))
    right, bottom = min(width, ceil((x1 + x2) / 2 + reach)), min(height, ceil((y1 + y2) / 2 + reach))

    around = store.within((left, top, right, bottom), limit=NEAR).instances
    near = as_cells([one, *(each for each in around if each.id != one.id)], store.meta)
    pixels = opened.pixels((left, top, right, bottom))
    inside = near.shift(
        -left, -top, (bottom - top, right - left)
    )  # what lies outside goes, this one stays first
    return draw_close_up(pixels, inside, 0)


def _describe_run(out: Path) -> list[tuple[str, str]]:
    """What found the cells, where the plan is there."""
    if not (out / SLIDES_RUN).is_file():
        return [("plan", f"not there: {SLIDES_RUN} says what found them")]
    return list(_network_facts(Plan.read(out)))


def _network_facts(plan: Plan) -> Iterator[tuple[str, str]]:
    network = plan.network
    yield "slides planned", number_of(len(plan.names), "slide")
    yield "weights", Path(str(network.get("model", ""))).name
    yield "SHA-256 of the weights", str(network.get("sha256", ""))
    scores = network.get("scores")
    if isinstance(scores, dict):
        yield "scores kept from", ", ".join(f"{name} {cut:.3g}" for name, cut in scores.items())
