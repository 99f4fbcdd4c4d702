"""The notebook: its code runs, cell after cell, and it is kept without outputs."""

import ast
import json
from pathlib import Path

import pytest
from matplotlib import pyplot

from irnet.inference.weights import BUNDLED

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first_steps.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def test_it_is_kept_without_outputs_and_says_where_real_images_are() -> None:
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS if "outputs" in cell
    )
    said = "".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
    for needed in ("CRIC", "CC BY 4.0", "SIPaKMeD", "Herlev", "ISBI 2014", "EDF", "not a diagnostic device"):
        assert needed in said


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_its_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "notebook"}
    shown = []
    for text in CODE:
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, NOTEBOOK.name, "exec"), names)
        if last is not None:  # a notebook shows the value of a cell's last line
            shown.append(repr(eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)))
    pyplot.close("all")

    assert len(names["found"]["cytoplasm"]) > 3
    assert shown[-1] == repr(names["found"])  # read again
    printed = capsys.readouterr().out
    assert printed.count("outline of") == len(names["found"]["cytoplasm"])
    assert {"cytoplasm", "nucleus"} <= {line.split()[0] for line in printed.splitlines()}
    assert (tmp_path / "field.json").exists()
