"""`irnet quantise`: a network in 8-bit integers, for `irnet predict --precision int8`."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Network
from irnet.progress import stage
from irnet.wording import describe_point


def quantise(
    source: Network,
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Annotated images: folders or COCO files.", show_default="generated fields, of the recipe"
        ),
    ] = None,
) -> None:
    """Make a network ready for irnet predict --precision int8, on CPUs.

    Every second image gives the ranges of values; on the others the network
    in 8-bit integers is compared with itself in float32. Where it loses more
    than .005 of AJI in a class of a set, thresholds are chosen anew, then its
    backbone stays in float32, and where that is not enough, nothing is kept
    (exit code 2). Name images such as those that you predict.

    Example:  irnet quantise bundled my-fields
    """
    with stage("loading"):
        from irnet.verbs.quantise import quantise as run

    done = run(source, data or [])
    for name, point in done.chosen.items():
        typer.echo(describe_point(name, point, done.before[name]))
    for loss in done.losses:
        typer.echo(str(loss))
    typer.echo("the whole network" if done.backbone else "the network, its backbone in float32")
    typer.echo(f"kept in {done.file}: irnet predict --precision int8")
