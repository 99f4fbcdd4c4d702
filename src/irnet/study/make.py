"""What `irnet study WHAT` makes: the tables, section by section, and the figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from irnet.metrics.figures import Figure, by_subject, titles
from irnet.study import rows, sections
from irnet.study.fig3 import make_figure
from irnet.study.frozen.beyond import BEYOND, make_beyond
from irnet.study.protocol import Say
from irnet.study.record import Study
from irnet.study.render import PageSection, number_table
from irnet.study.results import RowResult
from irnet.study.rows import MASK_RCNN, WITHOUT_IRM, Row, choose_rows
from irnet.study.tables import StudyPage, StudyTable, make_table

PARTS = ("DF", "MSK", "RL")


def _table1(
    results: Sequence[RowResult], control: RowResult | None, distractors: dict[str, int]
) -> list[PageSection]:
    """The parts of Table 1, the methods compared, with what says how far to trust the differences."""
    return [
        PageSection(
            "AJI and F1, mean of images",
            "As in the paper, its figures beside ours.",
            sections.main_table(results),
        ),
        *_compared_sections(MASK_RCNN, results, control),
        PageSection(
            "Where cells overlap",
            "Pooled. Overlap recall: of the pixels under two or more true cells, those that the finds of all "
            "of them hold.",
            sections.overlap_table(results),
        ),
        PageSection(
            "COCO mask AP", "Of all finds, regardless of their score.", sections.precision_table(results)
        ),
        PageSection(
            "ISBI 2014", "Official and greedy pairing, pooled; never alone.", sections.isbi_table(results)
        ),
        PageSection("Cytoplasm by overlap degree", "Pooled.", sections.degree_table(results)),
        PageSection("Nuclei by overlap degree", "Pooled.", sections.degree_table(results, "nucleus")),
        *_last_sections(results, distractors),
    ]


def _compared_sections(
    over: Row, results: Sequence[RowResult], control: RowResult | None
) -> list[PageSection]:
    """What both tables have of rows against the control row `over`; its result is None while unfinished."""
    return [
        PageSection(
            f"Relative gain over {over.title}, ours / the paper's", "", sections.gain_table(results, control)
        ),
        PageSection(
            f"Paired difference to {over.title}",
            "In the same samples of patients, and seed by seed.",
            sections.difference_table(results, control),
        ),
        PageSection("AJI and F1, pooled over images", "", sections.pooled_table(results)),
    ]


def _last_sections(results: Sequence[RowResult], distractors: dict[str, int]) -> list[PageSection]:
    """What both tables end with: false finds, thresholds, cost."""
    return [
        PageSection(
            "False finds by what they were taken from",
            "Cytoplasm / nuclei, on all test images, mean over seeds.",
            sections.distractor_table(results, distractors),
        ),
        PageSection("Thresholds", "Of each seed, from validation.", sections.threshold_table(results)),
        PageSection("Cost", "", sections.cost_table(results)),
    ]


def _marked_table(results: Sequence[RowResult]) -> str:
    """AJI and F1 under the paper's check marks: deep features, masks, relation."""
    figures = [*(Figure(part, _mark(part)) for part in PARTS), *sections.main_figures()]
    return number_table(titles(figures), by_subject(figures, results))


def _mark(part: str) -> Callable[[RowResult], str]:
    return lambda result: "✓" if part in result.row.parts else ""


def _table2(
    results: Sequence[RowResult], control: RowResult | None, distractors: dict[str, int]
) -> list[PageSection]:
    """The parts of Table 2: what the instance relation module is made of."""
    return [
        PageSection(
            "AJI and F1, mean of images",
            "DF: deep features, MSK: first masks, RL: relation. The DRM is on in every row.",
            _marked_table(results),
        ),
        *_compared_sections(WITHOUT_IRM, results, control),
        PageSection("Where cells overlap", "Pooled.", sections.overlap_table(results)),
        PageSection("COCO mask AP", "", sections.precision_table(results)),
        *_last_sections(results, distractors),
    ]


TABLE1 = StudyTable("table1", "Table 1: methods", rows.TABLE1, MASK_RCNN, _table1, curves=True)
TABLE2 = StudyTable(
    "table2", "Table 2: the instance relation module", rows.TABLE2, WITHOUT_IRM, _table2, curves=True
)
TABLES = {table.name: table for table in (TABLE1, TABLE2)}
ROWS = {table.name: table.rows for table in (TABLE1, TABLE2, BEYOND)} | {"fig3": TABLE1.rows}


def check_rows(what: str, keys: str | None) -> None:
    """Raise `InputError` for keys of no row, before a study is begun."""
    choose_rows(ROWS[what], keys)


def make(what: str, study: Study, *, keys: str | None, device: str, say: Say) -> StudyPage:
    """Make a table or the figure in the study's folder. Raises what `jobs.run_rows` raises."""
    if what == "fig3":
        return make_figure(study, keys=keys, device=device, say=say)
    if what == "beyond":
        return make_beyond(study, keys=keys, device=device, say=say)
    return make_table(study, TABLES[what], keys=keys, device=device, say=say)
