"""`irnet data`: check, convert and split annotated images."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Crowd, Link, Map, Out, Own, check_file, gathered, lower

app = typer.Typer(name="data", help="Check, convert and split annotated images.", no_args_is_help=True)

Data = Annotated[Path, typer.Argument(help="Folder of a data set, or a COCO file.", show_default=False)]


def _formats() -> list[str]:
    from irnet.data.formats import SOURCES

    return [*SOURCES]


@app.command()
def check(
    data: Annotated[list[Path], typer.Argument(help="Folders or COCO files; parts of one set together.")],
    mapping: Map = None,
    crowd: Crowd = "ignore",
    fix: Annotated[
        Path | None, typer.Option(help="Write a corrected copy to this new file.", callback=check_file)
    ] = None,
) -> None:
    """Find what is wrong with annotated images: file, id and remedy. Exit code 2 where there are errors.

    Example:  irnet data check smears/ --map 'Cell=cytoplasm,nuclei=nucleus' --fix smears/clean.json
    """
    from irnet.data.checks import check as checking
    from irnet.errors import InputError
    from irnet.wording import number_of

    names = _names(mapping)
    if fix is None:
        findings = checking.check(data, mapping=names, crowd=crowd)
    elif len(data) == 1:
        findings = checking.fix(data[0], fix, mapping=names, crowd=crowd)
    else:
        raise InputError("--fix mends one file: name one")
    for finding in findings:
        typer.echo(finding.line())
    errors = sum(finding.severity == "error" for finding in findings)
    counts = f"{number_of(errors, 'error')}, {number_of(len(findings) - errors, 'warning')}"
    typer.echo(counts + (f"; mended: {fix}" if fix else ""))
    raise typer.Exit(2 if errors and not fix else 0)


@app.command()
@gathered
def convert(
    source: Annotated[Path, typer.Argument(help="What to read.", show_default=False)],
    out: Out,
    source_format: Annotated[
        str,
        typer.Option(
            "--from",
            help="Format of the source: coco, masks, cvat, imagej, labelme, labels, qupath, cric, cx22, "
            "herlev, isbi2014 or sipakmed.",
            callback=lower,
            autocompletion=_formats,
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the images, or the data set or output of predict that they are of.",
            show_default="beside the source",
        ),
    ] = None,
    mapping: Map = None,
    crowd: Crowd = "ignore",
    *,
    own: Own,
    link: Link = False,
) -> None:
    """Turn a public data set, or what another tool drew, into a data set: annotations.json and images/.

    Example:  irnet data convert found/qupath --from qupath --images found -o corrected
    """
    from irnet.data.formats import convert as run
    from irnet.verbs.own_data import Completion
    from irnet.wording import number_of

    complete = Completion(own.data(), source, link)
    reading = {"images": images, "mapping": _names(mapping), "crowd": crowd}
    count = run(source_format, source, out, complete=complete, **reading)
    for note in complete.notes:
        typer.echo(note)
    typer.echo(f"{number_of(count, 'image')} in {out}")


@app.command()
def split(
    data: Data,
    ratios: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "7:1:2",
    seed: Annotated[int, typer.Option(help="The same seed gives the same split.", min=0)] = 0,
) -> None:
    """Split by patient: train.json, val.json and test.json beside the COCO file.

    Example:  irnet data split smears/ --ratios 7:1:2 --seed 0
    """
    from irnet.data.coco.split import parse_ratios
    from irnet.data.coco.split import split as run

    for part, done in run(data, ratios=parse_ratios(ratios), seed=seed).items():
        typer.echo(f"{part}: {done.path}, {done.counts()}")


def _names(mapping: str | None) -> dict[str, str] | None:
    from irnet.data.categories import parse_mapping

    return None if mapping is None else parse_mapping(mapping)
