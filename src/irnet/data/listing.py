"""The image files of folders, and one line on the files that are not read: nothing is left out in silence."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from irnet.data.file_names import OVERLAYS, RUN
from irnet.errors import InputError
from irnet.wording import some_of

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp"),
    *(".jp2", ".j2k", ".jpf", ".jpx", ".jpc"),
)
_LITTER = ("__macosx", "thumbs.db", "desktop.ini")  # of systems
_NAMED = 50  # files in a line

_logger = logging.getLogger(__name__)


def list_images(
    paths: Iterable[str | os.PathLike], *, beside: Sequence[str] = (), recursive: bool | None = None
) -> list[Path]:
    """The files named and, in sorted order, the image files of the folders named; each once.

    Args:
        paths: files and folders.
        beside: endings of files that may lie in the folders; anything else there is listed in a warning.
        recursive: whether the folders in the folders are read too, those of overlays and hidden ones left
            out; None is False where nobody could ask for it.

    Raises:
        InputError: a path does not exist or is no text, or nothing is found.
    """
    paths = [Path(path) for path in paths]
    found: dict[Path, Path] = {}  # by whole path: a folder and a file in it may both be named
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        inside = [path]
        if path.is_dir():
            inside = _images_within(path) if recursive else _images_in(path)
        for file in inside:
            found.setdefault(Path(os.path.abspath(file)), file)
        if inside and path.is_dir():
            there = (
                (file for file in walk(path) if not _is_drawn(path, file)) if recursive else path.iterdir()
            )
            warn_of_unread(path, there, {*inside}, beside)
    for whole in found:
        _check_name(whole)
    if not found:
        raise InputError(_nothing(paths, recursive))
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
        _logger.warning("%s: not read: %s", folder, some_of(names, _NAMED))


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


def _nothing(paths: Sequence[Path], recursive: bool | None) -> str:
    places = ", ".join(map(str, paths))
    folders = [folder for path in paths for folder in sorted(path.iterdir()) if folder.is_dir()]
    within = ((folder, _images_in(folder)) for folder in folders)
    inner = [str(folder) for folder, files in within if files and not _is_drawn(folder.parent, files[0])]
    asked = ", or say --recursive" if recursive is False else ""
    remedy = f"; name {inner[0]}{asked}" if inner else ""
    return f"no image in {places or 'an empty list'}{remedy}: looked for {', '.join(IMAGE_SUFFIXES)}"


def _images_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(file for file in files if file.is_file() and not is_litter(Path(file.name)))


def _images_within(folder: Path) -> list[Path]:
    """Images in a folder and its folders, one folder after the other."""
    files = (file for file in walk(folder) if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(
        (file for file in files if not _is_drawn(folder, file)), key=lambda file: (file.parent, file)
    )


def _is_drawn(folder: Path, file: Path) -> bool:
    """Whether a file in a folder is an overlay that `irnet predict` drew, beside its record."""
    for place in file.relative_to(folder).parents:
        if place.name == OVERLAYS and (folder / place.parent / RUN).is_file():
            return True
    return False
