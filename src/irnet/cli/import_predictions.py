"""`irnet import-predictions`: results of other tools, to be scored like our own."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from irnet.cli.options import Map, Out
from irnet.wording import command


def import_predictions(
    source: Annotated[
        Path,
        typer.Argument(
            help="COCO file or list of results; folder of label maps or YOLO text.", show_default=False
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Annotated images: folder or COCO file.", show_default=False)],
    out: Out,
    source_format: Annotated[
        Literal["coco", "labels", "yolo"] | None,
        typer.Option("--from", help="Format of the source.", show_default="by its files"),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="What label maps hold: cytoplasm or nucleus; for several pages one each, nucleus,cytoplasm.",
            show_default="folders in SOURCE are called so",
        ),
    ] = None,
    mapping: Map = None,
    missing: Annotated[
        Literal["error", "empty"],
        typer.Option(help="How to treat images for which SOURCE has no prediction."),
    ] = "error",
    name: Annotated[
        str | None, typer.Option(help="Name of the tool.", show_default="the name of SOURCE")
    ] = None,
) -> None:
    """Bring results of another tool to the images of a data set, to score them with irnet evaluate.

    Writes predictions.json (COCO) and run.json, and prints how the truth
    itself would score as a label map, in which a pixel has one owner.

    Example:  irnet import-predictions cellpose/ smears/test.json --label cytoplasm -o cellpose-found
    """
    from irnet.data.categories import parse_mapping
    from irnet.verbs.import_predictions import import_predictions as run

    report = run(
        source,
        data,
        out,
        kind=source_format,
        labels=None if label is None else [part.strip() for part in label.split(",")],
        mapping=None if mapping is None else parse_mapping(mapping),
        missing=missing,
        name=name,
    )
    for line in report.lines():
        typer.echo(line)
    typer.echo(f"written to {out}; score it: {command('evaluate', out, data, '-o', 'SCORES')}")
