"""`irnet slide finish`: the blocks of slides put together, as cells.db, slides.csv and qc.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS
from irnet.data.file_names import CELLS_DB
from irnet.data.files import as_json, write_atomic
from irnet.errors import DONE, DONE_WITH_ERRORS, InputError
from irnet.inference.slide_blocks import BlockError, BlockFolder
from irnet.morphometry.table import encode_csv, to_csv
from irnet.slides.block import MEASURES, Block
from irnet.slides.candidates import Candidates
from irnet.slides.linking import link_nuclei
from irnet.slides.nesting import describe
from irnet.slides.plan import Plan, SlidePlan
from irnet.slides.reading import open_store
from irnet.slides.store import order_of, write_store
from irnet.slides.suppress import survivors_of
from irnet.verbs.failures import LeftOut
from irnet.verbs.slide_quality import audit_rows, quality_rows
from irnet.verbs.slide_status import SlideStatus, status_of
from irnet.wording import command, number_of

SLIDES_CSV, QC = "slides.csv", "qc.json"
ENOUGH_CELLS = 5000  # of a smear that is adequate, liquid-based (Bethesda)
_SUMMARISED = ("area_um2", "od_mean")  # of cells and of nuclei, in slides.csv

Row = dict[str, Any]


@dataclass
class FinishResult:
    """What finishing did."""

    rows: list[Row] = field(default_factory=list)  # of slides.csv
    failed: int = 0  # windows without a block
    left_out: list[str] = field(default_factory=list)  # why whole slides are

    @property
    def exit_code(self) -> int:
        """0 all there, 3 without some windows or slides."""
        return DONE_WITH_ERRORS if self.failed or self.left_out else DONE

    def lines(self) -> Iterator[str]:
        """What a user should know of each slide."""
        for row in self.rows:
            counts = f"{number_of(row['cells'], 'cell')}, {number_of(row['nuclei'], 'nucleus')}"
            yield f"{row['slide']}: {counts} on {row['area_mm2']:g} mm2"
        if self.left_out:
            yield f"{number_of(len(self.left_out), 'slide')} left out"


def finish_slides(out: str | Path, *, partial: bool = False) -> FinishResult:
    """Write OUT/slides/NAME/cells.db and qc.json of each slide of a plan, then OUT/slides.csv.

    `partial`: without the windows that are not done. One of several slides whose plan or blocks are damaged
    is told and left out of slides.csv. Raises InputError where there is no plan, windows are missing
    (`partial`: all of them), no slide is left, or a file cannot be written.
    """
    plan = Plan.read(Path(out))
    result = FinishResult()
    left_out, states = LeftOut(len(plan.names), result.left_out), []
    for name in plan.names:
        try:
            states.append(status_of(plan, name))
        except InputError as error:
            left_out.add(error)
    left_out.refuse_all()
    if (missing := sum(state.missing + state.failed for state in states)) and not partial:
        raise InputError(
            f"{out}: {number_of(missing, 'window')} not done: {command('slide', 'run', out)} does them, "
            "--partial goes on without"
        )

    if missing and not any(state.done for state in states):
        raise InputError(f"{out}: no window is done: {command('slide', 'run', out)} does them")

    result.failed = missing
    for state in states:
        try:
            result.rows.append(_finish_slide(plan, state))
        except BlockError as error:
            left_out.add(error)
    left_out.refuse_all()
    write_atomic(plan.out / SLIDES_CSV, encode_csv(to_csv(result.rows, result.rows[0])))
    return result


def _finish_slide(plan: Plan, state: SlideStatus) -> Row:
    slide, folder = state.slide, BlockFolder(plan.folder(state.slide.name))
    patches: dict[int, np.ndarray] = {}

    def read(number: int) -> Block:
        block = folder.read(state.done[number])
        patches[number] = block.patches
        return block

    candidates = Candidates.gather(sorted(state.done), read)
    kept = survivors_of(candidates, _limits(plan), masks=_by_masks(plan))
    cells = candidates.select(kept[order_of(candidates.select(kept))])

    mpp, size = slide.layout.scaled_mpp, slide.layout.resampling.size
    parents, confidence = link_nuclei(cells, size, mpp)
    meta = {"name": slide.name, "mpp": mpp, "px": slide.layout.px, "shape": size, "slide_shape": slide.shape}
    parts = describe(cells.take, parents, confidence, size)
    write_store(plan.folder(slide.name) / CELLS_DB, parts, meta)
    with open_store(plan.folder(slide.name)) as store:
        audit = audit_rows(slide, store, state.done)
    pictures = quality_rows(slide, patches)
    found = sum(one["cells"] + one["nuclei"] for one in audit)
    row = _summary(slide, state, cells, parents) | {"found_where_nothing_shows": found}
    row |= {name: pictures[name] for name in ("focus", "blurred", "pen", "bubble")}
    said = _quality(slide, state, row, cells) | {"audit": audit, "pictures": pictures}
    write_atomic(plan.folder(slide.name) / QC, as_json(said))
    return row


def _limits(plan: Plan) -> dict[int, float]:
    """The IoU of each class above which the lower score goes."""
    predict = plan.network["predict"]
    if predict["suppression"] == "soft":  # the scores have fallen instead
        return dict.fromkeys(LABEL_NAMES, 1.0)
    return {label: predict["nms"][name] for label, name in LABEL_NAMES.items()}


def _by_masks(plan: Plan) -> bool:
    return plan.network["predict"]["suppression"] == "mask"


def _summary(slide: SlidePlan, state: SlideStatus, cells: Candidates, parents: np.ndarray) -> Row:
    """The row of a slide in slides.csv."""
    whole, nuclei = cells.labels == CYTOPLASM, cells.labels == NUCLEUS

    areas = slide.windows()
    seen = sum((w.core[2] - w.core[0]) * (w.core[3] - w.core[1]) for n, w in areas.items() if n in state.done)
    mm2 = seen * (slide.layout.scaled_mpp / 1000) ** 2

    row: Row = {
        "slide": slide.name,
        "cells": int(whole.sum()),
        "nuclei": int(nuclei.sum()),
        "area_mm2": round(mm2, 4),  # of the windows that were looked at
        "cells_per_mm2": round(float(whole.sum() / mm2), 2) if mm2 else None,
        "at_least_5000_cells": int(whole.sum() >= ENOUGH_CELLS),
        "bare_nuclei": int((parents[nuclei] == NO_PARENT).sum()),
        "cells_without_nucleus": int(whole.sum() - len(np.unique(parents[parents != NO_PARENT]))),
    }

    for name, chosen in (("cell", whole), ("nucleus", nuclei)):
        for measure in _SUMMARISED:
            values = cells.measures[chosen, MEASURES.index(measure)]
            for text, share in (("median", 50), ("p95", 95)):
                known = bool(len(values)) and not np.isnan(values).all()
                row[f"{name}_{measure}_{text}"] = (
                    round(float(np.nanpercentile(values, share)), 4) if known else None
                )

    return row | {
        "mpp": slide.layout.mpp,
        "windows": len(state.done),
        "windows_failed": state.failed + state.missing,
        "windows_skipped": len(slide.skipped) - len(slide.audited),
        "cut": int(cells.cut.sum()),
    }


def _quality(slide: SlidePlan, state: SlideStatus, row: Row, cells: Candidates) -> Row:
    """What qc.json says."""
    return {
        "slide": slide.name,
        "reader": slide.reader,
        "notes": list(slide.notes),
        "background": list(slide.background),
        "windows": {"done": len(state.done), "failed": state.failed, "missing": state.missing},
        "skipped": len(slide.skipped),
        "audited": len(slide.audited),
        "found_where_nothing_shows": row["found_where_nothing_shows"],
        "cut": int(cells.cut.sum()),
        "errors": list(state.errors),
    }
