"""`irnet study`: the paper's comparison, repeated on your data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from irnet.cli.options import Device, check_folder, fold, gathered
from irnet.progress import stage


@dataclass(frozen=True)
class StudyExtent:
    """How much is trained."""

    size: Annotated[
        Literal["tiny", "small", "scarce", "paper"] | None,
        typer.Option(
            help="tiny: a test; small: hours on two cores; scarce: from ImageNet; paper: a GPU.",
            show_default="small",
        ),
    ] = None
    seeds: Annotated[
        int | None, typer.Option(help="How many times each row is trained.", min=1, show_default="3")
    ] = None


@dataclass(frozen=True)
class RowTraining:
    """Where rows begin, and how long they are trained."""

    trunk: Annotated[
        str | None,
        typer.Option(
            help="Weights to fork from: bundled or a file.", show_default="trained first", callback=fold
        ),
    ] = None
    protocol: Annotated[
        Literal["forked", "scratch"] | None,
        typer.Option(help="Fork rows from one trunk, or start each from ImageNet.", show_default="by size"),
    ] = None
    steps: Annotated[int | None, typer.Option(help="Steps of each row.", min=1, show_default="by size")] = (
        None
    )
    trunk_steps: Annotated[
        int | None, typer.Option(help="Steps of the trunk.", min=1, show_default="by size")
    ] = None


@gathered
def study(
    what: Annotated[
        Literal["table1", "table2", "fig3", "beyond"],
        typer.Argument(help="What to make.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="Folder of the study; several processes may share it.",
            callback=check_folder,
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with train.json, val.json, test.json, or a set to split by patient.",
            show_default="that of the study in OUT",
        ),
    ] = None,
    *,
    extent: StudyExtent,
    rows: Annotated[
        str | None, typer.Option(help="Rows to run, such as maskrcnn,irnet.", show_default="all")
    ] = None,
    training: RowTraining,
    device: Device = "auto",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: section.key=value. Repeatable.")
    ] = None,
) -> None:
    """Repeat Table 1, Table 2 or Figure 3 of the paper, or go beyond it.

    Trains the rows that are not finished, chooses thresholds on validation
    images, scores the test images, and writes WHAT.md, .csv and .json, or
    fig3.png, to OUT. The same command goes on where it stopped. What is left out
    is as the study in OUT was begun. Exit code 3: rows are missing. Rows of
    "beyond" stand on one frozen trunk.

    Example:  irnet study table1 --data smears -o study --size small --trunk bundled
    """
    with stage("loading"):
        from irnet.inference.devices import choose_device
        from irnet.study.make import check_rows, make
        from irnet.study.record import Options, open_study

    overrides = None if override is None else tuple(override)
    options = Options(**vars(extent), **vars(training), overrides=overrides)
    check_rows(what, rows)
    choose_device(device)  # before anything is frozen
    begun = open_study(data, out, options)

    made = make(what, begun, keys=rows, device=device, say=lambda text: typer.echo(text, err=True))
    typer.echo(f"{made.beginning}\n\nwritten to {out}")
    for one in made.missing:
        typer.echo(f"missing: {one}", err=True)
    raise typer.Exit(made.exit_code)
