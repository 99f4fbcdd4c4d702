"""`irnet calibrate`: an operating point for one's own images, without training."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, ExcludeBorder, Network, NewWeights, Views
from irnet.progress import stage
from irnet.wording import describe_point


def calibrate(
    source: Network,
    data: Annotated[
        list[Path], typer.Argument(help="Annotated images: folders or COCO files.", show_default=False)
    ],
    out: NewWeights,
    exclude_border: ExcludeBorder = False,
    views: Views = 1,
    device: Device = "auto",
) -> None:
    """Choose the thresholds of a network on annotated images.

    Writes its weights with the operating point of highest merit, the mean
    of F1, AJI, overlap recall and overlap precision: for each class the
    score from which on it is kept, the weight of the duplicate removal in
    that score, and the mask threshold. Several sets count the same, regardless of
    their size. Keep them apart from those that you score with irnet evaluate.

    Example:  irnet calibrate bundled my-fields -o mine.safetensors
    """
    with stage("loading"):
        from irnet.verbs.calibrate import PARTS
        from irnet.verbs.calibrate import calibrate as run

    done = run(source, data, out, exclude_border=exclude_border, views=views, device=device)
    for name, point in done.chosen.items():
        typer.echo(describe_point(name, point, done.before[name]))
        for part in done.sets:
            if name in part["f1"]:
                scores = (f"{title} {part[title][name]:.3f}" for title in PARTS if name in part[title])
                typer.echo(f"  {part['name']}: {', '.join(scores)}")
    typer.echo(f"written to {out}")
