"""One HTML file that needs nothing else: templates with all text escaped, script and style named by hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from irnet.wording import RESEARCH_USE, UNKNOWN

TEMPLATES = Path(__file__).parent / "templates"

Value = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that readers can sort by any column."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""


def render(template: str, **context: Any) -> str:
    """The page that `template` makes of `context`. All text is escaped but what is `Markup`.

    The page asks for nothing outside itself, and its policy forbids it to.
    """
    files = FileSystemLoader(TEMPLATES)
    environment = Environment(
        loader=files,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure

    style, script = (_read(name) for name in ("style.css", "script.js"))
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }

    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        policy="; ".join(f"{what} {sources}" for what, sources in policy.items()),
        research_use=RESEARCH_USE,
        version=installed_version("irnet"),
        **context,
    )


def figure(value: Value) -> str:
    """A value of a table as text.

    >>> figure(None), figure(12), figure(0.12345), figure(1234.5), figure("a")
    ('–', '12', '0.123', '1234', 'a')
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return value if isinstance(value, str) else str(value)  # markup stays markup


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
