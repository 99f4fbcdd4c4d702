"""A Python developer: cells as values in a script, many images at once, and what is missing named."""

import logging

import numpy as np
import PIL.Image
import pytest
from desk import MPP, Desk

import irnet
from irnet.errors import InputError
from irnet.inference.weights import BUNDLED


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_images_become_cells_to_work_with(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    paths = [desk.draw_field(f"in/{seed}.png", seed).path for seed in (0, 1)]
    network = irnet.load()
    told: list[tuple[int, int]] = []
    with caplog.at_level(logging.WARNING):
        results = network.predict(
            paths, mpp=MPP, progress=lambda name, number, total: told.append((number, total))
        )
    assert told == [(1, 2), (2, 2)]

    cells = results[0]
    assert repr(cells).startswith("Cells(4 cytoplasms, ")
    assert len(list(cells)) == len(cells)
    assert len(cells[0]) == 1
    large = cells[cells.areas > np.median(cells.areas)]
    assert 0 < len(large) < len(cells)
    assert {int(label) for label in cells["nucleus"].labels} == {irnet.NUCLEUS}
    for rings, mask in zip(cells.polygons(), cells.masks, strict=True):
        assert len(rings[0]) >= 4
        assert mask.any()

    frame = cells.to_dataframe(paths[0])
    assert {"area_um2", "nc_ratio", "od_mean", "name"} <= set(frame.columns)
    assert len(frame) == len(cells)
    array = network.predict(np.asarray(PIL.Image.open(paths[0])), mpp=MPP)
    assert np.array_equal(array.areas, cells.areas)

    cells.save(desk.folder / "in" / "out.json", paths[0])
    (entry,) = irnet.read_coco(desk.folder / "in" / "out.json")
    assert np.array_equal(entry.content.cells.areas, cells.areas)
    desk.run("irnet measure in/out.json", f"{len(cells)} rows written to in/cells.csv")


def test_mistakes_are_errors_with_a_remedy() -> None:
    cells = irnet.generate(1, size=(120, 120), mpp=0.5, count=2)[1].cells
    with pytest.raises(InputError, match="cell"):
        cells["cell"]
    with pytest.raises(IndexError):
        cells[99]
    with pytest.raises(InputError, match="no such file"):
        irnet.read_coco("nothing.json")
