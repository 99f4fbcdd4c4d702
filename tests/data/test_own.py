"""um per pixel and patients that a user gives: what changes, and what is warned of."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.own import OwnData
from irnet.data.sample import Entry
from irnet.errors import InputError


def entry(name: str, *, mpp: float | None = None, patient: str | None = None, nucleus: int = 20) -> Entry:
    """An image of one cell, and three nuclei of so many px a side."""
    masks = np.zeros((4, 100, 100), dtype=bool)
    masks[0, 2:90, 2:90] = True
    for number in range(3):
        masks[1 + number, 10 : 10 + nucleus, 5 + 30 * number : 5 + 30 * number + nucleus] = True
    cells = Cells.from_dense(masks, [CYTOPLASM, NUCLEUS, NUCLEUS, NUCLEUS], mpp=mpp)
    ignore = Cells.from_dense(masks[:1], [0], mpp=mpp)
    return Entry(name=name, path=Path(name), content=Content(cells=cells, ignore=ignore), patient=patient)


def test_nothing_said_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    entries = [entry("a.png", mpp=0.4, patient="p"), entry("b.png")]
    assert OwnData().complete(entries, "set") == entries
    assert not caplog.records


def test_what_is_given_holds_for_all(caplog: pytest.LogCaptureFixture) -> None:
    entries = [entry("P1_a.png"), entry("P2_b.png")]
    done = OwnData(0.4, r"(P\d)").complete(entries, "set")
    assert [(one.content.cells.mpp, one.patient) for one in done] == [(0.4, "P1"), (0.4, "P2")]
    assert all(one.content.ignore is not None and one.content.ignore.mpp == 0.4 for one in done)
    assert not caplog.records


def test_what_the_files_say_otherwise_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    file = tmp_path / "P1_c.tif"
    metadata = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(file, np.zeros((100, 100, 3), np.uint8), ome=True, metadata=metadata)
    whole = entry("P1_c.tif")
    whole = Entry(name=whole.name, path=file, content=whole.content)
    entries = [entry("P1_a.png", mpp=0.4, patient="P1"), entry("P1_b.png", mpp=0.3, patient="Q"), whole]
    OwnData(0.4, r"(P\d)").complete(entries, "set")
    assert [record.message for record in caplog.records] == [
        "set: --patients is taken, and not the patient stated of 1 image, such as Q of P1_b.png",
        "set: mpp 0.4 is taken, and not the 0.3 um per pixel stated of 1 image, such as P1_b.png",
        "set: mpp 0.4 is taken, and not the 0.5 um per pixel stated of 1 image, such as P1_c.tif",
    ]


@pytest.mark.parametrize(("mpp", "doubted"), [(0.1, True), (0.4, False), (1.5, True)])
def test_a_scale_that_nuclei_speak_against(
    caplog: pytest.LogCaptureFixture, mpp: float, doubted: bool
) -> None:
    OwnData(mpp).complete([entry("a.png"), entry("b.png", nucleus=18)], "set")
    assert [f"is {mpp:g} um per pixel right?" in record.message for record in caplog.records] == [
        True
    ] * doubted


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="25 um per pixel is out of range"):
        OwnData(25).complete([entry("a.png")], "set")
    with pytest.raises(InputError, match=r"no patient in the name a\.png"):
        OwnData(patients=r"(P\d)").complete([entry("a.png")], "set")
