"""`irnet train`: a network from your own annotations, or from smears drawn while training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from irnet.cli.options import Device, Out, Own, fold, gathered
from irnet.progress import stage


@dataclass(frozen=True)
class Running:
    """How long a run goes on, where it begins, and how it computes."""

    time: Annotated[
        str | None, typer.Option(help="Train for 90s, 25m or 1h30m.", show_default="the recipe's steps")
    ] = None
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps.", min=1, show_default="the recipe's")
    ] = None
    init: Annotated[
        str | None, typer.Option(help="Start from bundled, a weights file or a run.", callback=fold)
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in OUT.")] = False
    device: Device = "auto"
    precision: Annotated[
        Literal["fp32", "bf16"] | None, typer.Option(help="Precision.", show_default="the recipe's")
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random.", min=0, show_default="the recipe's")
    ] = None


@gathered
def train(
    out: Out,
    data: Annotated[
        Path | None,
        typer.Argument(help="Annotated images: folder or COCO file; none where the recipe draws them."),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            help="Images without outlines to learn from as well: a folder, or a data set with points.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe, or a .toml file.", show_default="default", callback=fold),
    ] = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: section.key=value. Repeatable.")
    ] = None,
    *,
    own: Own,
    running: Running,
) -> None:
    """Train a network on annotated images.

    OUT gets best.safetensors (for irnet predict --model OUT), its model
    card best.md, last.safetensors (for --resume), recipe.json and log.jsonl.
    Several GPUs: torchrun --nproc-per-node 4 -m irnet train ...

    Example:  irnet train smears/ -o runs/mine --recipe finetune --init bundled --time 25m
    """
    with stage("loading"):
        from irnet.config import load_recipe
        from irnet.errors import InputError
        from irnet.training.budget import parse_time
        from irnet.training.run import Start, not_taken
        from irnet.training.train import train as run

    if running.time is not None and running.steps is not None:
        raise InputError("--time and --steps exclude each other: give one of them")
    changes = list(override or [])
    changes += [] if running.precision is None else [f"train.precision={running.precision}"]
    changes += [] if running.seed is None else [f"train.seed={running.seed}"]

    if running.resume and (recipe or changes):
        for line in not_taken(load_recipe(recipe or "default", changes), out):
            typer.echo(line, err=True)

    outcome = run(
        load_recipe(recipe or "default", changes),
        data,
        out,
        Start(running.init, resume=running.resume, own=own.data()),
        unlabelled=unlabelled,
        steps=running.steps,
        time_s=None if running.time is None else parse_time(running.time),
        device=running.device,
    )

    weights = outcome.best or "none yet, they come with the first validation"
    typer.echo(f"step {outcome.step} of {outcome.steps}; weights: {weights}")
    if not outcome.finished or outcome.best is None:  # the second: stopped before a time budget was planned
        typer.echo("not finished: go on with --resume")
