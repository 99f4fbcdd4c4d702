"""`irnet report`: one page that shows what was found, or how it scored."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import check_file
from irnet.wording import size_of


def report(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of irnet predict, slide or evaluate; a data set, or a COCO file.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="File to write.",
            show_default="report.html in the folder",
            callback=check_file,
        ),
    ] = None,
) -> None:
    """Write a page about what was found, or about how it scored: one file, pictures inside.

    Of what was found: numbers, distributions, which cells to look at first
    and why, every image, tables, the run. Of scores: tables with intervals,
    curves, calibration, the worst images. Of whole slides: their rows, what
    is wrong with them, where cells lie, and a gallery of cells that the page
    sorts by any measure. A picture that is no longer there
    is left out (exit code 3).

    Example:  irnet report found
    """
    from irnet.verbs.report import write_report

    written = write_report(source, out)
    for reason in written.missing:
        typer.echo(reason, err=True)
    typer.echo(f"{size_of(written.size)} written to {written.file}")
    raise typer.Exit(written.exit_code)
