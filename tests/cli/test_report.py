"""`irnet report` on predictions, on annotations, and on what it should refuse."""

import shutil
from pathlib import Path

import PIL.Image
from page_scenes import draw_discs, write_found


def test_predictions_become_a_page(run, tmp_path: Path) -> None:
    found = write_found(tmp_path / "found", {"a.png": draw_discs()})
    ran = run("report", found)
    assert ran.code == 0
    assert f"kB written to {found / 'report.html'}" in ran.out
    assert "2 cells, 3 nuclei" in (found / "report.html").read_text(encoding="utf-8")


def test_a_data_set_becomes_a_page_where_it_is_wanted(run, smears: Path, tmp_path: Path) -> None:
    assert run("report", smears, "-o", tmp_path / "set.html").code == 0
    text = (tmp_path / "set.html").read_text(encoding="utf-8")
    assert "Patients" in text
    assert "No record of a run" in text
    assert "Lowest scores" not in text  # annotations have none


def test_a_missing_picture_is_told(run, tmp_path: Path) -> None:
    found = write_found(tmp_path / "found", {"a.png": draw_discs()})
    (tmp_path / "smears" / "0.png").unlink()
    ran = run("report", found)
    assert ran.code == 3
    assert "no picture: " in ran.err


def test_what_it_refuses(run, tmp_path: Path) -> None:
    assert run("report", tmp_path / "nothing").code == 2
    assert run("report", write_found(tmp_path / "a", {}), "-o", tmp_path).code == 2


def test_the_folder_or_the_verb_that_was_meant_is_named(run, smears: Path, tmp_path: Path) -> None:
    found = write_found(tmp_path / "demo" / "found", {"a.png": draw_discs()})
    assert run("report", tmp_path / "demo").err.endswith(f"; name one of {found}\n")
    assert "'irnet predict' finds the cells of images" in run("report", smears / "images").err


def test_a_page_is_written_over_nothing_that_is_no_page(run, tmp_path: Path) -> None:
    found = write_found(tmp_path / "found", {"a.png": draw_discs()})
    for name in ("slides.csv", "predictions.json", "cells.db", "page"):
        before = (found / name).read_bytes() if (found / name).exists() else None
        ran = run("report", found, "--out", found / name)
        assert (ran.code, "name a file that ends in .html" in ran.err) == (2, True)
        assert ((found / name).read_bytes() if (found / name).exists() else None) == before
    assert run("report", found, "--out", tmp_path / "new" / "Page.HTML").code == 0


def test_no_verb_writes_over_what_it_reads(run, smears: Path, tmp_path: Path) -> None:
    data, found = tmp_path / "set", write_found(tmp_path / "found", {"0.png": draw_discs()})
    shutil.copytree(smears, data)
    (data / "annotations.json").rename(data / "summary.json")
    (found / "overlays").mkdir()
    PIL.Image.new("RGB", (90, 90)).save(found / "overlays" / "b.png")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for arguments in (
        ("figure", found, "-o", tmp_path / "smears", "--save", "PNG, svg"),
        ("predict", found / "overlays", "-o", found, "--method", "jomls", "--scale", 1),
        ("import-predictions", found / "predictions.json", data / "summary.json", "-o", found),
        ("evaluate", data / "summary.json", data / "summary.json", "-o", data),
        ("evaluate", "jomls", "bundled", data / "summary.json", "-o", data),
    ):
        ran = run(*arguments)
        assert (ran.code, "it is read, and would be written over" in ran.err) == (2, True), ran.err
        assert {file: file.read_bytes() for file in before} == before


def test_a_table_of_somebody_else_is_never_written_over(run, smears: Path, tmp_path: Path) -> None:
    found = write_found(tmp_path / "found", {"0.png": draw_discs()})
    link, mine = tmp_path / "link.csv", found / "images.csv"
    mine.write_text("image,patient\n0.png,P1\n")
    link.symlink_to(mine)

    for arguments in (
        ("measure", found),
        ("measure", found, "--patients", link),
        ("predict", smears / "images", "-o", found, "--method", "jomls", "--scale", 1),
    ):
        ran = run(*arguments)
        assert (ran.code, "images.csv is there, with other columns" in ran.err) == (2, True), ran.err
        assert mine.read_text() == "image,patient\n0.png,P1\n"
    assert run("measure", found, "--patients", link, "--save", "parquet").code == 0

    mine.rename(tmp_path / "patients.csv")
    assert run("measure", found, "--patients", tmp_path / "patients.csv").code == 0
    assert run("measure", found, "--patients", found / "images.csv").code == 0  # its own is read back
    assert "P1" in mine.read_text()

    mine.write_text("image;note\n")
    jomls = ("--method", "jomls", "--scale", 1)
    assert run("predict", smears / "images", "-o", found, *jomls, "--save", "coco").code == 0
    assert mine.read_text() == "image;note\n"
