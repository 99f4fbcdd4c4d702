"""`irnet figure`: pictures for papers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from irnet.cli.options import check_folder, fold_list, gathered


@dataclass(frozen=True)
class Colouring:
    """What gives the colours, or the order of a sheet."""

    by: Annotated[
        str | None,
        typer.Option(help="Colour by this column of cells.csv.", show_default="neighbours differ"),
    ] = None
    of: Annotated[
        Literal["cytoplasm", "nucleus"], typer.Option(help="Class that is coloured by the measure.")
    ] = "cytoplasm"
    limits: Annotated[
        str | None,
        typer.Option("--range", help="Ends of the colours, LOW:HIGH.", show_default="those of all images"),
    ] = None


@dataclass(frozen=True)
class Drawing:
    """How instances are drawn."""

    fill: Annotated[bool, typer.Option("--fill", help="Fill instances too, see-through.")] = False
    ids: Annotated[bool, typer.Option("--ids", help="Write the number of each instance.")] = False
    scale_bar: Annotated[
        bool, typer.Option("--bar/--no-bar", help="Draw a scale bar where um per pixel are known.")
    ] = True
    line: Annotated[float, typer.Option(help="Width of lines, points.")] = 1.0
    width: Annotated[float, typer.Option(help="Width of the figure, mm.")] = 180.0


@gathered
def figure(
    source: Annotated[
        Path, typer.Argument(help="Folder of predict, data set or COCO file.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder to write to.", show_default="SOURCE/figures", callback=check_folder
        ),
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="Name of an image; repeatable.", show_default="all")
    ] = None,
    save: Annotated[str, typer.Option(help="Files to write: svg, pdf, png.")] = "svg",
    sheet: Annotated[
        int, typer.Option(help="A contact sheet of so many instances, by the measure.", min=0)
    ] = 0,
    *,
    colouring: Colouring,
    drawing: Drawing,
) -> None:
    """Draw figures for a paper: outlines as lines over the image, in SVG and PDF.

    Colours by any measure with a colour bar, scale bar, ids, fills. With
    --sheet one figure of the instances that lead in a measure, all at one
    scale, with ids and values. Needs the extra plot.

    Example:  irnet figure found --image a.png --by nc_ratio --save svg,pdf
    """
    from irnet.verbs.figure import make_figures
    from irnet.verbs.figure_options import FigureOptions, parse_range

    options = FigureOptions(
        images=image or (),
        save=fold_list(save),
        by=colouring.by,
        of=colouring.of,
        limits=None if colouring.limits is None else parse_range(colouring.limits),
        sheet=sheet,
        **vars(drawing),
    )
    done = make_figures(source, out, options)

    for error in done.errors:
        typer.echo(error, err=True)
    for note in done.notes:
        typer.echo(note)
    for file in done.files:
        typer.echo(file)
    raise typer.Exit(done.exit_code)
