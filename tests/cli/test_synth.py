"""`irnet synth` writes a data set that `irnet data check` finds sound."""

import json
from pathlib import Path


def test_a_set_is_drawn_and_sound(run, tmp_path: Path) -> None:
    ran = run("synth", "-o", tmp_path, "--images", "2", "--patients", "2", "--seed", "1")
    assert ran.code == 0
    data = json.loads((tmp_path / "annotations.json").read_text())
    assert len({image["patient"] for image in data["images"]}) == 2
    assert run("data", "check", tmp_path).code == 0


def test_there_are_never_more_patients_than_images(run, tmp_path: Path) -> None:
    ran = run("synth", "-o", tmp_path, "--images", "1")
    assert (ran.code, ran.out) == (0, f"1 generated field of 1 patient in {tmp_path}\n")


def test_it_refuses_no_images(run, tmp_path: Path) -> None:
    assert run("synth", "-o", tmp_path, "--images", "0").code == 2
