"""um per pixel: every way in which a file states it, and what is told where it cannot be understood."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from irnet.data.image import read_image, states_no_mpp
from irnet.data.lengths import unit_of
from irnet.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
GREY = IMAGE[..., 0]
NS = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def pixels(x: str, unit: str | None = None, y: str | None = None, more: str = "", inside: str = "") -> str:
    units = "" if unit is None else f' PhysicalSizeXUnit="{unit}" PhysicalSizeYUnit="{unit}"'
    sizes = f'PhysicalSizeX="{x}" PhysicalSizeY="{x if y is None else y}"{units}'
    planes = 'SizeX="32" SizeY="24" SizeC="1" SizeZ="1" SizeT="1"'
    return f"<Image><Pixels {planes} {sizes} {more}>{inside}</Pixels></Image>"


def ome(*images: str, head: str = "", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<OME xmlns="{NS}" {attributes}>{"".join(images)}</OME>'
    )


def write(path: Path, text: str | None = None, *, array: np.ndarray = IMAGE, **options) -> Path:
    options = {"photometric": "rgb" if array.ndim == 3 else "minisblack", "metadata": None} | options
    description = None if text is None else text.encode("utf-8")
    tifffile.imwrite(path, array, description=description, **options)
    return path


def read(path: Path, page: int | None = None) -> tuple[float | None, str]:
    image = read_image(path, page)
    return None if image.mpp is None else round(image.mpp, 4), " ".join(image.notes)


UNITS = {
    "pm": 250_000,
    "nm": 250,
    "µm": 0.25,
    "μm": 0.25,
    "&#181;m": 0.25,
    "mm": 2.5e-4,
    "cm": 2.5e-5,
    "dm": 2.5e-6,
}
UNITS |= {"m": 2.5e-7, "dam": 2.5e-8, "hm": 2.5e-9, "km": 2.5e-10, "Mm": 2.5e-13, "ym": 2.5e17, "Ym": 2.5e-31}
UNITS |= {"Å": 2500, "thou": 0.25 / 25.4, "in": 0.25 / 25_400, "li": 3 / 25_400, "pt": 18 / 25_400}
UNITS |= {
    "ft": 0.25 / 304_800,
    "yd": 0.25 / 914_400,
    "mi": 0.25 / 1.609344e9,
    "ly": 0.25 / 9.4607304725808e21,
}


@pytest.mark.parametrize("unit", UNITS)
def test_every_length_of_ome(tmp_path: Path, unit: str) -> None:
    assert read(write(tmp_path / "a.tif", ome(pixels(repr(UNITS[unit]), unit))))[0] == 0.25


NOT_UNDERSTOOD = {
    "pixel": (pixels("0.25", "pixel"), "no length"),
    "reference frame": (pixels("0.25", "reference frame"), "no length"),
    "unknown": (pixels("0.25", "furlong"), "'furlong' is not known"),
    "comma": (pixels("0,25"), "PhysicalSizeX is '0,25'"),
    "nan": (pixels("nan"), "no number above 0"),
    "zero": (pixels("0"), "no number above 0"),
    "not square": (pixels("0.25", y="0.5"), "not square"),
    "implausible": (pixels("0.25", "mm"), "no microscope's"),
    "alone": ('<Image><Pixels PhysicalSizeX="0.25"/></Image>', "is missing"),
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_a_size_that_is_not_understood_is_told_and_not_replaced(tmp_path: Path, name: str) -> None:
    image, message = NOT_UNDERSTOOD[name]
    path = write(tmp_path / "a.tif", ome(image), resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    mpp, notes = read(path)
    assert mpp is None
    assert message in notes
    assert states_no_mpp(path)


def test_an_ome_without_sizes_leaves_it_to_the_other_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, ome("<Image><Pixels/></Image>"), resolution=(40_000, 40_000), resolutionunit="CENTIMETER")
    assert read(path)[0] == 0.25
    assert not states_no_mpp(path)


@pytest.mark.parametrize(
    "text",
    [
        ome(pixels("0.25")).replace('"', "'"),
        ome(pixels("0.25")).replace('="0.25"', ' = "0.25"'),
        ome(pixels("0.25"), head="<!-- by hand -->"),
        ome(pixels("0.25", more='PhysicalSizeZ="9" PhysicalSizeZUnit="pixel"')),
        ome(pixels("0.25"))
        .replace("<", "<o:")
        .replace("<o:/", "</o:")
        .replace("<o:?", "<?")
        .replace("xmlns", "xmlns:o"),
        "\ufeff" + ome(pixels("0.25")),
    ],
)
def test_xml_is_xml(tmp_path: Path, text: str) -> None:
    assert read(write(tmp_path / "a.tif", text)) == (0.25, "0.25 um per pixel by OME metadata")


def test_a_document_type_is_refused_before_its_entities_are_expanded(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    head = f'<!DOCTYPE OME [<!ENTITY e0 "0.25">{bomb}]>'
    mpp, notes = read(write(tmp_path / "a.tif", ome(pixels("&e12;"), head=head)))
    assert mpp is None
    assert "document type" in notes


def test_broken_xml_is_told(tmp_path: Path) -> None:
    mpp, notes = read(write(tmp_path / "a.tif", ome(pixels("0.25"))[:-9]))
    assert mpp is None
    assert "OME metadata are not used" in notes


def stack(path: Path, text: str, pages: int = 3) -> Path:
    with tifffile.TiffWriter(path) as file:
        for number in range(pages):
            description = text.encode() if number == 0 else None
            file.write(GREY, photometric="minisblack", metadata=None, description=description)
    return path


def block(ifd: int, count: int | None = None, uuid: str | None = None) -> str:
    planes = "" if count is None else f' PlaneCount="{count}"'
    inner = "" if uuid is None else f'<UUID FileName="b.tif">{uuid}</UUID>'
    return f'<TiffData IFD="{ifd}"{planes}>{inner}</TiffData>'


MAPPINGS = {
    "in order": (ome(pixels("0.25"), pixels("0.5"), pixels("1")), [0.25, 0.5, 1.0]),
    "planes": (ome(pixels("0.25").replace('SizeZ="1"', 'SizeZ="2"'), pixels("0.5")), [0.25, 0.25, 0.5]),
    "blocks": (ome(pixels("0.25", inside=block(2)), pixels("0.5", inside=block(0, 2))), [0.5, 0.5, 0.25]),
    "all of the file": (ome(pixels("0.25", inside="<TiffData/>", more='X="1"')), [0.25, 0.25, 0.25]),
    "other files": (
        ome(
            pixels("1", inside=block(0, 3, "urn:b")),
            pixels("0.25", inside=block(0, 3, "urn:a")),
            attributes='UUID="urn:a"',
        ),
        [0.25, 0.25, 0.25],
    ),
    "nobody's": (ome(pixels("0.25"), pixels("0.5")), [0.25, 0.5, None]),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_page_takes_the_size_of_its_own_image(tmp_path: Path, name: str) -> None:
    text, expected = MAPPINGS[name]
    path = stack(tmp_path / "a.tif", text)
    assert [read(path, page)[0] for page in range(3)] == expected


IMAGEJ = {
    "um": ("unit=um", (4, 4), 1, 0.25),
    "Microns": ("unit=Microns", (4, 4), 1, 0.25),
    "micrometer": ("unit=micrometers ", (4, 4), 1, 0.25),
    "escaped": ("unit=\\u00B5m", (4, 4), 1, 0.25),
    "escaped, Greek": ("unit=\\u03bcm", (4, 4), 1, 0.25),
    "nm": ("unit=nm", (0.004, 0.004), 1, 0.25),
    "mm": ("unit=mm", (4000, 4000), 1, 0.25),
    "inch": ("unit=inch", (101_600, 101_600), 2, 0.25),
    "um by cm": ("unit=um", (40_000, 40_000), 3, 0.25),
    "um, inch by default": ("unit=um", (4, 4), 2, 0.25),
    "pixel": ("unit=pixel", (50_000, 50_000), 2, None),
    "two units": ("unit=micron\nyunit=mm", (4, 4), 1, None),
    "no unit": ("", (40_000, 40_000), 3, 0.25),
}


@pytest.mark.parametrize("name", IMAGEJ)
def test_the_units_of_imagej(tmp_path: Path, name: str) -> None:
    line, resolution, unit, expected = IMAGEJ[name]
    text = f"ImageJ=1.54f\nimages=1\n{line}\nmin=0\nmax=255"
    path = write(tmp_path / "a.tif", text, array=GREY, resolution=resolution, resolutionunit=unit)
    assert read(path)[0] == expected


@pytest.mark.parametrize(
    ("line", "per_unit", "unit"),
    [("unit=um", 72, 2), ("unit=um", 300, 2), ("unit=um", 28, 3), ("unit=mm", 72, 2)],
)
def test_a_density_of_print_is_no_size_in_the_unit_of_imagej(
    tmp_path: Path, line: str, per_unit: int, unit: int
) -> None:
    resolution = {"resolution": (per_unit, per_unit), "resolutionunit": unit}
    path = write(tmp_path / "a.tif", f"ImageJ=1.54f\n{line}", array=GREY, **resolution)
    mpp, notes = read(path)
    assert mpp is None
    assert "by ImageJ metadata are no microscope's: not used" in notes


def test_three_channels_that_imagej_shows_together_are_one_image(tmp_path: Path) -> None:
    planes = np.moveaxis(IMAGE, 2, 0)
    metadata = {"axes": "CYX", "mode": "composite", "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, resolution=(4, 4), metadata=metadata)
    image = read_image(tmp_path / "a.tif")
    assert np.array_equal(image.pixels, IMAGE)
    assert (image.mpp, image.notes[1]) == (0.25, "three channels as red, green, blue")
    assert np.array_equal(read_image(tmp_path / "a.tif", page=1).pixels[..., 0], planes[1])


def slide(path: Path) -> Path:
    head = "Aperio Image Library v1\r\n32x24 [0,0 32x24]"
    with tifffile.TiffWriter(path) as file:
        for array, text, kind in (
            (IMAGE, f"{head}|AppMag = 40|MPP = 0.2502", 0),
            (IMAGE[::4, ::4], "Aperio", 0),
            (IMAGE[::2, ::2], f"{head} -> 16x12|MPP = 0.2502", 1),
            (IMAGE[:, :9], "Aperio label 9x24", 9),
        ):
            file.write(array, photometric="rgb", metadata=None, description=text, subfiletype=kind)
    return path


def test_a_slide_of_aperio_is_its_first_page(tmp_path: Path) -> None:
    path = slide(tmp_path / "a.tif")
    assert np.array_equal(read_image(path).pixels, IMAGE)
    assert [read(path, page)[0] for page in (None, 0, 1, 2, 3)] == [0.2502, 0.2502, 1.0008, 0.5004, None]
    assert "another field" in read(path, 3)[1]


@pytest.mark.parametrize(("state", "expected"), [("on", 0.25), ("off", None)])
def test_metamorph(tmp_path: Path, state: str, expected: float | None) -> None:
    fields = {
        "spatial-calibration-state": state,
        "spatial-calibration-x": "0.25",
        "spatial-calibration-units": "um",
    }
    props = "".join(f'<prop id="{key}" type="x" value="{value}"/>' for key, value in fields.items())
    assert read(write(tmp_path / "a.tif", f"<MetaData>{props}</MetaData>"))[0] == expected


RESOLUTIONS = {
    "cm": ((40_000, 40_000), 3, 0.25),
    "inch": ((101_600, 101_600), 2, 0.25),
    "mm": ((4000, 4000), 4, 0.25),
    "um": ((4, 4), 5, 0.25),
    "none": ((4, 4), 1, None),
    "paper": ((300, 300), 2, None),
    "coarse, in um": ((0.5, 0.5), 5, 2.0),
    "no microscope's": ((0.1, 0.1), 5, None),
    "not square": ((40_000, 20_000), 3, None),
}


@pytest.mark.parametrize("name", RESOLUTIONS)
def test_the_units_of_resolution_tags(tmp_path: Path, name: str) -> None:
    resolution, unit, expected = RESOLUTIONS[name]
    assert read(write(tmp_path / "a.tif", resolution=resolution, resolutionunit=unit))[0] == expected


@pytest.mark.parametrize("copied", [True, False])
def test_a_smaller_level_has_larger_pixels(tmp_path: Path, copied: bool) -> None:
    per_cm = 40_000 if copied else 10_000
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, metadata=None, resolution=(40_000, 40_000), resolutionunit=3)
        small = {"resolution": (per_cm, per_cm), "resolutionunit": 3, "subfiletype": 1}
        file.write(GREY[::4, ::4], metadata=None, **small)
    assert [read(tmp_path / "a.tif", page)[0] for page in (None, 1)] == [0.25, 1.0]


@pytest.mark.parametrize("name", ["", "pixels", "Px", "parsnip", "u", "MM."])
def test_what_is_no_length_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        unit_of(name)
