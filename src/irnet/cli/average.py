"""`irnet average`: two networks in one."""

from typing import Annotated

import typer

from irnet.cli.options import Network, NewWeights
from irnet.progress import stage
from irnet.wording import command


def average(
    first: Network,
    second: Network,
    out: NewWeights,
    share: Annotated[float, typer.Option(help="What part the second has, above 0 and below 1.")] = 0.5,
) -> None:
    """Average the weights of two networks, one of them trained on from the other.

    The mean may keep what training on fields of one's own gained and
    what the weights before could do on others: score it on both. The
    operating point is that of the first: choose it anew with irnet calibrate.

    Example:  irnet average run bundled -o both.safetensors
    """
    with stage("averaging"):
        from irnet.verbs.average import average as run

        run(first, second, out, share=share)
    anew = command("calibrate", out)
    typer.echo(f"written to {out}; its thresholds are those of {first}: choose them anew, {anew}")
