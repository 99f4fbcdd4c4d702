"""`irnet report`: one page of what was found, or of how it scored, from the files of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from irnet.data.files import write_atomic
from irnet.data.formats.found import read_found
from irnet.errors import InputError
from irnet.report.found import Page, found_page
from irnet.report.provenance import Run

PAGE = "report.html"
DONE, DONE_WITH_ERRORS = 0, 3


@dataclass(frozen=True)
class Written:
    """What `write_report` wrote."""

    file: Path
    size: int  # bytes
    missing: list[str]  # pictures that could not be read, and why

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done but for pictures."""
        return DONE_WITH_ERRORS if self.missing else DONE


def write_report(
    source: str | Path,
    out: str | Path | None = None,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Written:
    """Write a page about `source`; it holds all its pictures and needs no other file.

    Args:
        source: a folder of `irnet predict`, a data set or a COCO file.
        out: the file to write, None for report.html in the folder.
        progress: called with the name of each image, its number from 1 and how many there are.

    Raises:
        InputError: the source is wrong. A picture that is no longer there is only reported.
    """
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    file = folder / PAGE if out is None else Path(out)
    if file.is_dir():
        raise InputError(f"{file}: a folder; name the file to write, such as {file / PAGE}")
    page = _page(source, folder, progress)
    content = page.html.encode()
    write_atomic(file, content)
    return Written(file, len(content), page.missing)


def _page(source: Path, folder: Path, progress: Callable[[str, int, int], None] | None) -> Page:
    title = source.resolve().name
    return found_page(read_found(source), Run.read(folder), title=title, progress=progress)
