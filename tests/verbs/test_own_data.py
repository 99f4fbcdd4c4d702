"""What own data lack is added: links where there are none, and where they overlap."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.verbs.own_data import Completion


def entry(name: str, parents: list[int] | None = None) -> Entry:
    """A cell with its nucleus inside, and a nucleus far from it."""
    masks = np.zeros((3, 80, 80), dtype=bool)
    masks[0, 2:50, 2:50] = True
    masks[1, 20:30, 20:30] = True
    masks[2, 60:70, 60:70] = True
    cells = Cells.from_dense(masks, [CYTOPLASM, NUCLEUS, NUCLEUS], parents=parents)
    return Entry(name=name, path=Path(name), content=Content(cells=cells))


def parents(entries: list[Entry]) -> list[list[int]]:
    return [one.content.cells.parents.tolist() for one in entries]


def test_nuclei_are_linked_where_they_overlap_and_what_is_linked_stays() -> None:
    by_hand = [NO_PARENT, NO_PARENT, 0]
    complete = Completion(OwnData(0.3), "set", link=True)
    done = complete([entry("a.png"), entry("b.png", by_hand)])
    assert parents(done) == [[NO_PARENT, 0, NO_PARENT], by_hand]
    assert [one.content.cells.mpp for one in done] == [0.3, 0.3]
    assert complete.notes == [
        "1 of 4 nuclei linked to a cell, 2 left alone; 1 image had links already and kept them (1)"
    ]


def test_missing_links_are_told_where_none_are_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    complete = Completion(OwnData(), "set")
    assert parents(complete([entry("a.png")])) == [[NO_PARENT] * 3]
    linked = entry("b.png", [NO_PARENT, 0, NO_PARENT])
    complete([entry("a.png"), linked])
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(", so")[0].rpartition("in ")[2] for line in said] == [
        "1 of 1 image",
        "1 of 2 images",
    ]
    assert all(line.endswith("--link pairs 1") for line in said)
    caplog.clear()
    apart = entry("a.png")
    apart = replace(apart, content=Content(cells=apart.content.cells.select([0, 2])))
    complete([apart])
    complete([linked])
    assert not caplog.records
