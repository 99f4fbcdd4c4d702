"""Exports take what predict measured, and only as long as it is of what they export."""

import csv
import shutil
from pathlib import Path

import pytest

from irnet.data.coco.coco import read_coco, write_coco
from irnet.inference.predict import Predictor
from irnet.verbs import export as exporting
from irnet.verbs.export import export
from irnet.verbs.measure import measure_files
from irnet.verbs.predict_files import PredictOptions, predict_files


@pytest.fixture
def run(blobs_installed: Predictor, circles: Path, tmp_path: Path) -> Path:
    """A folder of predict of two images, one of whose names a spreadsheet would take for a formula."""
    images = sorted(path for path in (circles / "images").iterdir() if path.suffix == ".png")[:2]
    for path, name in zip(images, ("=1.png", "b.png"), strict=True):
        shutil.copy(path, tmp_path / name)
    predict_files([tmp_path / "=1.png", tmp_path / "b.png"], tmp_path / "run", PredictOptions())
    return tmp_path / "run"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("measured again")


@pytest.mark.parametrize("to", ["csv", "qupath"])
def test_what_predict_measured_is_not_measured_again(run: Path, to: str, monkeypatch: pytest.MonkeyPatch):
    again = export(run / "predictions.json", to, run.parent / "first").folder
    monkeypatch.setattr(exporting, "measured_by_run", lambda *_: {})
    anew = export(run, to, run.parent / "second").folder
    files = sorted(path.name for path in again.iterdir())
    assert files == sorted(path.name for path in anew.iterdir())
    assert [(again / name).read_bytes() for name in files] == [(anew / name).read_bytes() for name in files]

    monkeypatch.undo()
    monkeypatch.setattr(exporting, "measure_entry", refuse)
    for image in run.parent.glob("*.png"):
        image.unlink()  # stain was measured while it was there
    assert export(run, to, run.parent / "third").exit_code == 0
    assert [(run.parent / "third" / name).read_bytes() for name in files] == [
        (again / name).read_bytes() for name in files
    ]


def test_the_stain_of_images_that_are_gone_is_not_lost(run: Path):
    before = (run / "cells.csv").read_bytes()
    assert all(row["od_mean"] for row in rows(run / "cells.csv"))
    (run.parent / "b.png").unlink()
    done = measure_files(run)
    assert (done.exit_code, (run / "cells.csv").read_bytes()) == (0, before)
    assert ["b.png: stain not measured" in note for note in done.notes] == [True]

    without_overlaps = measure_files(run, exclude_overlap=True)
    assert without_overlaps.exit_code == 3
    assert not any(row["od_mean"] for row in rows(run / "cells.csv") if row["image"] == "b.png")


def test_a_table_that_was_changed_is_no_source(run: Path):
    original = rows(run / "cells.csv")
    assert original
    text = (run / "cells.csv").read_text(encoding="utf-8-sig")
    (run / "cells.csv").write_text(text.replace(original[0]["area_px"], "1"), encoding="utf-8-sig")
    assert rows(export(run, "csv", run.parent / "out").folder / "cells.csv") == original


def test_what_was_corrected_is_measured(run: Path):
    entries = read_coco(run / "predictions.json")
    kept = [entry for entry in entries if entry.name == "b.png"]
    write_coco(run / "corrected.json", kept)
    corrected = rows(export(run / "corrected.json", "csv", run.parent / "out").folder / "cells.csv")
    assert {row["image"] for row in corrected} == {"b.png"}


def test_a_run_without_hashes_is_measured(run: Path):
    (run / "run.json").write_text((run / "run.json").read_text().replace('"hashes"', '"older"'))
    (run / "cells.csv").write_text("image\n")
    assert len(rows(export(run, "csv", run.parent / "out").folder / "cells.csv")) > 0
