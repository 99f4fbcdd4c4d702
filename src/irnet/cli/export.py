"""`irnet export`: what was found, for other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from irnet.cli.options import check_folder, lower


def _formats() -> list[str]:
    from irnet.verbs.export import FORMATS

    return [*FORMATS]


def export(
    source: Annotated[
        Path,
        typer.Argument(help="Folder of predict, also of slides; data set or COCO file.", show_default=False),
    ],
    to: Annotated[
        str,
        typer.Option(
            help="Format: qupath, imagej, labelme, cvat, csv, parquet or labels.",
            callback=lower,
            autocompletion=_formats,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder to write to.", show_default="SOURCE/FORMAT", callback=check_folder
        ),
    ] = None,
    style: Annotated[
        Literal["cells", "annotations", "polygons", "masks"] | None,
        typer.Option(
            "--as",
            help="Form of instances: for qupath cells, or annotations to correct; for labelme and cvat "
            "polygons or masks.",
            show_default="cells for qupath, polygons for labelme, masks for cvat",
        ),
    ] = None,
) -> None:
    """Write cells for QuPath, ImageJ, labelme, CVAT, as a table or as label maps.

    What a format cannot hold is counted and printed. Files that are there
    already are not replaced: they may have been corrected. An image that is
    no longer there has no stain and no copy (exit code 3). `irnet data
    convert --from` reads all but tables back.

    Example:  irnet export found --to qupath --as annotations
    """
    from irnet.verbs.export import export as run
    from irnet.wording import number_of

    done = run(source, to, out, style=style)
    for note in done.notes:
        typer.echo(f"warning: {note}", err=True)
    for error in done.errors:
        typer.echo(error, err=True)
    typer.echo(f"{number_of(done.images, done.what)} written to {done.folder}")
    raise typer.Exit(done.exit_code)
