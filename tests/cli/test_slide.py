"""`irnet slide` on the command line: what is on a slide, and no word of what stands in its tags."""

from pathlib import Path

import numpy as np
import pytest
from made_slides import noise, write_ome, write_pyramid

from irnet.verbs.slide_info import slide_info


def glass(height: int, width: int) -> np.ndarray:
    image = np.full((height, width, 3), 235, np.uint8)
    image[100:300, 200:500] = 150
    return image


def test_info_says_how_a_slide_is_read(run, tmp_path: Path) -> None:
    path = write_pyramid(
        tmp_path / "a.svs", glass(1000, 1200), description="Aperio |MPP = 0.5|Patient = ANNA EXAMPLE"
    )
    ran = run("slide", "info", path)
    assert ran.code == 0
    for said in (
        "a.svs: 1200 x 1000 px",
        "OpenSlide",
        "600 x 500",
        "0.5 um per pixel",
        "0.3 mm2",
        "1 window",
    ):
        assert said in ran.out
    assert "ANNA" not in ran.out + ran.err

    found = slide_info(path)
    assert found.tissue is not None
    assert found.tissue.share * 0.3 == pytest.approx(200 * 300 * 0.5**2 / 1e6, rel=0.1)  # mm2


def test_info_of_planes_and_of_unknown_scale(run, tmp_path: Path) -> None:
    planes = np.stack([glass(400, 600)] * 5)
    path = write_ome(tmp_path / "a.ome.tif", planes)
    assert "focal planes: 5, of which plane 2 is taken" in run("slide", "info", path).out
    assert "of which plane 4 is taken" in run("slide", "info", path, "--plane", 4).out
    refused = run("slide", "info", path, "--plane", 5)
    assert (refused.code, "give 0 to 4" in refused.err) == (2, True)

    unknown = write_pyramid(tmp_path / "b.tif", noise(1, 300, 300, 3), mpp=None)
    assert "um per pixel unknown: give --mpp" in run("slide", "info", unknown).out
    assert "0.3 um per pixel" in run("slide", "info", unknown, "--mpp", 0.3).out


def test_info_of_what_is_no_slide(run, tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_text("no slide")
    for name in ("a.svs", "none.svs", "."):
        ran = run("slide", "info", tmp_path / name)
        assert ran.code == 2
        assert str(tmp_path) in ran.err
