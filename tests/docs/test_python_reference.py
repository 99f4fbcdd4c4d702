"""docs/reference/python.md is what the docstrings say, and they say it of every public name."""

import re
import runpy
from pathlib import Path

import pytest

import irnet

SCRIPT = Path(__file__).parents[2] / "docs" / "python_reference.py"
PAGE = SCRIPT.parent / "reference" / "python.md"
FUNCTIONS = [name for name in irnet.__all__ if name[0].islower()]


def section(heading: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(f"## {heading}\n") :].split("\n## ")[0]


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == runpy.run_path(str(SCRIPT))["write"](), (
        "write it again: python docs/python_reference.py"
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_returns_and_shows_it(name: str) -> None:
    text = section(f"irnet.{name}")
    assert "**Returns**" in text
    assert f"irnet.{name}(" in text[text.index("```pycon") :]


def test_every_public_name_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {name for name in irnet.__all__ if not re.search(rf"\b{name}\b", text)} == {"__version__"}
    for method in ("predict", "polygons", "measure", "to_dataframe", "plot", "save", "__getitem__"):
        owner = "Predictor" if method == "predict" else "Cells"
        assert "```pycon" in section(f"{owner}.{method}").split("\n### ")[0]
