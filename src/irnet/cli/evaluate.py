"""`irnet evaluate`: scores of predictions or of a method."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, ExcludeBorder, Out, Own, Score, Views, fold, gathered


@gathered
def evaluate(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder or COCO file of predictions; a weights file or a run's folder; bundled, "
            "bundled-research or jomls.",
            show_default=False,
            callback=fold,
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Annotated images: folder or COCO file.", show_default=False)],
    out: Out,
    score: Score = None,
    exclude_border: ExcludeBorder = False,
    views: Views = 1,
    device: Device = "auto",
    *,
    own: Own,
) -> None:
    """Score predictions, or a method, on annotated images.

    Writes summary.json and table.txt: AJI, F1, AP, overlap recall, outlines
    and more, by class and by degree of overlap (docs/reference/metrics.md).
    What needs scores is left out where a method gives none. gallery.html
    shows the worst mistakes by cause, beside the truth.

    Example:  irnet evaluate bundled smears/test.json -o scores
    """
    from irnet.verbs.evaluate import evaluate as run

    options = {"score": score, "exclude_border": exclude_border, "views": views, "device": device}
    done = run(source, data, out, own=own.data(), **options)
    typer.echo(done.table)
    typer.echo(f"written to {out}")
