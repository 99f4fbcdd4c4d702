"""Figures for papers: what is in the files, and what is refused."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.report.outlines import bar_length
from irnet.synthetic import generate
from irnet.verbs.figure import make_figures
from irnet.verbs.figure_options import FigureOptions, parse_range

SVG = "{http://www.w3.org/2000/svg}"
MM = 72 / 25.4  # points


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two fields of cells numbered from 100 on."""
    folder = tmp_path_factory.mktemp("found")
    entries = []
    for seed in (1, 2):
        image, truth = generate(seed, size=(200, 240), mpp=0.5, count=4)
        path = folder / "images" / f"{seed}.png"
        write_atomic(path, to_png(image))
        numbers = tuple(range(100, 100 + len(truth.cells)))
        content = Content(cells=truth.cells, numbers=numbers)
        entries.append(Entry(name=path.name, path=path, content=content))
    write_coco(folder / "annotations.json", entries)
    return folder


def texts(file: Path) -> list[str]:
    return ["".join(text.itertext()) for text in ET.parse(file).iter(f"{SVG}text")]


def groups(file: Path) -> set[str]:
    names = {group.attrib.get("id", "") for group in ET.parse(file).iter(f"{SVG}g")}
    return {name for name in names if name.startswith("instance-")}


def test_each_image_becomes_a_figure_of_lines_over_its_pixels(found: Path, tmp_path: Path) -> None:
    done = make_figures(found, tmp_path, FigureOptions(save=("svg", "pdf", "png"), width=90))
    assert [file.name for file in done.files][:3] == ["1.svg", "1.pdf", "1.png"]
    assert (len(done.files), done.exit_code) == (6, 0)

    tree = ET.parse(tmp_path / "1.svg").getroot()
    assert float(tree.attrib["width"].removesuffix("pt")) == pytest.approx(90 * MM, abs=0.1)
    assert len(list(tree.iter(f"{SVG}image"))) == 1
    assert texts(tmp_path / "1.svg") == ["20 µm"]
    assert {"instance-100", "instance-101"} <= groups(tmp_path / "1.svg")
    pdf = (tmp_path / "1.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Subtype /Image" in pdf
    with Image.open(tmp_path / "1.png") as picture:
        assert picture.width == pytest.approx(90 / 25.4 * 600, abs=2)


def test_the_same_figure_is_the_same_file(found: Path, tmp_path: Path) -> None:
    options = FigureOptions(images=["2.png"], save=("svg", "pdf"), by="nc_ratio", ids=True, fill=True)
    for name in ("a", "b"):
        make_figures(found, tmp_path / name, options)
    for file in ("2.svg", "2.pdf"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_colours_by_a_measure_have_a_bar_of_its_range(found: Path, tmp_path: Path) -> None:
    options = FigureOptions(by="area_um2", of="nucleus", limits=(20.0, 40.0), scale_bar=False)
    make_figures(found, tmp_path, options)
    shown = texts(tmp_path / "1.svg")
    assert "area (µm²)" in shown
    assert "20 µm" not in shown
    ticks = [float(text) for text in shown if re.fullmatch(r"[\d.]+", text)]
    assert (min(ticks), max(ticks)) == (20, 40)
    assert "#bfbfbf" in (tmp_path / "1.svg").read_text()  # cells are grey


def test_a_sheet_shows_the_leaders_with_values_and_ids(found: Path, tmp_path: Path) -> None:
    done = make_figures(found, tmp_path, FigureOptions(by="area_px", of="nucleus", sheet=3))
    assert [file.name for file in done.files] == ["sheet-area_px.svg"]
    shown = texts(done.files[0])
    assert any(text.startswith("nucleus, by area (px), highest first: 3 of ") for text in shown)
    values = [int(text) for text in shown if text.isdecimal()]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert sum(bool(re.fullmatch(r"[12]\.png#1\d\d", text)) for text in shown) == 3
    assert sum(text.endswith("µm") for text in shown) == 1
    assert len(list(ET.parse(done.files[0]).iter(f"{SVG}image"))) == 3


def test_what_the_edge_cuts_is_not_on_a_sheet(tmp_path: Path) -> None:
    image, truth = generate(3, size=(160, 160), mpp=0.5, count=9)
    write_atomic(tmp_path / "images" / "a.png", to_png(image))
    entry = Entry(name="a.png", path=tmp_path / "images" / "a.png", content=truth)
    write_coco(tmp_path / "annotations.json", [entry])
    boxes = truth.cells.boxes[truth.cells.labels == CYTOPLASM]
    cut = int(((boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2:] >= 160).any(axis=1)).sum())
    done = make_figures(tmp_path, None, FigureOptions(by="area_px", sheet=99))
    assert cut
    assert done.notes == [f"{cut} instance{'s' if cut > 1 else ''} cut by the edge of an image left out"]
    assert done.files == [tmp_path / "figures" / "sheet-area_px.svg"]


def test_without_um_there_is_neither_bar_nor_measure_in_um(found: Path, tmp_path: Path) -> None:
    image, truth = generate(1, size=(200, 240), mpp=0.5, count=4)
    write_atomic(tmp_path / "a.png", to_png(image))
    content = replace(truth, cells=replace(truth.cells, mpp=None))
    write_coco(tmp_path / "a.json", [Entry(name="a.png", path=tmp_path / "a.png", content=content)])
    (file,) = make_figures(tmp_path / "a.json", tmp_path / "out").files
    assert texts(file) == []
    with pytest.raises(InputError, match="no cytoplasm has area_um2; um per pixel are unknown"):
        make_figures(tmp_path / "a.json", tmp_path / "out", FigureOptions(by="area_um2"))
    (sheet,) = make_figures(tmp_path / "a.json", tmp_path / "out", FigureOptions(by="score", sheet=2)).files
    assert not any("µm" in text for text in texts(sheet))

    cut = Cells.build([np.ones((9, 9), dtype=bool)], [(0, 50)], [CYTOPLASM], content.cells.image_shape)
    write_coco(
        tmp_path / "cut.json", [Entry(name="a.png", path=tmp_path / "a.png", content=Content(cells=cut))]
    )
    with pytest.raises(InputError, match="the edge of an image cuts all"):
        make_figures(tmp_path / "cut.json", tmp_path / "out", FigureOptions(by="score", sheet=2))


def test_an_image_that_is_gone_is_told_and_the_others_are_drawn(found: Path, tmp_path: Path) -> None:
    for file in ("annotations.json", "images/1.png"):
        write_atomic(tmp_path / file, (found / file).read_bytes())
    for options in (FigureOptions(by="od_mean"), FigureOptions(by="area_px", sheet=99)):
        done = make_figures(tmp_path, tmp_path / "out", options)
        assert (len(done.files), len(done.errors), done.exit_code) == (1, 1, 3)
        assert done.errors[0].startswith("2.png: ")
    (tmp_path / "images" / "1.png").unlink()
    assert make_figures(tmp_path, tmp_path / "none").exit_code == 2


def test_an_image_has_no_more_pixels_than_its_place_shows(tmp_path: Path) -> None:
    image, truth = generate(1, size=(800, 800), mpp=0.5, count=2)
    write_atomic(tmp_path / "images" / "a.png", to_png(image))
    entry = Entry(name="a.png", path=tmp_path / "images" / "a.png", content=truth)
    write_coco(tmp_path / "annotations.json", [entry])
    sizes = []
    for width in (20, 60):
        (file,) = make_figures(tmp_path, tmp_path / str(width), FigureOptions(width=width)).files
        sizes.append(file.stat().st_size)
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FigureOptions(images=["3.png"]), "no image '3.png': choose"),
        (FigureOptions(save=("svg", "gif")), "--save gif: unknown; choose from svg, pdf, png"),
        (FigureOptions(by="nc-ratio"), "no measure 'nc-ratio': choose nc_ratio"),
        (FigureOptions(sheet=5), "--sheet needs a measure"),
        (FigureOptions(limits=(0.0, 1.0)), "--range needs a measure"),
        (FigureOptions(by="score", limits=(1.0, 0.5)), "write the lower end first"),
        (FigureOptions(by="score", limits=(-1e308, 1e308)), "write the lower end first"),
        (FigureOptions(by="score", limits=(1e-320, 2e-320)), "write the lower end first"),
        (FigureOptions(width=3), "--width 3: give 20 to 1000 mm"),
        (FigureOptions(line=0), "--line 0: give a width"),
        (FigureOptions(by="nc_ratio", of="nucleus"), "no nucleus has nc_ratio: choose another measure"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    found: Path, tmp_path: Path, options: FigureOptions, message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make_figures(found, tmp_path / "out", options)
    assert not list(tmp_path.rglob("*.svg"))


@pytest.mark.parametrize("text", ["", "1", "a:b", "1:2:3", "nan:1", "0:inf"])
def test_a_range_is_two_numbers(text: str) -> None:
    with pytest.raises(InputError, match="write two numbers"):
        parse_range(text)


@pytest.mark.parametrize("extent", [3e-3, 0.9, 40.0, 100.0, 253.0, 1e5])
def test_a_scale_bar_has_a_round_length_and_takes_a_quarter_at_most(extent: float) -> None:
    length = bar_length(extent)
    assert extent / 10.1 <= length <= extent / 4 * 1.001
    assert f"{length:e}"[0] in "125"


def odd_set(folder: Path, name: str, shape: tuple[int, int], *, cells: int = 1) -> Path:
    """One image of this name and form, cells of 6 x 6 px one below another."""
    path = folder / "images" / name
    write_atomic(path, to_png(np.full((*shape, 3), 200, np.uint8)))
    masks = np.zeros((cells, *shape), bool)
    for number, mask in enumerate(masks):
        mask[8 * number + 2 : 8 * number + 8, 2:8] = True
    found = Cells.from_dense(masks, [CYTOPLASM] * cells)
    write_coco(folder / "annotations.json", [Entry(name=name, path=path, content=Content(cells=found))])
    return folder


def test_a_narrow_high_image_has_a_figure_of_bounded_height(tmp_path: Path) -> None:
    source = odd_set(tmp_path, "strip.png", (3000, 20))
    done = make_figures(source, options=FigureOptions(save=("svg", "png"), by="area_px"))
    tree = ET.parse(done.files[0]).getroot()
    assert float(tree.attrib["height"].removesuffix("pt")) == pytest.approx(1000 * MM, abs=1)
    with Image.open(done.files[1]) as picture:
        assert picture.width * picture.height < 41e6


def test_a_large_png_has_fewer_pixels_an_inch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irnet.verbs.figure.PNG_PIXELS", 1e5)
    done = make_figures(odd_set(tmp_path, "a.png", (40, 40)), options=FigureOptions(save=("png",), width=90))
    with Image.open(done.files[0]) as picture:
        assert picture.width * picture.height == pytest.approx(1e5, rel=0.02)


def test_a_sheet_that_is_too_high_is_refused(tmp_path: Path) -> None:
    source = odd_set(tmp_path, "a.png", (400, 40), cells=40)
    with pytest.raises(InputError, match="--sheet 40: a sheet of --width 20 mm would be"):
        make_figures(source, options=FigureOptions(by="area_px", sheet=40, width=20, save=("svg",)))
    assert make_figures(source, options=FigureOptions(by="area_px", sheet=40, width=85)).exit_code == 0


@pytest.mark.parametrize("name", ["cost $x^ $_.png", "a & b <x> \u4e2d.png"])
def test_names_are_written_as_they_are(name: str, tmp_path: Path) -> None:
    source = odd_set(tmp_path, name, (40, 40))
    done = make_figures(source, options=FigureOptions(by="area_px", sheet=1, save=("svg", "png")))
    assert any(f"{name}#0" in text for text in texts(done.files[0]))
    assert any("letters that the font lacks" in note for note in done.notes) == ("\u4e2d" in name)


def test_the_name_of_a_colour_bar_of_large_numbers_is_inside_the_figure(tmp_path: Path) -> None:
    from irnet.report.measures import Measured
    from irnet.report.outlines import Style, draw_outlines
    from irnet.verbs.figure import BAR_MM, BAR_SHARE, _axes

    for width in (40, 180, 400):
        beside = BAR_MM + BAR_SHARE * width
        figure, axes = _axes(width - beside, (100, 100), beside=beside)
        by = Measured("area (px)", np.zeros(0), 1e5, 9e5)
        draw_outlines(Cells.empty((100, 100)), None, axes, Style(width=1, by=by))
        figure.canvas.draw()
        assert axes.child_axes[0].get_tightbbox().x1 < figure.bbox.x1
