"""`irnet measure`: the table of what was found, from finished predictions."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Link, Own, fold_list, gathered
from irnet.wording import number_of


@gathered
def measure(
    found: Annotated[
        Path,
        typer.Argument(
            help="Folder of irnet predict, also of slides; or a data set, or a COCO file.", show_default=False
        ),
    ],
    exclude_overlap: Annotated[
        bool, typer.Option("--exclude-overlap", help="Leave pixels of several cells out of the stain.")
    ] = False,
    save: Annotated[str, typer.Option(help="Files to write: csv, parquet.")] = "csv",
    *,
    own: Own,
    link: Link = False,
) -> None:
    """Measure every cell and nucleus that was found, or annotated.

    Writes cells.csv: size and form, overlap, N:C ratio, stain and texture,
    one row an instance; and images.csv, one row an image
    (docs/reference/measurements.md). An image that is no longer there has
    no stain (exit code 3).

    Example:  irnet measure found --exclude-overlap
    """
    from irnet.verbs.measure import measure_files

    measured = measure_files(
        found,
        own=own.data(),
        link=link,
        exclude_overlap=exclude_overlap,
        save=fold_list(save),
    )
    for note in measured.notes:
        typer.echo(note)
    for error in measured.errors:
        typer.echo(error, err=True)
    if not measured.rows:
        typer.echo(f"{found}: no cell and no nucleus in it: the table has only a header", err=True)
    typer.echo(f"{number_of(measured.rows, 'row')} written to {', '.join(map(str, measured.files))}")
    raise typer.Exit(measured.exit_code)
