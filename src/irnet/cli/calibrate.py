"""`irnet calibrate`: operating thresholds for one's own images, without training."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, ExcludeBorder, check_file


def calibrate(
    source: Annotated[
        str,
        typer.Argument(
            help="Weights file, folder of a run, bundled or bundled-research.", show_default=False
        ),
    ],
    data: Annotated[
        list[Path], typer.Argument(help="Annotated images: folders or COCO files.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="New weights file, with a card.",
            show_default=False,
            callback=check_file,
        ),
    ],
    exclude_border: ExcludeBorder = False,
    device: Device = "auto",
) -> None:
    """Choose the thresholds of a network on annotated images.

    Writes its weights with the score of each class from which on F1 is
    highest. Several sets count the same, whatever their size. Keep them
    apart from those that you score with irnet evaluate.

    Example:  irnet calibrate bundled my-fields -o mine.safetensors
    """
    from irnet.engine.calibrate import calibrate as run

    chosen = run(source, data, out, exclude_border=exclude_border, device=device)
    for name, score in chosen.scores.items():
        f1 = ", ".join(
            f"{part['f1'][name]:.3f} on {part['name']}" for part in chosen.sets if name in part["f1"]
        )
        typer.echo(f"{name}: {score:g}, was {chosen.before[name]:g}" + (f"; F1 {f1}" if f1 else ""))
    typer.echo(f"written to {out}")
