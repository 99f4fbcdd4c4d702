"""The command line: one file a verb.

Exit codes: 0 done, 1 our fault, 2 bad input, 3 done except for errors, 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import io
import logging
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Context
from typer.core import TyperGroup

import irnet
from irnet.cli import (
    annotate,
    average,
    calibrate,
    data,
    demo,
    doctor,
    evaluate,
    export,
    figure,
    import_predictions,
    measure,
    predict,
    quantise,
    report,
    slide,
    study,
    synth,
    train,
    view,
)
from irnet.cli.display import ToStderr, showing
from irnet.cli.options import ease
from irnet.errors import InputError

OUR_FAULT, BAD_INPUT = 1, 2
INTERRUPTED, TERMINATED = 130, 143  # 128 + SIGINT and SIGTERM, as shells have it


class _Terminated(KeyboardInterrupt):
    """SIGTERM: whatever cleans up after Ctrl-C does so."""


class LikeVerbs(logging.Formatter):
    """Warnings of the log as verbs print theirs: warning, and what."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {super().format(record)}"


class _Verbs(TyperGroup):
    """Says that it was stopped, and how to go on; Typer prints nothing."""

    def invoke(self, ctx: Context) -> Any:
        try:
            with _terminable(), showing():
                return super().invoke(ctx)
        except _Terminated as stop:
            _fail(str(stop) or "terminated", TERMINATED)
        except KeyboardInterrupt as stop:
            _fail(str(stop) or "interrupted", INTERRUPTED)


app = typer.Typer(
    name="irnet",
    cls=_Verbs,
    help="Find overlapping cells in images of cervical smears. Research use only; not a diagnostic device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(doctor.doctor)
app.add_typer(data.app)
app.command()(synth.synth)
app.command()(train.train)
app.command()(predict.predict)
app.add_typer(slide.app)
app.command()(evaluate.evaluate)
app.command()(calibrate.calibrate)
app.command()(quantise.quantise)
app.command()(average.average)
app.command()(import_predictions.import_predictions)
app.command()(view.view)
app.command()(annotate.annotate)
app.command()(measure.measure)
app.command()(report.report)
app.command()(export.export)
app.command()(figure.figure)
app.command()(study.study)
app.command()(demo.demo)
ease(app)


def main(args: Sequence[str] | None = None) -> None:
    """Run a command line (None: that of the process) and exit with its code."""
    told = ToStderr()
    told.setFormatter(LikeVerbs())
    logging.basicConfig(handlers=[told], level=logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that are no text
    try:
        app(args, prog_name="irnet")
    except InputError as error:
        _fail(str(error), BAD_INPUT)
    except Exception as error:
        kind = type(error).__name__
        _fail(
            f"{kind}: {error}\nThis is a fault of irnet. Its traceback is in {_save_traceback()}", OUR_FAULT
        )


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(irnet.__version__)
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


@contextmanager
def _terminable() -> Iterator[None]:
    """Clean up after SIGTERM inside the block; before and after it, there is nothing to clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _terminate(_signal: int, _frame: object) -> None:
    raise _Terminated


def _fail(message: str, code: int) -> None:
    typer.echo(f"irnet: {message}", err=True)
    sys.exit(code)


def _save_traceback() -> Path:
    with tempfile.NamedTemporaryFile("w", prefix="irnet-", suffix=".log", delete=False) as file:
        file.write(f"irnet {irnet.__version__}: {' '.join(sys.argv)}\n\n{traceback.format_exc()}")
    return Path(file.name)
