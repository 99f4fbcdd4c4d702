"""DICOM of whole slides: every plane and level of a series, whichever of its files is named."""

import logging
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from made_slides import halve, noise
from scipy.ndimage import gaussian_filter

from irnet.errors import InputError
from irnet.slides.key import slide_key
from irnet.slides.readers import dicom
from irnet.slides.readers.names import slides_among
from irnet.slides.readers.opening import open_slide
from irnet.verbs.slide_info import slide_info
from irnet.verbs.slide_plan import plan_slides
from irnet.verbs.slide_run import open_planned

made_dicom = pytest.importorskip("made_dicom")  # pydicom comes with an extra


@pytest.mark.parametrize("parts", [1, 3])
def test_every_plane_and_level_of_a_series_in_parts_or_not(tmp_path: Path, parts: int) -> None:
    planes = noise(1, 3, 300, 500, 3)
    files = made_dicom.write_dicom(tmp_path / "series", planes, parts=parts)
    keys = set()
    for named in (files[0], files[-1], tmp_path / "series"):
        with open_slide(named) as slide:
            assert (slide.planes, slide.mpp, slide.levels) == (3, 0.25, ((300, 500), (150, 250)))
            assert slide.reader.startswith("wsidicom")
            keys.add(slide_key(slide.files))
            for number, plane in enumerate(planes):
                np.testing.assert_array_equal(slide.read(number, 0, (10, 20, 500, 300)), plane[20:, 10:])
                np.testing.assert_array_equal(slide.read(number, 1, (0, 0, 250, 150)), halve(plane))
    assert len(keys) == 1
    assert slides_among([tmp_path / "series"]) == [tmp_path / "series"]


def test_jpeg_is_decoded_as_elsewhere(tmp_path: Path) -> None:
    side = made_dicom.TILE
    plane = gaussian_filter(noise(8, side, 3 * side, 3), (3, 3, 0))
    made_dicom.write_dicom(tmp_path, plane[None], levels=1, jpeg=True)
    with open_slide(tmp_path) as slide:
        pixels = slide.read(0, 0, (0, 0, 3 * side, side))
    for left in range(0, 3 * side, side):
        with PIL.Image.open(BytesIO(made_dicom.as_jpeg(plane[:, left : left + side]))) as frame:
            apart = np.abs(np.asarray(frame).astype(int) - pixels[:, left : left + side])
        assert apart.max() <= 3  # decoders round colours unlike


def test_a_folder_is_planned_and_opened_and_one_slide_is_not_planned_twice(tmp_path: Path) -> None:
    files = made_dicom.write_dicom(tmp_path / "series", noise(2, 2, 300, 300, 3), levels=1, parts=2)
    plan = plan_slides([tmp_path / "series"], tmp_path / "out")
    assert plan.names == ("series",)
    with open_planned(plan.slide("series")) as slide:
        assert slide.read(0, 0, (0, 0, 300, 300)).shape == (300, 300, 3)
    with pytest.raises(InputError, match=r"000\.dcm and .*001\.dcm are one slide"):
        plan_slides(files, tmp_path / "other")


def test_what_stands_in_tags_and_pictures_of_the_label_are_not_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    files = made_dicom.write_dicom(tmp_path, noise(3, 1, 300, 300, 3), patient="ANNA^EXAMPLE")
    for kind in ("LABEL", "OVERVIEW"):
        made_dicom.write_picture(tmp_path, kind, files[0], noise(4, 128, 128, 3))
    with caplog.at_level(logging.DEBUG), open_slide(tmp_path) as slide:
        assert [*slide.files] == files
        slide.read(0, 0, (0, 0, 300, 300))
        said = repr([slide.reader, slide.notes, slide.levels, slide.mpp])
    said += "\n".join([*slide_info(files[0]).lines(), caplog.text, *capfd.readouterr()])
    assert "ANNA" not in said


def test_other_files_and_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made_dicom.write_dicom(tmp_path / "two", noise(5, 1, 200, 200, 3), levels=1)[0]
    first.rename(tmp_path / "two" / "first.dcm")
    made_dicom.write_dicom(tmp_path / "two", noise(6, 1, 200, 200, 3), levels=1)
    (tmp_path / "odd").mkdir()
    made_dicom.write_picture(tmp_path / "odd", "LABEL", tmp_path / "two" / "first.dcm", noise(7, 99, 99, 3))
    whole = (tmp_path / "two" / "first.dcm").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "a.dcm").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.dcm").write_text("no slide")
    for name, said in (
        ("two", "2 series of DICOM: name one file of each"),
        ("odd", "no DICOM image of a whole slide"),
        ("odd/LABEL.dcm", "no image of a whole slide"),
        ("text.dcm", "OpenSlide"),
    ):
        with pytest.raises(InputError, match=said):
            open_slide(tmp_path / name)
    with (
        pytest.raises(InputError, match=r"a\.dcm.*(cannot read|damaged)"),
        open_slide(tmp_path / "cut" / "a.dcm") as slide,
    ):
        slide.read(0, 0, (0, 0, 200, 200))
    with open_slide(tmp_path / "two" / "first.dcm") as slide:
        assert len(slide.files) == 1

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(dicom.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r'pip install "\.\[slides\]"'):
        open_slide(tmp_path / "two")
