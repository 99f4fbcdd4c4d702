"""`irnet average`: two networks in one."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import check_file, fold
from irnet.progress import stage


def average(
    first: Annotated[
        str,
        typer.Argument(
            help="Weights file, folder of a run, bundled or bundled-research.",
            show_default=False,
            callback=fold,
        ),
    ],
    second: Annotated[
        str, typer.Argument(help="Another of the same network.", show_default=False, callback=fold)
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
    share: Annotated[float, typer.Option(help="What part the second has, above 0 and below 1.")] = 0.5,
) -> None:
    """Average the weights of two networks, one of them trained on from the other.

    What training on fields of one's own gained is kept for the most part,
    and so is what the weights before could do on others. The operating
    point is that of the first: choose it anew with irnet calibrate.

    Example:  irnet average run bundled -o both.safetensors
    """
    with stage("averaging"):
        from irnet.verbs.average import average as run

        run(first, second, out, share=share)
    typer.echo(
        f"written to {out}; its thresholds are those of {first}: choose them anew, irnet calibrate {out}"
    )
