"""Every verb explains itself, and fast: help never waits for PyTorch."""

import subprocess
import sys

import pytest
import typer

from irnet.cli import app

VERBS = (
    "doctor",
    "synth",
    "train",
    "predict",
    "evaluate",
    "calibrate",
    "annotate",
    "quantise",
    "average",
    "import-predictions",
    "measure",
    "report",
    "export",
    "figure",
    "view",
    "study",
    "demo",
    "data check",
    "data convert",
    "data split",
    "slide info",
    "slide plan",
    "slide run",
    "slide status",
    "slide finish",
)


def commands(group: typer.core.TyperGroup, prefix: str = "") -> dict[str, typer.core.TyperCommand]:
    found = {}
    for name, command in group.commands.items():
        inner = (
            commands(command, f"{name} ") if isinstance(command, typer.core.TyperGroup) else {name: command}
        )
        found |= {f"{prefix}{key}": value for key, value in inner.items()}
    return found


def test_the_verbs_are_these() -> None:
    assert sorted(commands(typer.main.get_group(app))) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_help_with_an_example(run, verb: str) -> None:
    ran = run(*verb.split(), "--help")
    assert ran.code == 0
    assert f"Example:  irnet {verb}" in ran.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb: str) -> None:
    command = commands(typer.main.get_group(app))[verb]
    assert command.help
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


def test_no_verb_gives_help(run) -> None:
    assert "Commands" in run().out


def test_version(run) -> None:
    from irnet import __version__

    assert run("--version").out.strip() == __version__


def test_help_does_not_import_torch() -> None:
    script = (
        "import sys, contextlib\n"
        "from irnet.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['train', '--help'])\n"
        "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
