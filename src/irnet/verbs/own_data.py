"""What own data lack, added when they are read: um per pixel, patients, links from nuclei to cells."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from irnet.cells import NO_PARENT, NUCLEUS, Cells
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.morphometry.pairing import pair_nuclei
from irnet.wording import number_of

_logger = logging.getLogger(__name__)


@dataclass
class Completion:
    """Adds to the images of `source` what the user says of them; with `link` nuclei are paired with cells."""

    own: OwnData
    source: str | Path
    link: bool = False
    notes: list[str] = field(default_factory=list)  # what was done

    def __call__(self, entries: Sequence[Entry]) -> list[Entry]:
        completed = self.own.complete(entries, self.source)
        if not self.link:
            _warn_of_missing_links(completed, self.source)
            return completed
        completed, note = pair_unlinked(completed)
        self.notes.append(note)
        return completed


def pair_unlinked(entries: Sequence[Entry]) -> tuple[list[Entry], str]:
    """Pair the nuclei of images without any link with cells; say how many were linked.

    A nucleus of which no cell holds half stays without one. Images that have a link
    already are left as they are.
    """
    linked = [entry if _has_links(entry.content.cells) else paired(entry) for entry in entries]
    before = sum(_has_links(entry.content.cells) for entry in entries)

    nuclei = sum(int((one.content.cells.labels == NUCLEUS).sum()) for one in linked)
    done = sum(
        int((new.content.cells.parents != old.content.cells.parents).sum())
        for new, old in zip(linked, entries, strict=True)
    )
    kept = sum(int((one.content.cells.parents != NO_PARENT).sum()) for one in entries)

    line = f"{done} of {number_of(nuclei, 'nucleus')} linked to a cell, {nuclei - done - kept} left alone"
    if before:
        line += f"; {number_of(before, 'image')} had links already and kept them ({kept})"
    return linked, line


def _warn_of_missing_links(entries: Sequence[Entry], source: str | Path) -> None:
    """Warn of images in which no nucleus belongs to a cell and some could: there is no N:C ratio then."""
    without = [paired(entry) for entry in entries if not _has_links(entry.content.cells)]
    could = [int((entry.content.cells.parents != NO_PARENT).sum()) for entry in without]
    if count := sum(number > 0 for number in could):
        _logger.warning(
            "%s: no nucleus belongs to a cell in %d of %s, so that there is no N:C ratio: --link pairs %d",
            source,
            count,
            number_of(len(entries), "image"),
            sum(could),
        )


def _has_links(cells: Cells) -> bool:
    return bool((cells.parents != NO_PARENT).any())


def paired(entry: Entry) -> Entry:
    """The image with each nucleus linked to the cell that it most likely belongs to, if to any."""
    return replace(entry, content=replace(entry.content, cells=pair_nuclei(entry.content.cells)))
