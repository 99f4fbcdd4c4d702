"""`irnet predict`: cells of your own images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from irnet.cli.options import (
    Device,
    Engine,
    EstimateScale,
    Model,
    Out,
    Plane,
    Precision,
    Score,
    Views,
    fold_list,
    gathered,
)
from irnet.wording import command

if TYPE_CHECKING:
    from irnet.verbs.predict_options import PredictOptions


@dataclass(frozen=True)
class Finder:
    """Method that finds the cells."""

    method: Annotated[
        Literal["irnet", "maskrcnn", "cspnet", "jomls"] | None,
        typer.Option(help="Method that finds the cells.", show_default="what the weights hold"),
    ] = None
    model: Model = None
    score: Score = None


@dataclass(frozen=True)
class Reading:
    """How images are taken."""

    mpp: Annotated[
        float | None, typer.Option(help="um per pixel of the images.", show_default="what each file says")
    ] = None
    scale: Annotated[
        float | None,
        typer.Option(
            help="Factor by which images of unknown um per pixel are resized; 1: not resized.",
            show_default="estimated from nuclei, one for all",
        ),
    ] = None
    keep_scale: Annotated[
        bool, typer.Option("--keep-scale", hidden=True, help="The former name of --scale 1.")
    ] = False
    plane: Plane = None
    estimate_scale: EstimateScale = False
    page: Annotated[int | None, typer.Option(help="Page of multi-page TIFF files, from 0.")] = None
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Take images in folders of the folders named, too.")
    ] = False


@dataclass(frozen=True)
class Computing:
    """What computes a network."""

    device: Device = "auto"
    engine: Engine = "auto"
    precision: Precision = "fp32"
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the network first: for hundreds of images of one size."),
    ] = False


@gathered
def predict(
    images: Annotated[
        list[Path], typer.Argument(help="Image files, and folders of them.", show_default=False)
    ],
    out: Out,
    finder: Finder,
    reading: Reading,
    computing: Computing,
    save: Annotated[str, typer.Option(help="Files to write: coco, overlay, csv.")] = "coco,overlay,csv",
    ids: Annotated[
        bool, typer.Option("--ids", help="Write the number of each instance on overlays.")
    ] = False,
    views: Views = 1,
) -> None:
    """Find the cells and nuclei of images, overlaps kept.

    Writes predictions.json (COCO), overlays/, cells.csv, images.csv, run.json and
    errors.json, in place of an earlier run. An image that cannot be read is
    reported and the others go on (exit code 3); if none can be, nothing is
    written. The classical method, jomls, needs no weights and gives no
    scores. Files of slide scanners are taken as irnet slide takes them, and
    give slides.csv and slides/NAME/cells.db instead.

    Example:  irnet predict smears/ -o found --mpp 0.25
    """
    from irnet.errors import InputError
    from irnet.slides.readers.names import slides_among, slides_beside_images
    from irnet.verbs.predict_files import predict_files
    from irnet.verbs.predict_options import PredictOptions

    scale = reading.scale
    if reading.keep_scale and scale not in (None, 1.0):
        raise InputError(f"--keep-scale is --scale 1, not {scale:g}: leave it out")

    options = PredictOptions(
        method=finder.method,
        model=finder.model,
        score=finder.score,
        mpp=reading.mpp,
        scale=1.0 if reading.keep_scale else scale,
        page=reading.page,
        recursive=reading.recursive,
        views=views,
        device=computing.device,
        engine=computing.engine,
        precision=computing.precision,
        compiled=computing.compiled,
        save=fold_list(save),
        ids=ids,
    )
    if slides := slides_among(images):
        _predict_slides(slides, out, options, reading)
    if reading.plane is not None:
        raise InputError("--plane is of slides, and these are images: --page is of TIFF files with pages")
    if reading.estimate_scale:
        raise InputError("--estimate-scale is of slides: of images the scale is estimated anyway")
    if beside := slides_beside_images(images):
        more = f" and {len(beside) - 1} more" if len(beside) > 1 else ""
        hint = command("predict", beside[0], "-o", "ANOTHER_FOLDER")
        typer.echo(f"{beside[0]}{more}: slides beside images, by a call of their own: {hint}", err=True)
    report = predict_files(images, out, options)

    for line in report.last_lines():
        typer.echo(line)
    if report.images:
        typer.echo(f"written to {out}")
    raise typer.Exit(report.exit_code)


def _predict_slides(slides: list[Path], out: Path, options: "PredictOptions", reading: Reading) -> NoReturn:
    """Slides instead of images, and the end of the command."""
    from irnet.verbs.slide_predict import predict_slides, written  # images wait for none of it

    asked = {"plane": reading.plane, "estimate_scale": reading.estimate_scale}
    report = predict_slides(slides, out, options, asked)
    for line in report.lines():
        typer.echo(line)
    if report.finish:
        typer.echo(written(out))
    raise typer.Exit(report.exit_code)
