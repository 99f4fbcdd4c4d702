"""Table 1: the methods compared, with all that says how far to trust the differences."""

from __future__ import annotations

from collections.abc import Sequence

from irnet.study import sections
from irnet.study.results import RowResult
from irnet.study.rows import MASK_RCNN
from irnet.study.rows import TABLE1 as ROWS
from irnet.study.tables import Section, Table


def table1_sections(
    results: Sequence[RowResult], control: RowResult | None, distractors: dict[str, int]
) -> list[Section]:
    """The parts of the page, in order."""
    over = f"over {MASK_RCNN.title}"
    return [
        Section(
            "AJI and F1, mean of images",
            "As in the paper, its figures beside ours.",
            sections.main_table(results),
        ),
        Section(f"Relative gain {over}, ours / the paper's", "", sections.gain_table(results, control)),
        Section(
            f"Paired difference to {MASK_RCNN.title}",
            "In the same samples of patients, and seed by seed.",
            sections.difference_table(results, control),
        ),
        Section("AJI and F1, pooled over images", "", sections.pooled_table(results)),
        Section(
            "Where cells overlap",
            "Pooled. Overlap recall: of the pixels under two or more true cells, those that the finds of all "
            "of them hold.",
            sections.overlap_table(results),
        ),
        Section("COCO mask AP", "Of all finds, whatever their score.", sections.precision_table(results)),
        Section(
            "ISBI 2014", "Official and greedy pairing, pooled; never alone.", sections.isbi_table(results)
        ),
        Section("Cytoplasm by overlap degree", "Pooled.", sections.degree_table(results)),
        Section("Nuclei by overlap degree", "Pooled.", sections.degree_table(results, "nucleus")),
        Section(
            "False finds by what they were taken from",
            "Cytoplasm / nuclei, on all test images, mean over seeds.",
            sections.distractor_table(results, distractors),
        ),
        Section("Thresholds", "Of each seed, from validation.", sections.threshold_table(results)),
        Section("Cost", "", sections.cost_table(results)),
    ]


TABLE1 = Table("table1", "Table 1: methods", ROWS, MASK_RCNN, table1_sections, curves=True)
