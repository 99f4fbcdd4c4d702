"""Where results come from: what the record of a run says, for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet.data.coco.run_record import RunRecord
from irnet.report.page import figure


@dataclass(frozen=True)
class Provenance:
    """Lines for the end of a page."""

    facts: list[tuple[str, str]]
    notes: list[tuple[str, str]]  # image and what was done to it
    errors: list[tuple[str, str]]  # file and reason


def describe_run(run: RunRecord) -> Provenance:
    """What a reader needs to repeat the run."""
    record = run.said
    model = record.get("model")
    facts = {
        "date": record.get("date"),
        "method": record.get("method"),
        "weights": None if model is None else Path(str(model)).name,
        "SHA-256 of the weights": record.get("model_sha256"),
        "µm per pixel of the network": record.get("network_mpp"),
        "µm per pixel asked for": record.get("mpp"),
        "page of TIFF files": record.get("page"),
        "scores kept from": _pairs(run.scores),
        "device": record.get("device"),
        "versions": _pairs(record.get("versions")),
    }

    notes = [(image["name"], str(note)) for image in run.images for note in image.get("notes", [])]
    stated = [(name, _text(value)) for name, value in facts.items() if value not in (None, "")]
    return Provenance(stated, notes, [(row["file"], row["error"]) for row in run.errors])


def _pairs(values: Any) -> str:
    """`cytoplasm 0.45, nucleus 0.5` of a mapping, nothing of all else."""
    if not isinstance(values, dict):
        return ""
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    return figure(value) if isinstance(value, int | float) else str(value)
