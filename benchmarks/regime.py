"""What each row of a study gains over Mask R-CNN, or over another row, against the number of training fields.

    python benchmarks/regime.py benchmarks/results/regime/*.csv --over maskrcnn irnet-df-msk > page.md
    python benchmarks/regime.py benchmarks/results/regime/cps-*.csv --svg regime.svg
    python benchmarks/regime.py benchmarks/results/regime/cps-60.csv --over irnet-no-irm
    python benchmarks/regime.py large-60.csv --over maskrcnn --control largetuned-60.csv

Each file is images_table1.csv of a study (`irnet study table1`), renamed to SET-FIELDS.csv: what every test
image scored; images_table2.csv may follow in the same file. What is printed says how to read it. With
`--control` the row that others are compared to is that of another study of the same test images.
"""

import argparse
import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path

import numpy as np

from irnet.data.files import write_atomic
from irnet.metrics.statistics import (
    Difference,
    Ratios,
    SeededEstimate,
    Weights,
    difference,
    image_mean,
    pooled,
    sample_weights,
)
from irnet.report.plot import Line, Panel, draw_panels
from irnet.study.one_cut import ONE_CUTS
from irnet.study.render import number, number_table, signed, with_bounds
from irnet.study.results import OVERLAP_RECALL
from irnet.study.rows import MASK_RCNN, TABLE1, TABLE2, TITLES
from irnet.study.sections import with_spread
from irnet.study.spread import share_spreads

ROWS = {row.key: row for row in (*TABLE1, *TABLE2)}
CUTS = {"own thresholds": "", **{f"a cut of {cut:g} for all": f"@{cut:g}" for cut in ONE_CUTS}}
INTRODUCTION = """# The comparison in full

What `benchmarks/regime.py` prints of `benchmarks/results/regime/`. How sets and studies are made, and what
follows: [results](results.md). Scores are means of images, overlap recall is pooled; brackets hold 95 %
intervals over patients, ± is the standard deviation over seeds.

A gain, such as `+.031 [+.023, +.038]; 5/5; .017`, is the paired difference of scores averaged over seeds,
its 95 % interval over patients, in how many seeds it has that sign, and the smallest true gain that four of
five such studies would find, from the errors of patients and seeds together; the rows of a study share one
spread over seeds. The interval alone leaves the chance of training out. A gain above the last number is
resolved, between seven tenths of it and all doubtful, below it may well be chance; the first table has those
that are resolved in bold, and the paper's beside them."""
SETS = {  # what the names of the files stand for
    "cps": "Generated as CPS, what lies under a cell shines through",
    "hidden": "The same, cells hide what lies under them",
    "real": "Composites of real cells",
    "tuned": "The first set, each row with a suppression of its own, seeds 3 and 4",
    "large": "Generated as CPS, a larger network (9.3 to 10.2 million parameters, not 4.2 to 4.8)",
    "largetuned": "The larger network, each row with a suppression of its own",
}
COLUMNS = [*(f"{figure}{cut}" for figure in TITLES for cut in CUTS.values()), OVERLAP_RECALL]


@dataclass(frozen=True)
class Study:
    """What the test images of one study scored, by row."""

    name: str
    fields: int
    images: tuple[str, ...]
    seeds: dict[str, tuple[int, ...]]
    ratios: dict[tuple[str, str], Ratios]  # (row, column) -> (seeds, images, 2)
    weights: Weights

    @classmethod
    def read(cls, path: Path) -> "Study":
        """Read NAME-FIELDS.csv."""
        name, _, fields = path.stem.rpartition("-")
        if not fields.isdecimal():
            raise SystemExit(f"{path}: call it NAME-FIELDS.csv, such as cps-60.csv: how many fields train it")
        tables = re.split(r"^(?=row,)", path.read_text(), flags=re.MULTILINE)  # each with a header of its own
        lines = [line for table in tables for line in csv.DictReader(table.splitlines())]
        patients = {line["image"]: line["patient"] or None for line in lines}

        grouped = defaultdict[str, dict[int, dict]](dict)  # row -> seed -> image -> line
        for line in lines:
            grouped[line["row"]].setdefault(int(line["seed"]), {})[line["image"]] = line

        ratios = {}
        for row, seeds in grouped.items():
            for column in COLUMNS:
                values = [[_ratio(found[image], column) for image in patients] for found in seeds.values()]
                ratios[row, column] = np.array(values, dtype=np.float64)

        return cls(
            name=name,
            fields=int(fields),
            images=tuple(patients),
            seeds={row: tuple(grouped[row]) for row in ROWS if row in grouped},
            ratios=ratios,
            weights=sample_weights(len(patients), [*patients.values()], seed=0),
        )

    def estimate(self, row: str, column: str, seeds: Sequence[int] | None = None) -> SeededEstimate:
        """A figure of a row: the mean of images, overlap recall pooled; of some of its seeds alone."""
        table = self.ratios[row, column]
        if seeds is not None:
            table = table[[self.seeds[row].index(seed) for seed in seeds]]
        return (pooled if column == OVERLAP_RECALL else image_mean)(table, self.weights)

    def gains(self, column: str, over: str, control: "Study | None" = None) -> dict[str, Difference]:
        """Of every other row with that figure over the one, with the spread over seeds that all share.

        With a `control` over the row of that study, which every row here is another than.
        """
        found = {}
        for row in self.seeds:
            part = self._gain(row, column, over, control or self)
            if part is not None:
                found[row] = {column: part}
        shared = share_spreads({row: parts for row, parts in found.items() if ROWS[row].has_seeds})
        return {row: parts[column] for row, parts in (found | shared).items()}

    def _gain(self, row: str, column: str, over: str, control: "Study") -> Difference | None:
        """Over another row, in the seeds that both have; a row without seeds stands beside all."""
        if (row == over and control is self) or over not in control.seeds:
            return None
        if not np.any(self.ratios[row, column]) or not np.any(control.ratios[over, column]):
            return None
        if not (ROWS[row].has_seeds and ROWS[over].has_seeds):
            return difference(self.estimate(row, column), control.estimate(over, column))

        both = [seed for seed in self.seeds[row] if seed in control.seeds[over]]
        if not both:
            return None
        part = difference(self.estimate(row, column, both), control.estimate(over, column, both))
        by_seed = dict(zip(both, part.seeds, strict=True))
        return replace(part, seeds=tuple(by_seed.get(seed) for seed in control.seeds[over]))


def _ratio(line: dict[str, str], column: str) -> tuple[float, float]:
    """Numerator and denominator of a figure of an image; 0 / 0 is undefined."""
    if column == OVERLAP_RECALL:
        return float(line["overlap found, px"] or 0), float(line["overlap, px"] or 0)
    return (float(line[column]), 1.0) if line.get(column) else (0.0, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+", metavar="SET-FIELDS.csv")
    parser.add_argument(
        "--over",
        nargs="+",
        choices=ROWS,
        default=[MASK_RCNN.key],
        help="the rows that others are compared to, one after another",
    )
    parser.add_argument("--control", type=Path, metavar="SET-FIELDS.csv", help="study that has those rows")
    parser.add_argument("--svg", type=Path, help="gains against fields")
    arguments = parser.parse_args()
    if arguments.control and arguments.svg:
        parser.error("--svg draws gains within each study: leave out --control")

    studies = [Study.read(path) for path in arguments.studies]
    studies.sort(key=lambda study: (study.name, study.fields))
    if arguments.control:
        print("\n\n".join(beside(studies, Study.read(arguments.control), arguments.over)))
        return

    print(f"{INTRODUCTION}\n\n{overview(studies)}")
    for name, part in groupby(studies, lambda study: study.name):
        print(f"\n## {SETS.get(name, name)}")
        of_set = [*part]
        for study in of_set:
            print(f"\n{study.fields} training fields:\n\n{values(study)}")
        for over, (title, cut) in product(arguments.over, CUTS.items()):
            known = [study for study in of_set if over in study.seeds]
            if table := gain_table(known, cut, over):
                print(f"\nGain over {ROWS[over].title}, {title}:\n\n{table}")
    if arguments.svg:
        write_atomic(arguments.svg, plot(studies, arguments.over[0]).encode())


def beside(studies: Sequence[Study], control: Study, rows: Sequence[str]) -> Iterator[str]:
    """What the rows of studies gain over rows of another, at the thresholds of each."""
    if any(study.images != control.images for study in studies):
        raise SystemExit(f"{control.name}: other test images than those of the studies")
    for over in rows:
        yield f"Over {ROWS[over].title} of {control.name}:\n\n{gain_table(studies, '', over, control)}"


def values(study: Study) -> str:
    """AJI, F1 and overlap recall of each row at its own thresholds."""
    rows = []
    for row, seeds in study.seeds.items():
        texts = [with_spread(study.estimate(row, column)) for column in (*TITLES, OVERLAP_RECALL)]
        rows.append([ROWS[row].title, str(len(seeds)), *texts])
    return number_table(["row", "seeds", *TITLES.values(), "overlap recall"], rows)


def overview(studies: Sequence[Study]) -> str:
    """What each row gains over Mask R-CNN at its own thresholds, beside the paper's figure."""
    rows = []
    for figure, title in TITLES.items():
        found = [study.gains(figure, MASK_RCNN.key) for study in studies]
        for key, row in ROWS.items():
            if any(key in gains for gains in found):
                texts = [emphasised(gains[key]) if key in gains else "-" for gains in found]
                paper = signed(row.paper[figure] - MASK_RCNN.paper[figure]) if row.paper else "-"
                rows.append([f"{title}: {row.title}", paper, *texts])
    names = [f"{study.name}, {study.fields} fields" for study in studies]
    return number_table([f"over {MASK_RCNN.title}", "the paper, 289 fields", *names], rows)


def emphasised(part: Difference) -> str:
    """A difference, bold where it is larger than the smallest that is resolved, by patients and seeds."""
    text = signed(part.value)
    resolved = part.seeds_error is not None and abs(part.value or 0.0) > (part.resolvable or 0.0)
    return f"**{text}**" if resolved else text


def gain_table(studies: Sequence[Study], cut: str, over: str, control: Study | None = None) -> str:
    """Paired differences of each row to the row `over`, figure by figure, a column a study; empty if none."""
    rows = []
    for figure, title in (TITLES if cut else TITLES | {OVERLAP_RECALL: "overlap recall"}).items():
        found = [study.gains(f"{figure}{cut}", over, control) for study in studies]
        for row in ROWS:
            if any(row in gains for gains in found):
                cells = [told(gains[row]) if row in gains else "-" for gains in found]
                rows.append([f"{title}: {ROWS[row].title}", *cells])
    titles = [f"{study.fields} fields" for study in studies]
    return number_table([f"over {ROWS[over].title}", *titles], rows) if rows else ""


def told(part: Difference) -> str:
    """A difference, in how many seeds it has that sign, and the smallest that could be resolved."""
    known = len(part.seeds) - part.unknown
    return f"{with_bounds(part)}; {part.agreeing}/{known}; {number(part.resolvable)}"


def plot(studies: Sequence[Study], over: str) -> str:
    """The gains of networks at own thresholds against the fields, those of one number side by side.

    JOMLS, which is no network, lies so far below that nothing else could be told apart.
    """
    panels, most = [], len(studies)
    for figure, title in TITLES.items():
        lines = []
        of_studies = [study.gains(figure, over) for study in studies]
        for place, row in enumerate(ROWS):
            found = [(at, gains[row]) for at, gains in enumerate(of_studies) if row in gains]
            if not found or not ROWS[row].has_seeds:
                continue
            known = [((at + 0.5 + 0.03 * (place - 3)) / most, part) for at, part in found]
            lines.append(
                Line(
                    title=ROWS[row].title,
                    points=[(x, part.value or 0.0) for x, part in known],
                    marked=True,
                    bars=[(x, part.low or 0.0, part.high or 0.0) for x, part in known],
                )
            )
        ticks = [((at + 0.5) / most, str(study.fields)) for at, study in enumerate(studies)]
        panels.append(Panel(title=f"gain in {title}", x="training fields", lines=lines, ticks=ticks))
    return draw_panels(panels, columns=2)


if __name__ == "__main__":
    main()
