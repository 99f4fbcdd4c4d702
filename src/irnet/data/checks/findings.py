"""Findings: what can be wrong with a data set, how bad it is and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

# By code: severity and remedy. An error stops `read_coco` or makes scores meaningless, a warning does not.
CODES: dict[str, tuple[Severity, str]] = {
    "bad-file": ("error", "mend the file; nothing else of it was looked at"),
    "unknown-category": ("error", "say what it is with --map 'NAME=cytoplasm' (or nucleus, ignore, drop)"),
    "bad-image": ("error", "correct the row; --fix leaves the image out"),
    "doubled-id": ("error", "number them again: only you know which is meant by this id"),
    "doubled-name": (
        "error",
        "put their annotations together under one id, or rename the file that is another",
    ),
    "doubled-category": ("warning", "they are read as one"),
    "missing-image": ("error", "put the file there; --fix leaves the image out"),
    "unreadable-image": ("error", "replace the file; --fix leaves the image out"),
    "size-mismatch": ("error", "find the image that was annotated; --fix leaves the image out"),
    "turned": (
        "warning",
        "annotations belong to the upright image: if a tool that does not turn it (QuPath) drew them, "
        "save it upright and annotate that",
    ),
    "doubled-image": ("warning", "remove one of the two"),
    "bad-annotation": ("error", "correct it; --fix leaves it out"),
    "bad-link": ("error", "correct cell_id; --fix removes it"),
    "out-of-frame": ("warning", "it is cut to the frame when read; --fix writes it cut"),
    "stray-piece": ("warning", "it is read without them; --fix writes it so"),
    "odd-coordinates": (
        "warning",
        "compare them with the picture (irnet view): export x, y in px of the image",
    ),
    "degenerate": ("warning", "look at it; --fix leaves it out"),
    "duplicate": ("warning", "remove one of the two; --fix keeps the better"),
    "stale-split": ("warning", "remove the parts and split again; or remove what they were not made of"),
    "predictions": ("warning", "name annotated images, or correct them in irnet view"),
    "points": (
        "warning",
        "they count as not annotated and nothing is learned from them: name the classes that are outlined in "
        "annotated_categories",
    ),
    "not-annotated": ("warning", "add its class to annotated_categories or remove it"),
    "unfinished": (
        "warning",
        "what was accepted, corrected or drawn there is learned, and nothing of them is scored: finish them "
        "in irnet view (Shift A)",
    ),
    "all-crowds": ("error", "if they are cells, say --crowd instances"),
    "crowd": ("warning", "ignored in training and scores; if they are cells, say --crowd instances"),
    "found-crowd": ("warning", "they are read as instances: what has a score is a prediction"),
    "missing-class": ("warning", "if it was not annotated, say so in annotated_categories of each image"),
    "nothing-annotated": (
        "error",
        "annotate some, or name the file that holds the annotations, such as corrected.json",
    ),
    "no-link": ("warning", "pair them: irnet data convert --from coco --link, or irnet measure --link"),
    "no-scale": (
        "warning",
        "say it with --mpp of irnet data convert, train, evaluate or measure; without it sizes are in px",
    ),
    "other-scale": ("warning", "correct one of the two; what the row says is taken"),
    "odd-scale": ("warning", "correct it with --mpp of irnet data convert, train, evaluate or measure"),
    "no-patient": (
        "warning",
        "say whose they are with --patients of irnet data convert, train or evaluate: a table, or a pattern "
        "of names such as '(P\\d+)_'",
    ),
    "patient-in-two-files": ("error", "split by patient: irnet data split"),
    "image-in-two-files": ("error", "keep it in one of them: irnet data split"),
    "cells-in-two-files": ("error", "split by the image that the cells were cut from"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing wrong: what, where and what to do."""

    code: str  # of CODES
    severity: Severity
    file: str
    image: str | None
    annotation: int | str | None
    message: str
    remedy: str

    def line(self) -> str:
        """All of it in one line, the code at its end. A message that begins with the file keeps its place."""
        image = "" if self.image is None else f", image {self.image}"
        annotation = "" if self.annotation is None else f", annotation {self.annotation}"
        place = "" if self.message.startswith(self.file) else f"{self.file}{image}{annotation}: "
        message = self.message.removeprefix(f"annotation {self.annotation}: ")
        return f"{self.severity}: {place}{message} -> {self.remedy} [{self.code}]"


def finding(
    code: str, file: object, message: str, *, image: str | None = None, annotation: object = None
) -> Finding:
    """The finding of a code, with its severity and remedy. An annotation's id that is none is left out."""
    severity, remedy = CODES[code]
    return Finding(
        code=code,
        severity=severity,
        file=str(file),
        image=image,
        annotation=annotation if isinstance(annotation, int | str) else None,
        message=message,
        remedy=remedy,
    )
