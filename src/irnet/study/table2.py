"""Table 2: what the instance relation module is made of."""

from __future__ import annotations

from collections.abc import Sequence

from irnet.study import sections
from irnet.study.render import number, number_table
from irnet.study.results import RowResult
from irnet.study.rows import FIGURES, TITLES, WITHOUT_IRM
from irnet.study.rows import TABLE2 as ROWS
from irnet.study.tables import Section, Table

PARTS = ("DF", "MSK", "RL")


def marked_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 under the paper's check marks: deep features, masks, relation."""
    rows = []
    for result in results:
        figures = [
            text
            for figure in FIGURES
            for text in (sections.with_spread(result.main(figure)), number(result.row.paper.get(figure), 4))
        ]
        rows.append([*("✓" if part in result.row.parts else "" for part in PARTS), *figures])
    return number_table([*PARTS, *(t for f in FIGURES for t in (TITLES[f], "paper"))], rows)


def table2_sections(
    results: Sequence[RowResult], control: RowResult | None, distractors: dict[str, int]
) -> list[Section]:
    """The parts of the page, in order."""
    return [
        Section(
            "AJI and F1, mean of images",
            "DF: deep features, MSK: first masks, RL: relation. The DRM is on in every row.",
            marked_table(results),
        ),
        Section(
            f"Relative gain over {WITHOUT_IRM.title}, ours / the paper's",
            "",
            sections.gain_table(results, control),
        ),
        Section(
            f"Paired difference to {WITHOUT_IRM.title}",
            "In the same samples of patients, and seed by seed.",
            sections.difference_table(results, control),
        ),
        Section("AJI and F1, pooled over images", "", sections.pooled_table(results)),
        Section("Where cells overlap", "Pooled.", sections.overlap_table(results)),
        Section("COCO mask AP", "", sections.precision_table(results)),
        Section(
            "False finds by what they were taken from",
            "Cytoplasm / nuclei, on all test images, mean over seeds.",
            sections.distractor_table(results, distractors),
        ),
        Section("Thresholds", "Of each seed, from validation.", sections.threshold_table(results)),
        Section("Cost", "", sections.cost_table(results)),
    ]


TABLE2 = Table("table2", "Table 2: the instance relation module", ROWS, WITHOUT_IRM, table2_sections)
