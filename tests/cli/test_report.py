"""`irnet report` on predictions, on annotations, and on what it should refuse."""

from pathlib import Path

from page_scenes import draw_discs, write_found


def test_predictions_become_a_page(run, tmp_path: Path) -> None:
    found = write_found(tmp_path / "found", {"a.png": draw_discs()})
    ran = run("report", found)
    assert ran.code == 0
    assert f"written to {found / 'report.html'}" in ran.out
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
