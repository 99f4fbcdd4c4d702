"""`irnet slide`: whole slides."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Model

app = typer.Typer(
    name="slide", help="Whole slides: files of scanners, and large images.", no_args_is_help=True
)

SlideMpp = Annotated[
    float | None, typer.Option("--mpp", help="um per pixel of the slide.", show_default="what its file says")
]
Plane = Annotated[int | None, typer.Option(help="Focal plane, from 0.", show_default="the middle one")]


@app.command()
def info(
    slide: Annotated[Path, typer.Argument(help="File of a slide, or an image.", show_default=False)],
    mpp: SlideMpp = None,
    plane: Plane = None,
    model: Model = None,
) -> None:
    """Say how a slide is read, what is on it and how long it would take.

    Prints its reader, size, um per pixel, levels, focal planes, the area that
    shows something, windows and the hours that a CPU core would need. Nothing
    of its label, its overview picture or its tags is read out.

    Example:  irnet slide info smear.svs
    """
    from irnet.verbs.slide_info import slide_info

    for line in slide_info(slide, model=model, mpp=mpp, plane=plane).lines():
        typer.echo(line)
