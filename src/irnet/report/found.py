"""The page of what was found: headline numbers, distributions, what to look at first, images, the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from markupsafe import Markup

from irnet.cells import Cells
from irnet.data.coco.run_record import RunRecord
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.morphometry.images import count_instances
from irnet.morphometry.table import Row, measure
from irnet.progress import each
from irnet.report.close_up import draw_close_up
from irnet.report.draw import Picture
from irnet.report.figure import count
from irnet.report.histogram import draw_histogram
from irnet.report.labels import write_numbers
from irnet.report.outliers import Group, Outlier, area_unit, find_outliers
from irnet.report.page import Table, Value, render
from irnet.report.pictures import Album, Shown, draw_field, length_um
from irnet.report.provenance import describe_run
from irnet.wording import UNKNOWN, name_instance, number_and_noun, number_of

MOST_NUMBERED = 150  # instances of an image whose numbers are written on its picture


class Page(NamedTuple):
    """A finished page."""

    html: str
    missing: list[str]  # what is not on it, and why


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """An image, and the rows of cells.csv that are of it."""

    entry: Entry
    rows: list[Row]

    @property
    def cells(self) -> Cells:
        """What was found in it."""
        return self.entry.content.cells

    @property
    def annotated(self) -> frozenset[int]:
        """Classes that were annotated in it, or looked for."""
        return self.entry.content.annotated

    @property
    def counts(self) -> dict[str, int | None]:
        """The counts of images.csv, None for what is not known."""
        return count_instances(self.rows, self.annotated)

    @property
    def numbers(self) -> Sequence[int]:
        """The number of each instance."""
        return self.entry.content.numbered

    def of(self, label: str) -> list[Row]:
        """The rows of one class."""
        return [row for row in self.rows if row["label"] == label]


@dataclass(eq=False)
class _Pictures:
    """What could be drawn; the rest has a reason."""

    fields: list[Shown | None] = field(default_factory=list)
    close_ups: dict[Outlier, Shown] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)  # number of the image -> reason


def found_page(entries: Sequence[Entry], run: RunRecord, *, title: str) -> Page:
    """The page of images and what was found in them."""
    fields = []
    for entry in each(entries, "measuring", lambda entry: entry.name):
        content = entry.content
        rows = measure(content.cells, entry.name, numbers=content.numbered, annotated=content.annotated)
        fields.append(MeasuredImage(entry, rows))

    # px of images of unlike scales are never put together: um2 of those that have it, if there is any.
    area = "area_um2" if any(one.cells.mpp is not None for one in fields) else "area_px"

    groups = find_outliers([one.rows for one in fields], area)
    pictures = _draw(fields, groups)

    html = render(
        "found.html",
        title=title,
        date=run.said.get("date"),
        headline=_headline(fields),
        histograms=_histograms(fields, area),
        groups=groups,
        name_of=lambda outlier: name_instance(fields[outlier.field].entry.name, outlier.id),
        gallery=list(zip(fields, pictures.fields, strict=True)),
        pictures=pictures,
        left_out=len(fields) - sum(map(bool, pictures.fields)) - len(pictures.missing),
        count=count,
        most_numbered=MOST_NUMBERED,
        tables=[_image_table(fields, area), *_patient_table(fields, area)],
        provenance=describe_run(run),
    )
    return Page(html, [f"no picture: {reason}" for reason in pictures.missing.values()])


def _draw(fields: Sequence[MeasuredImage], groups: Sequence[Group]) -> _Pictures:
    """Read each image once, for its own picture and the close-ups from it."""
    album, pictures = Album(len(fields)), _Pictures()
    outliers = [outlier for group in groups for outlier in group.outliers]
    for number, one in enumerate(each(fields, "drawing", lambda one: one.entry.name)):
        mine = [outlier for outlier in outliers if outlier.field == number]
        try:
            image = one.entry.read().image if album.places or mine else None
        except InputError as error:
            pictures.missing[number] = str(error)
            image = None

        shown = None
        if image is not None:
            shown = album.add(_draw_field(image, one), length_um(one.cells)) if album.places else None
            pictures.close_ups |= {o: draw_close_up(image, one.cells, one.numbers.index(o.id)) for o in mine}
        pictures.fields.append(shown)
    return pictures


def _draw_field(image: Picture, one: MeasuredImage) -> Picture:
    """The image with contours and, where these are not too many to read, the number of each instance."""
    drawn = draw_field(image, one.cells).copy()
    if len(one.cells) > MOST_NUMBERED:
        return drawn
    write_numbers(drawn, one.cells, one.numbers, zoom=max(drawn.shape) / max(image.shape))
    return drawn


def _headline(fields: Sequence[MeasuredImage]) -> list[tuple[str, str]]:
    """What a reader wants to know first: (number, what it is)."""
    ratios = _known(fields, "cytoplasm", "nc_ratio")
    patients = len({one.entry.patient for one in fields if one.entry.patient is not None})
    scale, what = _scale(fields)
    numbers = [
        number_and_noun(len(fields), "image"),
        number_and_noun(patients, "patient"),
        _how_many(fields, "cells", "cell"),
        _how_many(fields, "nuclei", "nucleus"),
        (
            f"{median(ratios):.2f}" if ratios else UNKNOWN,
            f"median N:C ratio (nuclei over cytoplasm) of {number_of(len(ratios), 'whole cell')}",
        ),
        (scale, what),
    ]
    return [part for part in numbers if part != ("0", "patients")]


def _how_many(fields: Sequence[MeasuredImage], name: str, noun: str) -> tuple[str, str]:
    """How many there are in the images that say so."""
    known = [value for one in fields if (value := one.counts[name]) is not None]
    number, things = number_and_noun(sum(known), noun)
    if not known:
        return UNKNOWN, f"{things}: not annotated"
    return number, things if len(known) == len(fields) else f"{things} in {number_of(len(known), 'image')}"


def _scale(fields: Sequence[MeasuredImage]) -> tuple[str, str]:
    known = sorted({one.cells.mpp for one in fields if one.cells.mpp is not None})
    unknown = sum(one.cells.mpp is None for one in fields)
    if not known:
        return "unknown", "µm per pixel; sizes are in px"
    text = f"{known[0]:.4g}" if len(known) == 1 else f"{known[0]:.4g} to {known[-1]:.4g}"
    left_out = f"; unknown of {number_of(unknown, 'image')}, whose sizes are left out" if unknown else ""
    return text, f"µm per pixel{left_out}"


def _histograms(fields: Sequence[MeasuredImage], area: str) -> list[tuple[str, Markup]]:
    """Caption and picture of each distribution; cells that the edge cuts have neither ratio nor area."""
    unit = area_unit(area)
    charts = [
        ("N:C ratio (nuclei over cytoplasm)", _known(fields, "cytoplasm", "nc_ratio"), "N:C ratio"),
        ("Area of whole cells", _known(fields, "cytoplasm", area), f"area, {unit}"),
        ("Area of nuclei", _known(fields, "nucleus", area), f"area, {unit}"),
    ]
    drawn = [
        (f"{title}, n = {len(values)}", Markup(draw_histogram(values, x))) for title, values, x in charts
    ]
    counts = [value for one in fields if (value := one.counts["cells"]) is not None]
    return [*drawn, ("Cells per image", Markup(draw_histogram(counts, "cells", whole=True)))]


def _known(fields: Iterable[MeasuredImage], label: str, column: str) -> list[float]:
    """Values of a column, of instances that the image's edge does not cut."""
    rows = [row for one in fields for row in one.of(label) if not row["touches_border"]]
    return [float(value) for row in rows if isinstance(value := row[column], int | float)]


def _image_table(fields: Sequence[MeasuredImage], area: str) -> Table:
    rows: list[list[Value]] = []
    for one in fields:
        height, width = one.cells.image_shape
        rows.append([one.entry.name, f"{width}\u00a0×\u00a0{height}", one.cells.mpp, *_figures([one], area)])
    return Table(
        caption="Images", columns=["image", "size, px", "µm per px", *_figure_names(area)], rows=rows
    )


def _patient_table(fields: Sequence[MeasuredImage], area: str) -> list[Table]:
    """None where no image names a patient."""
    patients: dict[str, list[MeasuredImage]] = {}
    for one in fields:
        if one.entry.patient is not None:
            patients.setdefault(one.entry.patient, []).append(one)
    rows = [[name, len(theirs), *_figures(theirs, area)] for name, theirs in patients.items()]
    columns = ["patient", "images", *_figure_names(area)]
    return [Table(caption="Patients", columns=columns, rows=rows)] if rows else []


def _figure_names(area: str) -> list[str]:
    unit = area_unit(area)
    medians = [f"cell area, {unit}", f"nucleus area, {unit}", "N:C ratio"]
    parts = ["cells", "nuclei", "without nucleus", "bare nuclei", "overlapping", "cut by the edge"]
    return [*parts, *(f"median {name}" for name in medians)]


def _figures(fields: Sequence[MeasuredImage], area: str) -> list[Value]:
    """What both tables say of some images."""
    columns: Mapping[str, list[float]] = {
        "cell": _known(fields, "cytoplasm", area),
        "nucleus": _known(fields, "nucleus", area),
        "ratio": _known(fields, "cytoplasm", "nc_ratio"),
    }
    return [
        *_add_up([one.counts for one in fields]),
        *(float(median(values)) if values else None for values in columns.values()),
    ]


def _add_up(counts: Sequence[dict[str, int | None]]) -> list[int | None]:
    """The sum of each count over the images that know it, None where none does."""
    sums: list[int | None] = []
    for name in counts[0]:
        known = [count for one in counts if (count := one[name]) is not None]
        sums.append(sum(known) if known else None)
    return sums
