"""`irnet demo`: one generated field from pixels to scores and a picture, offline."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, Model, check_folder
from irnet.progress import stage


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder to write to.", callback=check_folder)
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed draws another field.", min=0)] = 12,
    model: Model = None,
    device: Device = "auto",
) -> None:
    """Draw a generated field, find its cells, score them, and make a picture and two reports. No network.

    Example:  irnet demo -o demo
    """
    with stage("loading"):
        from irnet.verbs.demo import run_demo

    typer.echo("The field is generated: a drawing of a smear, no patient's image.")
    done = run_demo(out, seed=seed, model=model, device=device)
    for line in done.lines():
        typer.echo(line)
    found, scores = done.reports
    typer.echo(f"field, truth and finding side by side: {done.picture}")
    typer.echo(f"reports, for a browser: what was found {found}, how it scored {scores}")
