"""The folder of a run: held for one writer, refused where it holds another run, made ready."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from irnet.data.files import remove_drafts, write_text
from irnet.data.locking import writing
from irnet.errors import InputError
from irnet.training.log import cut_log
from irnet.training.ranks import Ranks
from irnet.training.run import LAST, Run


def held(folder: Path, ranks: Ranks) -> AbstractContextManager[None]:
    """Hold the folder for this run, by its first process. Raises `InputError` where another holds it."""
    return writing(folder, "irnet train") if ranks.first else nullcontext()


def has_checkpoint(folder: Path, *, resume: bool) -> bool:
    """Return whether there is a checkpoint to go on from. Raises `InputError` rather than overwrite one."""
    exists = (folder / LAST).exists()
    if exists and not resume:
        raise InputError(f"{folder}: holds a run; go on with --resume, or name another folder")
    return exists


def make_ready(run: Run) -> None:
    """Leave no drafts of a killed process, and no log lines of steps that come again; write the recipe."""
    remove_drafts([run.folder])
    cut_log(run.folder, run.step)
    write_text(run.folder / "recipe.json", run.settings.model_dump_json(indent=1))
