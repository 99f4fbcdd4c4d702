"""`irnet data`: findings in lines, a mended file, converted and split sets."""

import json
from pathlib import Path

import pytest

CONVERT = ("data", "convert", "--from", "labelme")


@pytest.fixture
def copy(smears: Path, tmp_path: Path) -> Path:
    """A copy of the set that a test may spoil."""
    (tmp_path / "images").symlink_to(smears / "images", target_is_directory=True)
    (tmp_path / "annotations.json").write_bytes((smears / "annotations.json").read_bytes())
    return tmp_path


def spoil(folder: Path, **changes: object) -> None:
    file = folder / "annotations.json"
    data = json.loads(file.read_text())
    data["annotations"][0] |= changes
    file.write_text(json.dumps(data))


def test_a_sound_set_has_no_errors(run, smears: Path) -> None:
    ran = run("data", "check", smears)
    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith("0 errors")


def test_an_error_is_told_with_file_id_and_remedy_and_mended(run, copy: Path) -> None:
    spoil(copy, segmentation=[[0, 0, 1, 1]])
    ran = run("data", "check", copy)
    assert ran.code == 2
    assert f"error: {copy}/annotations.json, image 0.png, annotation 1: " in ran.out
    assert "-> " in ran.out
    assert "[bad-annotation]\n1 error, " in ran.out
    fixed = run("data", "check", copy, "--fix", copy / "clean.json")
    assert fixed.code == 0
    assert "mended" in fixed.out
    assert run("data", "check", copy / "clean.json").code == 0


def test_categories_are_renamed_by_map(run, copy: Path) -> None:
    text = (copy / "annotations.json").read_text().replace('"name":"nucleus"', '"name":"Kern"')
    text = text.replace('"name": "nucleus"', '"name": "Kern"')
    (copy / "annotations.json").write_text(text)
    assert "--map 'Kern=" in run("data", "check", copy).out.replace("NAME", "Kern")
    assert run("data", "check", copy, "--map", "Kern=nucleus").code == 0
    assert run("data", "check", copy, "--map", "Kern=core").code == 2


def test_fix_takes_one_file(run, smears: Path, tmp_path: Path) -> None:
    ran = run("data", "check", smears, smears, "--fix", tmp_path / "x.json")
    assert ran.code == 2
    assert "one file" in ran.err


def test_convert_refuses(run, smears: Path, tmp_path: Path) -> None:
    assert run("data", "convert", smears, "--from", "nothing", "-o", tmp_path / "out").code == 2
    assert run("data", "convert", tmp_path / "none", "--from", "coco", "-o", tmp_path / "out").code == 2


def test_convert_copies(run, smears: Path, tmp_path: Path) -> None:
    ran = run("data", "convert", smears, "--from", "coco", "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (0, f"3 images in {tmp_path / 'out'}\n")
    assert run("data", "check", tmp_path / "out").code == 0
    assert run("data", "convert", smears, "--from", "coco", "-o", tmp_path / "out").code == 2


def test_convert_takes_scale_patients_and_links(
    run, copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = copy / "annotations.json"
    data = json.loads(file.read_text())
    for row in data["images"]:
        del row["patient"], row["mpp"]
    for row in data["annotations"]:
        row.pop("cell_id", None)
    file.write_text(json.dumps(data))
    run("data", "convert", copy, "--from", "coco", "-o", tmp_path / "bare")
    assert "--link pairs" in caplog.text
    for option in ("--link", "--mpp", "--patients"):
        assert option in run("data", "check", tmp_path / "bare").out

    (copy / "patients.csv").write_text("\ufeffimage;patient\n0.png;A\n1.png;B\n2.png;A\n", encoding="utf-8")
    options = ("--mpp", "0.37", "--patients", copy / "patients.csv", "--link")
    ran = run("data", "convert", copy, "--from", "coco", "-o", tmp_path / "out", *options)
    assert ran.code == 0
    assert "nuclei linked to a cell" in ran.out
    made = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [(row["mpp"], row["patient"]) for row in made["images"]] == [(0.37, "A"), (0.37, "B"), (0.37, "A")]
    assert any("cell_id" in row for row in made["annotations"])
    checked = run("data", "check", tmp_path / "out").out
    assert not any(option in checked for option in ("--link", "--mpp", "--patients"))

    refused = run("data", "convert", copy, "--from", "coco", "-o", tmp_path / "no", "--patients", r"(P\d)")
    assert (refused.code, "no patient in the name 0.png" in refused.err) == (2, True)
    assert not (tmp_path / "no").exists()


def test_copies_of_images_in_an_export_are_known_and_other_images_are_named(
    run, smears: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run("export", smears, "--to", "labelme", "-o", tmp_path / "drawn")
    assert run(*CONVERT, tmp_path / "drawn", "--images", smears, "-o", tmp_path / "one").code == 0
    assert "not read" not in caplog.text
    (tmp_path / "drawn" / "0.png").write_bytes((tmp_path / "drawn" / "1.png").read_bytes())
    run(*CONVERT, tmp_path / "drawn", "--images", smears, "-o", tmp_path / "two")
    assert "not read: 0.png" in caplog.text


def test_split_by_patient(run, copy: Path) -> None:
    assert run("data", "split", copy, "--ratios", "1:1:1").code == 0
    parts = [json.loads((copy / f"{part}.json").read_text())["images"] for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [1, 1, 1]
    assert run("data", "split", copy).code == 2  # nothing is overwritten


@pytest.mark.parametrize("ratios", ["7:1", "a:b:c", "1:0:1"])
def test_ratios_that_mean_nothing(run, copy: Path, ratios: str) -> None:
    assert run("data", "split", copy, "--ratios", ratios).code == 2
