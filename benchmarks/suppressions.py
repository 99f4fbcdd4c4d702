"""What do the rows of studies score at each IoU of suppression, in AJI and where cells overlap?

    python benchmarks/suppressions.py STUDY ... --rows maskrcnn irnet --svg curves.svg

A lower IoU takes doubled cells away, and cells that lie under others with them: AJI and overlap recall are
one choice. The finds that `irnet study` wrote are suppressed once more, by boxes, at each IoU; thresholds of
each row, seed and IoU come from validation images, the scores from test images. Only cytoplasms are asked
about, and only seeds of which all rows are finished are taken. The dot is where the recipe stands.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tuned_nms import IOUS, ROWS, by_boxes, finished_seeds

from irnet.cells import CYTOPLASM, Cells
from irnet.data.files import write_text
from irnet.data.sample import Entry
from irnet.metrics import score_image
from irnet.report.plot import Line, Panel, draw_panels
from irnet.study.record import Study, open_study
from irnet.study.render import number, number_table
from irnet.study.scoring import TEST, VAL, choose_cuts, read_predicted_cells

RIGHT, TICKS = 0.4, 4  # end of the axis of overlap recall, and its marks
DRAWN = 0.2  # IoUs below lose more than half of the overlaps that are found at .55


class Place(NamedTuple):
    """What one row scores at one IoU."""

    aji: float  # mean of images
    f1: float  # mean of images
    overlap_recall: float  # pooled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY")
    parser.add_argument("--rows", nargs="+", choices=ROWS, required=True)
    parser.add_argument("--svg", type=Path, help="the curves, a panel a study")
    arguments = parser.parse_args()

    panels = []
    for folder in arguments.studies:
        study = open_study(None, folder)
        seeds = finished_seeds(study, arguments.rows)
        curves = {row: curve(study, row, seeds) for row in arguments.rows}
        print(f"{folder.name}, seeds {', '.join(map(str, seeds))}\n\n{table(curves)}", flush=True)
        panels.append(panel(folder.name, curves))
    if arguments.svg:
        write_text(arguments.svg, draw_panels(panels, columns=2))


def curve(study: Study, row: str, seeds: Sequence[int]) -> dict[float, Place]:
    """The mean over seeds at each IoU."""
    places: dict[float, list[Place]] = {iou: [] for iou in IOUS}
    for seed in seeds:
        folder = study.folder(row, seed)
        val = Part.read(folder / VAL, study.parts.val)
        test = Part.read(folder / TEST, study.parts.test)
        for iou in IOUS:
            places[iou].append(place(val.at(iou), test.at(iou)))
    return {iou: Place(*np.mean(found, axis=0).tolist()) for iou, found in places.items()}


class Part(NamedTuple):
    """Images of one part, and the cytoplasms that were found in them."""

    entries: Sequence[Entry]
    found: Sequence[Cells]

    @classmethod
    def read(cls, path: Path, entries: Sequence[Entry]) -> "Part":
        return cls(entries, [cells.of(CYTOPLASM) for cells in read_predicted_cells(path, entries)])

    def at(self, iou: float) -> "Part":
        """What suppression at an IoU leaves."""
        return self._replace(found=[by_boxes(cells, {CYTOPLASM: iou}) for cells in self.found])


def place(val: Part, test: Part) -> Place:
    """The scores of the test images at the threshold that validation images choose."""
    cuts = choose_cuts(*val)
    parts = []
    for entry, cells in zip(*test, strict=True):
        if score := score_image(entry.content, cells, cuts).classes.get(CYTOPLASM):
            parts.append(score.ratios)

    overlaps = [part["overlap_recall"] for part in parts]
    return Place(
        aji=mean([part["aji"].value for part in parts]),
        f1=mean([part["f1"].value for part in parts]),
        overlap_recall=sum(one.numerator for one in overlaps) / sum(one.denominator for one in overlaps),
    )


def mean(values: Sequence[float | None]) -> float:
    """Of those that are defined."""
    return float(np.mean([value for value in values if value is not None]))


def table(curves: Mapping[str, Mapping[float, Place]]) -> str:
    """The scores of each row at each IoU."""
    lines = []
    for row, places in curves.items():
        lines += [[ROWS[row].title, f"{iou:g}", *map(number, at)] for iou, at in places.items()]
    return number_table(["row", "IoU", "AJI cytoplasm", "F1 cytoplasm", "overlap recall"], lines)


def panel(name: str, curves: Mapping[str, Mapping[float, Place]]) -> Panel:
    """AJI against overlap recall, a line a row, from DRAWN on."""
    lines = []
    for row, places in curves.items():
        points = [(at.overlap_recall / RIGHT, at.aji) for iou, at in places.items() if iou >= DRAWN]
        lines.append(Line(title=ROWS[row].title, points=points, dot=points[-1]))
    ticks = [(i / TICKS, f"{i / TICKS * RIGHT:g}") for i in range(TICKS + 1)]
    return Panel(title=f"AJI of cytoplasms, {name}", x="overlap recall", lines=lines, ticks=ticks)


if __name__ == "__main__":
    main()
