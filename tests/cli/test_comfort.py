"""Small mistakes at the command line are understood, or told with what to write instead."""

import logging
from pathlib import Path

import pytest

from irnet.cli import LikeVerbs
from irnet.cli.options import fold, fold_list


@pytest.mark.parametrize("option", ["--mpp", "--score", "--scale"])
def test_a_decimal_comma_is_told_with_a_point(run, tmp_path: Path, option: str) -> None:
    ran = run("predict", tmp_path, "-o", tmp_path / "out", option, "0,25")
    assert ran.code == 2
    assert "write 0.25" in ran.err
    assert run("predict", tmp_path, "-o", tmp_path / "out", option, "much").code == 2


def test_choices_are_taken_in_any_case(run, smears: Path, tmp_path: Path) -> None:
    ran = run("data", "convert", smears, "--from", "COCO", "--crowd", "Ignore", "-o", tmp_path / "set")
    assert ran.code == 0
    assert run("export", tmp_path / "set", "--to", "Labels", "-o", tmp_path / "maps").code == 0
    assert run("measure", tmp_path / "set", "--save", "CSV").code == 0
    wrong = run("export", tmp_path / "set", "--to", "xlsx")
    assert (wrong.code, "qupath" in wrong.err) == (2, True)


def test_names_of_weights_are_taken_in_any_case_and_files_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Run").mkdir()
    assert [fold(name) for name in ("Bundled", "JOMLS", "Run", "a/B", "B.safetensors", None)] == [
        *("bundled", "jomls", "Run", "a/B", "B.safetensors", None)
    ]
    assert fold("X" * 300) == "x" * 300  # longer than names of files can be
    assert fold_list("coco, CSV") == ["coco", "csv"]


def test_arguments_in_the_wrong_order_are_told(run, smears: Path, tmp_path: Path) -> None:
    ran = run("evaluate", smears, "Bundled", "-o", tmp_path / "scores")
    assert ran.code == 2
    assert f"irnet evaluate Bundled {smears}" in ran.err


def test_the_shell_completes_verbs_options_and_choices(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--install-completion" in run("--help").out
    for words, offered in (
        ("irnet mea", "measure"),
        ("irnet measure --exc", "--exclude-overlap"),
        ("irnet data convert --from qu", "qupath"),
        ("irnet export found --to lab", "labelme"),
    ):
        monkeypatch.setenv("_IRNET_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert offered in run().out


def test_the_log_warns_as_verbs_do() -> None:
    record = logging.LogRecord("irnet", logging.WARNING, "", 0, "%s: odd", ("a.png",), None)
    assert LikeVerbs().format(record) == "warning: a.png: odd"


def test_resuming_says_which_settings_are_not_taken(run, smears: Path, network: Path) -> None:
    options = ("--recipe", "tiny", "--set", "data.crop=64", "--device", "cpu", "--resume")
    told = run("train", smears, "-o", network, *options, "--set", "train.lr=0.5", "--set", "train.workers=0")
    assert told.code == 0
    assert "--resume goes on with the settings that the run began with: train.lr = " in told.err
    assert "not 0.5" in told.err
    assert "--resume goes on" not in run("train", smears, "-o", network, "--device", "cpu", "--resume").err
