"""The plan of slides that are to be segmented: all that decides what is found, fixed before it begins.

A plan lies in OUT/slides.json, for all slides, and OUT/slides/NAME/plan.json. What a window gives is a
function of its key, so it does not matter which process computes it, how often, or in which order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from irnet.data.coco.document import parse
from irnet.data.file_names import PLAN, SLIDES, SLIDES_RUN
from irnet.data.files import as_json, write_atomic
from irnet.errors import InputError
from irnet.slides.bubbles import Bubble
from irnet.slides.layout import Layout
from irnet.slides.windows import Window
from irnet.wording import command

FORMAT = 1
SEAL = "sha256"

Row = dict[str, Any]


class DamagedPlanError(InputError):
    """A file of a plan that does not say what was written to it, or not all that a plan says here."""


@dataclass(frozen=True)
class SlidePlan:
    """What is fixed for one slide.

    Args:
        name: of the slide in the results, and of its folder.
        path: of its file.
        key: `slide_key` of its files.
        reader: what reads it, with its version.
        shape: (H, W) of its finest level.
        background: grey levels of glass.
        layout: level, scale and windows.
        skipped: numbers of the windows that show nothing.
        audited: those of them that are segmented all the same.
        outside: numbers of the windows outside the region that was asked for.
        notes: what a user should know.
        full_hash: whether the key is that of all bytes.
        bubbles: air under the cover slip, the largest first.
    """

    name: str
    path: str
    key: str
    reader: str
    shape: tuple[int, int]
    background: tuple[float, float, float]
    layout: Layout
    skipped: tuple[int, ...] = ()
    audited: tuple[int, ...] = ()
    outside: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    full_hash: bool = False
    bubbles: tuple[Bubble, ...] = ()

    def windows(self) -> dict[int, Window]:
        """The windows that are to be segmented, by number."""
        left = ({*self.skipped} - {*self.audited}) | {*self.outside}
        return {number: one for number, one in enumerate(self.layout.windows()) if number not in left}

    def to_json(self) -> Row:
        """What plan.json holds."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The plan in the folder of a slide. Raises InputError."""
        path, out = folder / PLAN, folder.parent.parent
        row = _read(path, out)
        try:
            return cls.from_json(row)
        except (KeyError, TypeError) as error:
            raise _other_version(path, out, error) from None

    @classmethod
    def from_json(cls, row: Row) -> Self:
        """The plan of such a row. Raises KeyError or TypeError for others."""
        values: Row = {field.name: _frozen(row[field.name]) for field in fields(cls)}
        layout = {field.name: _frozen(row["layout"][field.name]) for field in fields(Layout)}
        values["layout"] = Layout(**layout)
        values["bubbles"] = tuple(
            Bubble(one["diameter_um"], tuple(map(tuple, one["stripes"]))) for one in row["bubbles"]
        )
        return cls(**values)


@dataclass(frozen=True)
class Plan:
    """What is fixed for all slides of a folder.

    Args:
        out: the folder.
        names: of the slides, in order.
        network: what finds cells: weights, their SHA-256, settings and thresholds.
    """

    out: Path
    names: tuple[str, ...]
    network: Mapping[str, Any]

    def folder(self, name: str) -> Path:
        """Where what belongs to a slide lies."""
        return self.out / SLIDES / name

    def slide(self, name: str) -> SlidePlan:
        """The plan of a slide. Raises InputError."""
        return SlidePlan.read(self.folder(name))

    def key(self, slide: SlidePlan, window: Window) -> str:
        """What the cells of a window are a function of, as SHA-256."""
        said = {
            "format": FORMAT,
            "slide": slide.key,
            "reader": slide.reader,
            "background": slide.background,
            "layout": asdict(slide.layout),
            "window": asdict(window),
            "network": {name: self.network[name] for name in ("sha256", "predict", "scores", "views")},
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def write(self, slides: Sequence[SlidePlan]) -> None:
        """Write the plan, slides.json last: without it there is none."""
        for slide in slides:
            write_atomic(self.folder(slide.name) / PLAN, as_json(_sealed(slide.to_json()), indent=None))
        said = {"format": FORMAT, "slides": list(self.names), "network": dict(self.network)}
        write_atomic(self.out / SLIDES_RUN, as_json(_sealed(said)))

    @classmethod
    def read(cls, out: Path) -> Self:
        """The plan in a folder. Raises InputError where there is none."""
        if not (out / SLIDES_RUN).is_file():
            raise InputError(
                f"{out}: no {SLIDES_RUN} in it: make one with {command('slide', 'plan', 'SLIDE', '-o', out)}"
            )
        row = _read(out / SLIDES_RUN, out)
        try:
            return cls(out, tuple(row["slides"]), row["network"])
        except (KeyError, TypeError) as error:
            raise _other_version(out / SLIDES_RUN, out, error) from None


def _read(path: Path, out: Path) -> Row:
    """What was written to a file of the plan in `out`. Raises InputError, DamagedPlanError among them."""
    try:
        row = parse(path)
        version, seal = row["format"], row.pop(SEAL)
    except OSError as error:
        raise _damaged(path, out, error.strerror or type(error).__name__) from None
    except InputError as error:
        raise _damaged(path, out, str(error).removeprefix(str(path)).lstrip(":, ")) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, out, f"no {error}" if isinstance(error, KeyError) else "no plan") from None
    if version != FORMAT:
        raise InputError(f"{path}: format {version} is not read here: plan again, to another folder")
    if seal != _sealed(row)[SEAL]:
        raise _damaged(path, out, "its content has changed since")
    return row


def _sealed(row: Row) -> Row:
    """A row with the SHA-256 of all that it says, for a changed number is a plan too, but another."""
    return row | {SEAL: hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()}


def _damaged(
    path: Path, out: Path, reason: str, what: str = "damaged, or not a plan of irnet"
) -> DamagedPlanError:
    repeat = command("slide", "plan", "SLIDE", "-o", out)
    again = f"repeat {repeat} with the slides and options that it was made with"
    return DamagedPlanError(f"{path}: {what} ({reason}): {again}; windows that are done stay")


def _other_version(path: Path, out: Path, error: Exception) -> DamagedPlanError:
    """Of a file whose seal holds: it is as it was written."""
    reason = f"no {error}" if isinstance(error, KeyError) else str(error)
    return _damaged(path, out, reason, "a plan of another version of irnet")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
