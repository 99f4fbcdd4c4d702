"""`irnet import-predictions`: other tools' results in; what `irnet evaluate` reads out.

With them goes what a label map can keep of the truth, so that a tool that writes label maps is not blamed for
what its form cannot say.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from irnet.cells import LABEL_NAMES
from irnet.data.coco.coco import write_coco
from irnet.data.coco.location import locate
from irnet.data.file_names import PREDICTIONS, RUN
from irnet.data.files import as_json, move, refuse_overwriting, remove_drafts, sha256, write_atomic
from irnet.data.formats.predictions import Kind, Missing, Predictions, read_predictions
from irnet.data.locking import writing
from irnet.data.sample import Entry
from irnet.inference.versions import versions
from irnet.metrics.flatten import ORDER, label_map_ceiling
from irnet.verbs.own_data import paired
from irnet.verbs.run_files import WRITTEN, refuse_taken, remove_earlier
from irnet.wording import number_of

DRAFT = ".irnet-import"  # folder for a moment, in the one written to
CEILING = {"AJI": "aji", "F1": "f1", "overlap recall": "overlap_recall"}


@dataclass(frozen=True)
class ImportResult:
    """What `import_predictions` did."""

    predictions: Predictions
    ceiling: dict[str, dict[str, float | None]]  # class -> title of CEILING -> value

    def lines(self) -> list[str]:
        """Return what a user should know: what was found, how it was read, and the ceiling."""
        found = [entry.content.cells.labels for entry in self.predictions.found]
        labels = np.concatenate([np.zeros(0, dtype=np.int64), *found])
        total = ", ".join(
            f"{name} {np.count_nonzero(labels == label)}" for label, name in LABEL_NAMES.items()
        )
        scored = "with scores" if self.predictions.scored else "without scores"
        lines = [f"{number_of(len(found), 'image')}: {total}; {scored}", *self.predictions.notes]
        lines.append(f"the truth itself as a label map ({ORDER}) reaches")
        for name, values in self.ceiling.items():
            lines.append(f"  {name}: " + ", ".join(f"{title} {_text(v)}" for title, v in values.items()))
        return lines


def import_predictions(
    source: str | Path,
    data: str | Path,
    out_dir: str | Path,
    *,
    kind: Kind | None = None,
    labels: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    missing: Missing = "error",
    name: str | None = None,
) -> ImportResult:
    """Bring results of another tool to the images of a data set; write predictions.json and run.json.

    Args:
        source, data, kind, labels, mapping, missing: see `read_predictions`.
        out_dir: created if it is missing; files of an earlier run are replaced.
        name: what the tool is called in tables, None for the name of `source`.

    Raises:
        InputError: something is wrong with the source, it does not fit the data set, or `out_dir` holds
            annotations, or corrections of earlier predictions; nothing is written.
    """
    source, out = Path(source), Path(out_dir)
    refuse_taken(out)
    refuse_overwriting([out / name for name in WRITTEN], [source, source / PREDICTIONS, locate(data)])

    predictions = read_predictions(source, data, kind=kind, labels=labels, mapping=mapping, missing=missing)
    entries = [paired(entry) for entry in predictions.found]

    origin = {
        "method": name or source.resolve().stem,
        "scored": predictions.scored,
        "imported": {
            "format": predictions.kind,
            "source": str(source.resolve()),
            "sha256": sha256(source) if source.is_file() else None,
        },
        "versions": versions(),
    }
    ceiling = _ceiling(predictions.truths)
    run = {
        **origin,
        "data": str(data),
        "data_sha256": sha256(locate(data)),
        "label_map_ceiling": {"order": ORDER, **ceiling},
        "notes": list(predictions.notes),
        "files": [PREDICTIONS, RUN],
    }

    with writing(out, "irnet import-predictions"):
        refuse_taken(out)
        _write(out, run | {"images": [_image(entry) for entry in entries]}, entries, origin)
    return ImportResult(replace(predictions, found=entries), ceiling)


def _write(out: Path, run: dict[str, Any], entries: Sequence[Entry], origin: dict[str, Any]) -> None:
    """Put the files in the place of an earlier run's, run.json last: it vouches for the others."""
    draft = out / DRAFT / PREDICTIONS
    write_coco(draft, entries, info=origin, scores=origin["scored"])
    run["hashes"] = {PREDICTIONS: sha256(draft)}

    remove_earlier(out)
    move(draft, out / PREDICTIONS)
    write_atomic(out / RUN, as_json(run))
    remove_drafts([out])
    shutil.rmtree(out / DRAFT, ignore_errors=True)


def _ceiling(truths: Sequence[Entry]) -> dict[str, dict[str, float | None]]:
    summary = label_map_ceiling([entry.content for entry in truths])
    values: dict[str, dict[str, float | None]] = {}
    for name, part in summary.classes.items():
        values[name] = {title: part.scores[score].pooled.value for title, score in CEILING.items()}
    return values


def _image(entry: Entry) -> dict[str, Any]:
    labels = entry.content.cells.labels
    found = {name: int((labels == label).sum()) for label, name in LABEL_NAMES.items()}
    known = {"sha256": sha256(entry.path)} if entry.path.is_file() else {}
    return {"name": entry.name, "path": str(entry.path.resolve()), **known, "found": found}


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
