"""`irnet synth`: smears that are drawn, with everything that is true of them."""

from typing import Annotated

import typer

from irnet.cli.options import Out

MOST = 1_000_000  # fields: a set is drawn up before the first is drawn


def synth(
    out: Out,
    images: Annotated[int, typer.Option(help="Fields of 1000 x 1000 px.", min=1, max=MOST)] = 413,
    patients: Annotated[
        int | None,
        typer.Option(
            help="Patients, each with a stain and a camera.",
            min=1,
            show_default="82, or as many as images",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same set.", min=0)] = 0,
    opaque: Annotated[bool, typer.Option("--opaque", help="Cells hide what lies under them.")] = False,
) -> None:
    """Draw a set of generated smears: annotations.json and images/.

    Masks are whole where cells overlap; links from nucleus to cell, kinds of
    cells and of debris are noted. The same seed may give other pixels on
    another kind of processor.

    Example:  irnet synth -o smears --images 20 --patients 5 --seed 0
    """
    from irnet.synthetic import generate_set
    from irnet.wording import number_of

    entries = generate_set(out, images=images, patients=patients, seed=seed, opaque=opaque)
    people = number_of(len({entry.patient for entry in entries}), "patient")
    typer.echo(f"{number_of(images, 'generated field')} of {people} in {out}")
