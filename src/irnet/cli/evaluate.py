"""`irnet evaluate`: scores of predictions or of a method."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, ExcludeBorder, Out, Own, Score, Views, fold_each, gathered
from irnet.progress import stage


@gathered
def evaluate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Folder or COCO file of predictions; a weights file or a run's folder; bundled, "
            "bundled-research or jomls. Two of them are compared.",
            show_default=False,
            callback=fold_each,
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
    """Score predictions, or a method, on annotated images; or compare two of them.

    Writes summary.json and table.txt: AJI, F1, AP, overlap recall, outlines
    and more, by class and by degree of overlap (docs/reference/metrics.md).
    What needs scores is left out where a method gives none. gallery.html
    shows the worst mistakes by cause, beside the truth. Of two sources, A and
    B: comparison.json with paired differences and their intervals, table.txt,
    gallery.html with the cells that changed, and the scores of each in A and B.

    Example:  irnet evaluate bundled smears/test.json -o scores
    """
    with stage("loading"):
        from irnet.verbs.compare import compare
        from irnet.verbs.evaluate import evaluate as run

    options = {"score": score, "exclude_border": exclude_border, "views": views, "device": device}
    if len(sources) == 1:
        done = run(sources[0], data, out, own=own.data(), **options)
    else:
        done = compare(sources, data, out, own=own.data(), **options)
    typer.echo(done.table)
    typer.echo(f"written to {out}")
