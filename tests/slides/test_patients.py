"""Names and numbers of patients, labels and overview pictures: nothing of them gets out of any reader."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from made_slides import Pixels, noise, resolution, write_pyramid

from irnet.cells import Cells
from irnet.slides.readers.opening import open_slide
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_info import slide_info
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import run_slides

NAME, NUMBER = "ANNA^EXAMPLE", "4711-0815"
LABEL = (199, 21, 133)  # colour of labels and overview pictures, which no slide here has
APERIO = f"Aperio Image Library v12\n|AppMag = 20|MPP = 0.37|Patient = {NAME}|Barcode = {NUMBER}"


def picture() -> Pixels:
    """A slide's pixels."""
    return noise(1, 400, 600, 3) // 4 * 4  # of which none has LABEL's colour


def label() -> Pixels:
    """A label, or an overview picture."""
    return np.full((160, 240, 3), LABEL, np.uint8)


def svs(folder: Path) -> Path:
    """As of Aperio, with thumbnail, label and overview picture as pages."""
    path = folder / "a.svs"
    with tifffile.TiffWriter(path) as file:
        options = {"photometric": "rgb", "metadata": None}
        file.write(picture(), tile=(256, 256), description=APERIO, compression="deflate", **options)
        for name, kind in (("label", 1), ("macro", 9)):
            text = f"Aperio Image Library v12\n{name} 240x160 {NAME}"
            file.write(
                label(), description=text, subfiletype=kind, rowsperstrip=16, compression="lzw", **options
            )
    return path


def tagged(folder: Path) -> Path:
    """A pyramid with names in its description."""
    return write_pyramid(folder / "a.tif", picture(), levels=2, mpp=0.37, description=f"{NAME}, {NUMBER}")


def artist(folder: Path) -> Path:
    """A TIFF with names in other tags."""
    path = folder / "b.tif"
    tags = [(315, "s", 0, NAME, True), (306, "s", 0, NUMBER, True), (305, "s", 0, f"by {NAME}", True)]
    tifffile.imwrite(
        path, picture(), photometric="rgb", tile=(128, 128), extratags=tags, metadata=None, **resolution(0.37)
    )
    return path


def ome(folder: Path) -> Path:
    """An OME-TIFF of planes with names in its metadata, and a label as a second image."""
    path = folder / "a.ome.tif"
    size = {"PhysicalSizeX": 0.37, "PhysicalSizeY": 0.37, "Name": NAME, "Description": NUMBER}
    with tifffile.TiffWriter(path, ome=True) as file:
        planes = np.stack([picture()] * 3)
        file.write(planes, photometric="rgb", tile=(128, 128), metadata={"axes": "ZYXS", **size})
        file.write(label(), photometric="rgb", metadata={"axes": "YXS", "Name": f"label {NAME}"})
    return path


def ndpi(folder: Path) -> Path:
    """As of Hamamatsu: planes, and an overview picture as the last page."""
    path = folder / "n.tif"  # its tags make it one
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            tags = [(65420, "I", 1, 1, True), (271, "s", 0, "Hamamatsu", True), (65427, "s", 0, NUMBER, True)]
            options = {"photometric": "rgb", "metadata": None, "extratags": tags}
            file.write(picture(), tile=(128, 128), description=NAME, **options, **resolution(0.37))
        file.write(label(), description=NAME, **options)
    return path


def dicom(folder: Path) -> Path:
    """A series with label and overview picture."""
    made = pytest.importorskip("made_dicom")
    files = made.write_dicom(folder, picture()[None], mpp=0.37, levels=1, patient=NAME)
    for kind in ("LABEL", "OVERVIEW"):
        made.write_picture(folder, kind, files[0], label())
    return files[0]


def stack(folder: Path) -> Path:
    """A series of planes in parts, named by its folder."""
    made = pytest.importorskip("made_dicom")
    files = made.write_dicom(folder / "series", np.stack([picture()] * 2), mpp=0.37, parts=2, patient=NAME)
    made.write_picture(folder / "series", "LABEL", files[0], label())
    return folder / "series"


def png(folder: Path) -> Path:
    """A picture with text."""
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("Author", NAME)
    text.add_text("Comment", NUMBER)
    PIL.Image.fromarray(picture()).save(folder / "a.png", pnginfo=text)
    return folder / "a.png"


def detect(pixels: Pixels, mpp: float) -> Cells:
    """One cell in each window."""
    return Cells.build([np.ones((30, 30), bool)], np.array([[90, 90]]), [1], pixels.shape[:2], scores=[0.9])


@pytest.mark.parametrize("write", [svs, tagged, artist, ome, ndpi, dicom, stack, png])
def test_nothing_of_the_patient_gets_out(
    tmp_path: Path,
    write: Callable[[Path], Path],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    (tmp_path / "in").mkdir()
    path, out = write(tmp_path / "in"), tmp_path / "out"
    held = path.iterdir() if path.is_dir() else [path]
    assert any(word.encode() in file.read_bytes() for file in held for word in (NAME, NUMBER))

    with caplog.at_level(logging.DEBUG):
        said = [*slide_info(path, mpp=0.37).lines()]
        with open_slide(path) as slide:
            assert slide.levels[0] == (400, 600)
            for level, (height, width) in enumerate(slide.levels):
                for plane in range(slide.planes):
                    pixels = slide.read(plane, level, (0, 0, width, height))
                    assert not (pixels == LABEL).all(axis=2).any()
            said.append(repr([slide.reader, slide.notes, slide.files]))
        plan_slides([path], out, SlideOptions(mpp=0.37, every=True))
        assert run_slides(out, open_detector=lambda _: detect).exit_code == 0
        said.append(repr(finish_slides(out).rows))

    said += [caplog.text, *capfd.readouterr(), *(str(one.message) for one in recwarn)]
    written = [file.read_bytes() for file in out.rglob("*") if file.is_file()]
    assert len(written) > 5
    for word in ("ANNA", "EXAMPLE", NUMBER):
        assert word not in "\n".join(said)
        assert not any(word.encode() in content for content in written)
