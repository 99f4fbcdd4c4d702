"""Where results come from: what run.json and errors.json say, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irnet.errors import InputError
from irnet.report.page import figure


@dataclass(frozen=True)
class Run:
    """The record of a run; empty where there is none."""

    record: Mapping[str, Any] = field(default_factory=dict)  # run.json
    errors: list[tuple[str, str]] = field(default_factory=list)  # file and reason

    @classmethod
    def read(cls, folder: Path) -> Run:
        """What a folder of `irnet predict` says of itself. InputError where that is no record."""
        record, errors = (
            _load(folder / name, empty) for name, empty in (("run.json", {}), ("errors.json", []))
        )
        if not isinstance(record, dict) or not isinstance(errors, list):
            raise InputError(f"{folder}: run.json or errors.json is no record of a run: remove it")
        return cls(record, [(str(e.get("file")), str(e.get("error"))) for e in errors if isinstance(e, dict)])

    @property
    def date(self) -> str | None:
        """When the run began, None where it does not say."""
        date = self.record.get("date")
        return None if date is None else str(date)


@dataclass(frozen=True)
class Provenance:
    """Lines for the end of a page."""

    facts: list[tuple[str, str]]
    notes: list[tuple[str, str]]  # image and what was done to it
    errors: list[tuple[str, str]]  # file and reason


def describe_run(run: Run) -> Provenance:
    """What a reader needs to repeat the run."""
    record = run.record
    model = record.get("model")
    facts = {
        "date": run.date,
        "method": record.get("method"),
        "weights": None if model is None else Path(str(model)).name,
        "SHA-256 of the weights": record.get("model_sha256"),
        "µm per pixel of the network": record.get("network_mpp"),
        "µm per pixel asked for": record.get("mpp"),
        "page of TIFF files": record.get("page"),
        "scores kept from": _pairs(record.get("scores")),
        "device": record.get("device"),
        "versions": _pairs(record.get("versions")),
    }
    images = record.get("images")
    notes = [
        (str(image.get("name")), str(note))
        for image in (images if isinstance(images, list) else [])
        if isinstance(image, dict) and isinstance(image.get("notes"), list)
        for note in image["notes"]
    ]
    told = [(name, _text(value)) for name, value in facts.items() if value not in (None, "")]
    return Provenance(told, notes, run.errors)


def _pairs(values: Any) -> str:
    """`cytoplasm 0.45, nucleus 0.5` of a mapping, nothing of all else."""
    if not isinstance(values, dict):
        return ""
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    return figure(value) if isinstance(value, int | float) else str(value)


def _load(file: Path, empty: Any) -> Any:
    if not file.is_file():
        return empty
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON ({error}): remove it, or run predict again") from None
