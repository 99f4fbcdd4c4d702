"""`irnet slide`: whole slides."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Device, Engine, EstimateScale, Model, Out, Plane, Precision, Score, gathered
from irnet.errors import InputError
from irnet.wording import command, number_of

app = typer.Typer(
    name="slide", help="Whole slides: files of scanners, and large images.", no_args_is_help=True
)

SlideMpp = Annotated[
    float | None, typer.Option("--mpp", help="um per pixel of the slide.", show_default="what its file says")
]


@app.command()
def info(
    slide: Annotated[Path, typer.Argument(help="File of a slide, or an image.", show_default=False)],
    mpp: SlideMpp = None,
    plane: Plane = None,
    model: Model = None,
) -> None:
    """Say how a slide is read, what is on it and how long it would take.

    Prints its reader, size, um per pixel, levels, focal planes, the area that
    shows something, windows and the hours that a CPU core would need. Nothing
    of its label, its overview picture or its tags is read out.

    Example:  irnet slide info smear.svs
    """
    from irnet.verbs.slide_info import slide_info

    for line in slide_info(slide, model=model, mpp=mpp, plane=plane).lines():
        typer.echo(line)


@dataclass(frozen=True)
class What:
    """What of the slides is segmented, and by what."""

    mpp: SlideMpp = None
    plane: Plane = None
    region: Annotated[str | None, typer.Option(help="Only here: x,y,width,height in px of the slide.")] = None
    window: Annotated[
        int | None,
        typer.Option(help="px a side that own cells at a time; smaller needs less memory, and more time."),
    ] = None
    every: Annotated[bool, typer.Option("--all", help="Segment windows that show nothing, too.")] = False
    estimate_scale: EstimateScale = False
    rename: Annotated[
        bool, typer.Option("--rename", help="Call slides slide-0001 ... instead of by their files.")
    ] = False
    full_hash: Annotated[
        bool, typer.Option("--full-hash", help="Know slides by all of their bytes: takes as long as a copy.")
    ] = False
    model: Model = None
    score: Score = None


@dataclass(frozen=True)
class Computing:
    """What computes a network."""

    device: Device = "auto"
    engine: Engine = "auto"
    precision: Precision = "fp32"


Planned = Annotated[Path, typer.Argument(help="Folder of a plan.", show_default=False)]


@app.command()
@gathered
def plan(
    slides: Annotated[list[Path], typer.Argument(help="Files of slides.", show_default=False)],
    out: Out,
    what: What,
) -> None:
    """Fix how slides will be segmented: scale, windows, background, weights.

    Writes OUT/slides.json and OUT/slides/NAME/plan.json. What is found later
    depends on them alone, and not on the machine. A slide whose um per pixel
    are not known is refused.

    Example:  irnet slide plan smear.svs -o found
    """
    from irnet.inference.windows import WINDOWS
    from irnet.verbs.slide_plan import SlideOptions, plan_slides

    core, halo = WINDOWS[0]
    options = SlideOptions(
        model=what.model,
        score=what.score,
        mpp=what.mpp,
        estimate_scale=what.estimate_scale,
        plane=what.plane,
        region=what.region,
        window=(core if what.window is None else what.window, halo),
        every=what.every,
        rename=what.rename,
        full_hash=what.full_hash,
    )
    planned = plan_slides(slides, out, options)
    for name in planned.names:
        slide = planned.slide(name)
        typer.echo(
            f"{name}: {number_of(len(slide.windows()), 'window')} to segment of {len(slide.layout.windows())}"
        )
        for note in slide.notes:
            typer.echo(f"  {note}")
    typer.echo(f"written to {out}: {command('slide', 'run', out)}")


@app.command()
@gathered
def run(
    folder: Planned,
    shard: Annotated[
        str, typer.Option(help="i/n: of all windows every n-th from the i-th on, for several machines.")
    ] = "1/1",
    *,
    only: Annotated[list[str] | None, typer.Option(help="Only this slide; repeatable.")] = None,
    workers: Annotated[
        int,
        typer.Option(help="Processes on this machine that share the work; one that dies is started again."),
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Share the work among workers of Dask: tcp://HOST:PORT, the scheduler's file, or local:N."
        ),
    ] = None,
    computing: Computing,
    most_tries: Annotated[
        int | None,
        typer.Option(help="Leave windows that failed so often.", min=1, show_default="all are tried again"),
    ] = None,
) -> None:
    """Segment the windows that are not done yet. Stopped, the same command goes on.

    Each window is a file of its own. One that fails is told and tried again
    by the next run (exit code 3).

    Example:  irnet slide run found --shard 2/4
    """
    from irnet.verbs.slide_run import RunOptions, read_shard, run_slides
    from irnet.verbs.slide_workers import run_workers

    options = RunOptions(read_shard(shard), only or (), **vars(computing), most_tries=most_tries)
    if scheduler is not None:
        from irnet.verbs.slide_dask import run_on_scheduler

        if workers != 1:
            raise InputError("--workers are of this machine, those of --scheduler its own: leave one out")
        result = run_on_scheduler(folder, options, scheduler)
    else:
        result = run_slides(folder, options) if workers == 1 else run_workers(folder, options, workers)
    for line in result.lines():
        typer.echo(line)
    raise typer.Exit(result.exit_code)


@app.command()
def status(folder: Planned) -> None:
    """Say how far the windows of a plan are.

    Example:  irnet slide status found
    """
    from irnet.errors import DONE, DONE_WITH_ERRORS
    from irnet.slides.plan import Plan
    from irnet.verbs.failures import LeftOut
    from irnet.verbs.slide_status import status_of

    planned = Plan.read(folder)
    left_out = LeftOut(len(planned.names))
    for name in planned.names:
        try:
            for line in status_of(planned, name).lines():
                typer.echo(line)
        except InputError as error:
            left_out.add(error)
    left_out.refuse_all()
    raise typer.Exit(DONE_WITH_ERRORS if left_out.reasons else DONE)


@app.command()
def finish(
    folder: Planned,
    partial: Annotated[
        bool, typer.Option("--partial", help="Go on without the windows that are not done.")
    ] = False,
) -> None:
    """Put the windows of slides together: duplicates at seams go, nuclei get their cells.

    Writes OUT/slides/NAME/cells.db (SQLite, a row a cell and nucleus) and
    qc.json, and OUT/slides.csv, a row a slide.

    Example:  irnet slide finish found
    """
    from irnet.verbs.slide_finish import finish_slides

    result = finish_slides(folder, partial=partial)
    for line in result.lines():
        typer.echo(line)
    if result.failed:
        typer.echo(f"without {number_of(result.failed, 'window')} not done", err=True)
    typer.echo(f"written to {folder}")
    raise typer.Exit(result.exit_code)
