"""Puts the weights of a finished run, their checksum and their card where the package bundles them.

For `make weights`: python -m irnet.verbs.release RUN RECIPE WEIGHTS
"""

from __future__ import annotations

import sys
from pathlib import Path

from irnet.config import load_recipe
from irnet.data.files import write_atomic, write_text
from irnet.errors import InputError
from irnet.inference.tensors import read_meta
from irnet.inference.weights import write_checksum
from irnet.training.card import WeightsFile, render_card
from irnet.training.log import read_log
from irnet.training.run import BEST, LAST, settings_of


def release(run_dir: str | Path, recipe: str, target: str | Path) -> None:
    """Write the best weights of a run to `target`, with `target`.sha256 and a card beside them.

    Raises `InputError`, and writes nothing, when the run is not finished, is not one of `recipe`, or its
    files are damaged.
    """
    folder, target = Path(run_dir), Path(target)
    state = read_meta(folder / LAST)
    if state["step"] != state["steps"]:
        raise InputError(
            f"{folder}: stands at step {state['step']} of {state['steps'] or '?'}: run the same command again"
        )
    made = settings_of(folder)
    scale = [] if made.data.mpp else ["data.mpp=0"]  # a run on images of unknown scale has none
    if made != load_recipe(recipe, scale):
        raise InputError(
            f"{folder}: was trained with other settings than {recipe}: remove it and start again"
        )

    file = WeightsFile.read(folder / BEST)._replace(name=target.name)
    write_atomic(target, (folder / BEST).read_bytes())
    write_checksum(target)
    write_text(target.with_suffix(".md"), render_card(file, read_log(folder)))


if __name__ == "__main__":
    try:
        release(*sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
