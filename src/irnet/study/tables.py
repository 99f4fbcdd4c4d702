"""A table of the study: its rows run, scored on the test images, and written as page, JSON and CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from irnet.errors import DONE, DONE_WITH_ERRORS, InputError
from irnet.metrics.statistics import SeededEstimate
from irnet.study.costs import read_cost
from irnet.study.curves import Sweep, sweep, write_curves
from irnet.study.images import write_images
from irnet.study.jobs import Missing, jobs_of, run_rows
from irnet.study.one_cut import ONE_CUTS, CutRow, one_cut_sections, rows_at
from irnet.study.protocol import Say
from irnet.study.record import Study
from irnet.study.render import PageSection, bullets, write_table
from irnet.study.results import RowResult, compare_rows, gains, row_result
from irnet.study.rows import FIGURES, SLIPS, Row, choose_rows
from irnet.study.scoring import TEST, patient_weights, read_predicted_cells, score_seed

HOW_TO_READ = (
    "Brackets: 95 % interval by bootstrap over patients (over images where they name none) of scores that "
    "are averaged over seeds. ±: standard deviation over seeds.",
    "The paper's figures are those of its own private set: they compare with ours in order and gain alone.",
    "Differences and gains are over the seeds that are finished in both rows.",
    "Resolvable: 2.8 times the standard error, from patients and seeds together, of a paired difference: a "
    "true difference of that size is found in 80 % of such studies at the 5 % level. A smaller one that is "
    "seen here may be chance. Its spread over seeds is taken from all rows of the table, which are held to "
    "vary alike. The brackets leave the chance of training out.",
    "Thresholds are chosen for each row, seed and class on validation images, by F1; test images are scored "
    "at them alone.",
)


class StudyTable(NamedTuple):
    """What a table consists of."""

    name: str  # of its files
    title: str
    rows: tuple[Row, ...]
    control: Row  # that gains and differences are over
    sections: Callable[[Sequence[RowResult], RowResult | None, dict[str, int]], list[PageSection]]
    curves: bool = False  # and what rows score at one cut for all


class StudyPage(NamedTuple):
    """What was written."""

    page: str
    missing: list[Missing]

    @property
    def beginning(self) -> str:
        """The page up to its third section: enough for a terminal."""
        return "## ".join(self.page.split("## ")[:3]).strip()

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done except for the missing rows."""
        return DONE_WITH_ERRORS if self.missing else DONE


def make_table(
    study: Study, table: StudyTable, *, keys: str | None = None, device: str, say: Say
) -> StudyPage:
    """Run the rows that `keys` names (None: all), then write the table with every row that is finished.

    Raises what `jobs.run_rows` raises, and `InputError` for an unknown key.
    """
    chosen = choose_rows(table.rows, keys)
    missing = run_rows(study, chosen, device=device, say=say)

    results = score_rows(study, table.rows, say)
    control = find_row(results, table.control)
    sweeps = [_sweep(study, result) for result in results] if table.curves else []
    at_one_cut = {cut: rows_at(cut, sweeps, results, control) for cut in ONE_CUTS if sweeps}

    page = render_page(study, table, results, missing, at_one_cut)
    values = {
        "study": study.record,
        "control": table.control.key,
        "rows": [*_row_values(results, control)],
        "one_cut": [
            {"cut": cut, "rows": [row.to_json() for row in rows]} for cut, rows in at_one_cut.items()
        ],
        "missing": [str(one) for one in missing],
    }
    write_table(study.out, table.name, page=page, values=values, flat=list(flat_rows(results, control)))
    if table.curves:
        write_curves(study.out, table.name, sweeps, results)
        write_images(study.out, table.name, study.parts.test, sweeps, results)
    return StudyPage(page, missing)


def score_rows(study: Study, rows: Sequence[Row], say: Say) -> list[RowResult]:
    """Score every row that has a finished seed. Raises `InputError` for rows of different bases."""
    val, test = study.parts.val, study.parts.test
    weights = patient_weights(test)
    results = []
    for row in rows:
        jobs = [(job, read_cost(study.folder(row.key, job.seed))) for job in jobs_of(study, [row])]
        done = [(job.seed, cost) for job, cost in jobs if cost is not None]
        if not done:
            continue

        say(f"scoring {row.title}, {len(done)} of {len(jobs)} seeds")
        scores = []
        for seed, _ in done:
            scores.append(score_seed(study.folder(row.key, seed), seed, val, test, scored=row.scored))
        costs = [cost for _, cost in done]
        results.append(row_result(row, scores, costs, weights, planned=len(jobs)))

    _check_one_base(results)
    return results


def find_row(results: Sequence[RowResult], row: Row) -> RowResult | None:
    """The result of a row, None where it is not finished."""
    return next((result for result in results if result.row.key == row.key), None)


def render_page(
    study: Study,
    table: StudyTable,
    results: Sequence[RowResult],
    missing: Sequence[Missing],
    at_one_cut: Mapping[float, Sequence[CutRow]] = MappingProxyType({}),
) -> str:
    """The Markdown page of a table; `at_one_cut` has its rows at cuts that all of them share."""
    present = Counter(d.kind for entry in study.parts.test for d in entry.content.distractors)
    control = find_row(results, table.control)
    sections = table.sections(results, control, dict(present))
    for cut, rows in at_one_cut.items():
        sections += one_cut_sections(cut, rows, control)

    parts = [f"# {table.title}", describe(study, frozen=table.control.base == "frozen")]
    for section in sections:
        if section.table:
            parts += [f"## {section.title}", *filter(None, [section.text]), section.table]

    notes = [*HOW_TO_READ, *(f"{r.row.title}: {r.row.note}." for r in results if r.row.note), *SLIPS]
    parts += ["## Notes", bullets(notes)]
    if missing:
        parts += ["## Missing", bullets([str(one) for one in missing])]
    return "\n\n".join(parts) + "\n"


def describe(study: Study, *, frozen: bool = False) -> str:
    """In a few lines: which data, how large, by which protocol."""
    record, data = study.record, study.record["data"]
    images, patients = data["images"], data["patients"]
    generator = data["generator"]
    seed = "" if generator is None else f" Generated, seed {generator['seed']}."
    counts = "; ".join(f"{part}: images {images[part]}, patients {patients[part]}" for part in images)

    trunk = study.options.trunk and record["trunk"]["source"]
    begun = f"the weights of {trunk}" if trunk else f"a trunk trained for {record['trunk_steps']} steps"
    if frozen:
        how = f"Frozen trunk: every row keeps {begun}, and trains its own modules alone, for equal steps"
    elif study.forked:
        how = f"Every row forks from {begun} and is trained on for {record['steps']} steps"
    else:
        how = f"Every row is trained from ImageNet weights for {record['steps']} steps"
    return f"Data: {counts}.{seed}\n{how}; seeds: {record['seeds']}; size `{record['size']}`."


def flat_rows(results: Sequence[RowResult], control: RowResult | None) -> Iterator[dict[str, Any]]:
    """One row a figure, for CSV."""
    compared = compare_rows(results, control)
    for result in results:
        differences, shares = compared[result.row.key], gains(result, control)
        for figure, way, estimate in _estimates(result):
            # Differences and gains stand at the way in which the page has the figure.
            own = way == ("image_mean" if figure in FIGURES else "pooled")
            main = own and figure in FIGURES
            difference = differences.get(figure) if own else None
            share = shares.get(figure, {})

            yield {
                "row": result.row.title,
                "figure": figure,
                "way": way,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "spread": estimate.spread,
                "seeds": len(result.seeds),
                "paper": result.row.paper.get(figure) if main else None,
                "gain": share.get("ours") if main else None,
                "paper_gain": share.get("paper") if main else None,
                "difference": difference and difference.value,
                "difference_low": difference and difference.low,
                "difference_high": difference and difference.high,
                "resolvable": difference and difference.resolvable,
            }


def _estimates(result: RowResult) -> Iterator[tuple[str, str, SeededEstimate]]:
    """Figure, way and estimate of everything that a row scored."""
    for name, part in result.classes.items():
        for way, scores in part.ways.items():
            yield from ((f"{score}/{name}", way, estimate) for score, estimate in scores.items())


def _row_values(results: Sequence[RowResult], control: RowResult | None) -> Iterator[dict[str, Any]]:
    compared = compare_rows(results, control)
    for result in results:
        differences = {figure: part.to_json() for figure, part in compared[result.row.key].items()}
        yield result.to_json() | {"gains": gains(result, control), "differences": differences}


def _sweep(study: Study, result: RowResult) -> Sweep:
    test = study.parts.test
    found = {
        seed: read_predicted_cells(study.folder(result.row.key, seed) / TEST, test) for seed in result.seeds
    }
    return sweep(result.row.title, test, found)


def _check_one_base(results: Sequence[RowResult]) -> None:
    bases = {
        cost["base"]: result.row.title for result in results for cost in result.costs if cost.get("base")
    }
    if len(bases) > 1:
        raise InputError(
            f"{' and '.join(bases.values())} fork from different trunks and cannot be compared: remove the "
            "folders of the older rows under rows/ and run them again"
        )
