"""`irnet study` freezes nothing before the command line is right."""

from pathlib import Path

import pytest


@pytest.mark.parametrize("what", ["table1", "table2", "fig3", "beyond"])
def test_rows_that_are_unknown_begin_no_study(run, smears: Path, tmp_path: Path, what: str) -> None:
    ran = run("study", what, "--data", smears, "-o", tmp_path / "study", "--rows", "foo")
    assert ran.code == 2
    assert "--rows foo" in ran.err
    assert not (tmp_path / "study").exists()


def test_a_new_study_needs_data(run, tmp_path: Path) -> None:
    ran = run("study", "table1", "-o", tmp_path)
    assert ran.code == 2
    assert "--data" in ran.err


def test_a_device_that_is_missing_begins_no_study(run, smears: Path, tmp_path: Path) -> None:
    ran = run("study", "table1", "-o", tmp_path / "study", "--data", smears, "--device", "cuda:99")
    assert (ran.code, (tmp_path / "study").exists()) == (2, False)
