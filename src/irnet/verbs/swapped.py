"""Arguments in the wrong order: what is scored, or calibrated, goes before the annotated images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from irnet.data.coco.split import PARTS
from irnet.data.file_names import ANNOTATIONS, PREDICTIONS
from irnet.errors import InputError
from irnet.wording import command

NAMED = ("bundled", "bundled-research", "jomls")


def refuse_swapped(
    verb: str, source: str | Path, data: str | Path, *, beside: Sequence[str | Path] = ()
) -> None:
    """Raise InputError where `source` is annotated and `data` is what was found, or a network.

    `beside` are other sources of the same call.
    """
    if _is_annotated(Path(source)) and (_is_found(Path(data)) or _is_network(Path(data))):
        raise InputError(
            f"{source} is annotated and {data} is not, as it seems: the annotated images go last, "
            f"{command(verb, *beside, data, source)}"
        )


def _is_annotated(path: Path) -> bool:
    if path.is_dir():
        return (path / ANNOTATIONS).is_file() and not (path / PREDICTIONS).exists() and not _is_network(path)
    return path.is_file() and path.name in (ANNOTATIONS, *(f"{part}.json" for part in PARTS))


def _is_found(path: Path) -> bool:
    found = path / PREDICTIONS if path.is_dir() else path
    return found.name == PREDICTIONS and found.is_file()


def _is_network(path: Path) -> bool:
    named = path.name.lower() in NAMED and not path.exists()
    return named or path.suffix == ".safetensors" or (path / "best.safetensors").is_file()
