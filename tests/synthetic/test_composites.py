"""Composites as a data set for `irnet study`: three calls, three parts, no cell in two of them."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.config import DataSettings
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.study.parts import open_parts

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "composites.py"
SIDE = 120


def write_cells(folder: Path, captures: int) -> None:
    """A free-lying cell in each image, the number of its capture in the name."""
    y, x = np.mgrid[:SIDE, :SIDE]
    entries = []
    for capture in range(captures):
        masks = np.array([(x - 60) ** 2 + (y - 60) ** 2 <= r**2 for r in (40 + capture, 9)])
        image = np.full((SIDE, SIDE, 3), 230, np.uint8)
        image[masks[0]], image[masks[1]] = 180, 90
        path = folder / "images" / f"{capture}-cell.png"
        write_atomic(path, to_png(image))
        cells = Cells.from_dense(masks, [CYTOPLASM, NUCLEUS], mpp=0.37)
        entries.append(Entry(name=path.name, path=path, content=Content(cells=cells)))
    write_coco(folder / "annotations.json", entries)


def test_parts_of_one_set_share_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_cells(tmp_path / "cells", captures=5)
    out = tmp_path / "set"
    for part, ranks in (("train", "234"), ("val", "1"), ("test", "0")):
        arguments = [
            str(tmp_path / "cells"),
            "-o",
            str(out),
            "--part",
            part,
            "--rank",
            *ranks,
            "--fields",
            "2",
        ]
        monkeypatch.setattr(sys, "argv", ["composites.py", *arguments])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    parts = open_parts(out, DataSettings())
    assert parts.names()["train"] == ["train-000.png", "train-001.png"]
    assert all(entry.path.exists() for entry in (*parts.train, *parts.val, *parts.test))

    captures = {}
    for part in ("train", "val", "test"):
        fields = json.loads((out / f"{part}-sources.json").read_text())
        captures[part] = {cell[0] for field in fields.values() for cell in field}
    assert captures["val"] == {"1"}
    assert captures["test"] == {"0"}
    assert captures["train"] <= {"2", "3", "4"}


def test_cells_of_a_group_are_in_fields_of_its_patient_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_cells(tmp_path / "cells", captures=5)
    arguments = [str(tmp_path / "cells"), "-o", str(tmp_path / "set"), "--fields", "6", "--groups", "3"]
    monkeypatch.setattr(sys, "argv", ["composites.py", *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")

    patients = {entry.name: entry.patient for entry in read_coco(tmp_path / "set")}
    sources = json.loads((tmp_path / "set" / "sources.json").read_text())
    of_capture: dict[str, set[str | None]] = {}
    for name, kinds in sources.items():
        for kind in kinds:
            of_capture.setdefault(kind.split("-")[0], set()).add(patients[name])

    assert len(set(patients.values())) == 3
    assert all(len(seen) == 1 for seen in of_capture.values())


def test_more_groups_than_captures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    write_cells(tmp_path / "cells", captures=2)
    arguments = [str(tmp_path / "cells"), "-o", str(tmp_path / "set"), "--groups", "3"]
    monkeypatch.setattr(sys, "argv", ["composites.py", *arguments])
    with pytest.raises(SystemExit):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "--groups 3" in capsys.readouterr().err
