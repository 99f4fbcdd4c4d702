"""The image files of folders, and one line on the files that are not read: nothing is left out in silence."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from irnet.errors import InputError

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp"),
    *(".jp2", ".j2k", ".jpf", ".jpx", ".jpc"),
)
_LITTER = ("__macosx", "thumbs.db", "desktop.ini")  # of systems
_NAMED = 50  # files in a line

_logger = logging.getLogger(__name__)


def list_images(paths: Iterable[str | os.PathLike], *, beside: Sequence[str] = ()) -> list[Path]:
    """The files named and, in sorted order, the image files of the folders named; each once.

    Anything else in the folders is listed in a warning, except for files that end in one of `beside`. Raises
    InputError for a path that does not exist or is no text, and when nothing is found.
    """
    paths = [Path(path) for path in paths]
    found: dict[Path, Path] = {}  # by whole path: a folder and a file in it may both be named
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        inside = _images_in(path) if path.is_dir() else [path]
        for file in inside:
            found.setdefault(Path(os.path.abspath(file)), file)
        if inside and path.is_dir():
            warn_of_unread(path, path.iterdir(), {*inside}, beside)
    for whole in found:
        _check_name(whole)
    if not found:
        raise InputError(_nothing(paths))
    return list(found.values())


def warn_of_unread(
    folder: Path, files: Iterable[Path], read: Collection[Path], beside: Sequence[str] = ()
) -> None:
    """Warn, in one line, of the files (and folders with images) in `folder` that were not read."""
    left = [file for file in files if file not in read and not is_litter(file.relative_to(folder))]
    left = [file for file in left if not (file.is_file() and file.name.lower().endswith(tuple(beside)))]
    names = sorted(
        str(file.relative_to(folder)) + ("/" if file.is_dir() else "")
        for file in left
        if not file.is_dir() or _images_in(file)
    )
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        _logger.warning("%s: not read: %s%s", folder, ", ".join(names[:_NAMED]), more)


def is_litter(place: Path) -> bool:
    """Whether a path inside a folder is a hidden file, or one that an operating system leaves behind."""
    return any(part.startswith(".") or part.lower() in _LITTER for part in place.parts)


def walk(folder: Path) -> Iterator[Path]:
    """The files in a folder and its folders, litter left out."""
    return (file for file in folder.rglob("*") if file.is_file() and not is_litter(file.relative_to(folder)))


def _check_name(path: Path) -> None:
    """Refuse a name that no text file can hold, so that no record could name it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{str(path)!a}: its name holds half of a character: rename it") from None


def _nothing(paths: Sequence[Path]) -> str:
    places = ", ".join(map(str, paths))
    folders = [folder for path in paths for folder in sorted(path.iterdir()) if folder.is_dir()]
    inner = [str(folder) for folder in folders if _images_in(folder)]
    remedy = f"; name {inner[0]}" if inner else ""
    return f"no image in {places or 'an empty list'}{remedy}: looked for {', '.join(IMAGE_SUFFIXES)}"


def _images_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() and not is_litter(Path(file.name)))
