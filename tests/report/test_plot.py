"""SVG plots: what is drawn lies where it should."""

import xml.etree.ElementTree as ET

import pytest

from irnet.report.plot import HEIGHT, WIDTH, Line, Panel, draw_panels, nice_range

SVG = "{http://www.w3.org/2000/svg}"


def draw(*lines: Line, columns: int = 1, copies: int = 1) -> ET.Element:
    panels = [Panel(title="F1, cytoplasm", x="score cut", lines=lines)] * copies
    return ET.fromstring(draw_panels(panels, columns=columns))


def test_points_lie_between_the_ends_of_the_axes():
    tree = draw(Line(title="IRNet", points=[(0, 0.5), (0.5, 0.75), (1, 1)], dot=(0.5, 0.75)))
    line = next(tree.iter(f"{SVG}polyline"))
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points == [(0, HEIGHT), (WIDTH / 2, HEIGHT / 2), (WIDTH, 0)]
    dot = next(tree.iter(f"{SVG}circle"))
    assert (float(dot.attrib["cx"]), float(dot.attrib["cy"])) == (WIDTH / 2, HEIGHT / 2)


def test_a_title_has_one_colour_in_all_panels_and_one_place_in_the_legend():
    a, b = (Line(title=title, points=[(0, 0.2), (1, 0.6)]) for title in ("A & B", "C"))
    tree = draw(a, b, copies=2, columns=2)
    colours = [line.attrib["stroke"] for line in tree.iter(f"{SVG}polyline")]
    assert colours[:2] == colours[2:]
    assert len(set(colours)) == 2
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts.count("A & B") == 1
    assert texts.count("F1, cytoplasm") == 2


def test_the_legend_says_of_which_panels_it_is():
    line = Line(title="F1", points=[(0, 0.2), (1, 0.6)])
    panels = [Panel(title=title, x="score cut", lines=[line]) for title in ("cytoplasm", "nucleus", "all")]

    def texts(count: int) -> list[str | None]:
        tree = ET.fromstring(draw_panels(panels[:count], columns=2))
        return [text.text for text in tree.iter(f"{SVG}text")]

    assert "cytoplasm and nucleus:" in texts(2)
    assert "all panels:" in texts(3)
    assert not any(text and text.endswith(":") for text in texts(1))


def test_a_long_legend_goes_on_in_the_next_line_inside_the_picture():
    lines = [Line(title=f"a method with a long name {i}", points=[(0, 0), (1, 1)]) for i in range(7)]
    tree = draw(*lines, columns=2, copies=2)
    entries = [text for text in tree.iter(f"{SVG}text") if (text.text or "").startswith("a method")]
    assert len({text.attrib["y"] for text in entries}) > 1
    assert all(float(text.attrib["x"]) < float(tree.attrib["width"]) - 100 for text in entries)
    assert max(float(text.attrib["y"]) for text in entries) < float(tree.attrib["height"])


def test_a_method_without_scores_is_dashed():
    tree = draw(Line(title="JOMLS", points=[(0, 0.2), (1, 0.2)], dashed=True))
    assert "stroke-dasharray" in next(tree.iter(f"{SVG}polyline")).attrib


def test_nothing_to_draw():
    assert draw(Line(title="none", points=[])).tag == f"{SVG}svg"


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([], (0, 1, 0.2)),
        ([0.5], (0.5, 0.5002, 0.0002)),
        ([0.0, 1.0], (0, 1, 0.2)),
        ([0.12, 0.55], (0.1, 0.6, 0.1)),
    ],
)
def test_ends_of_an_axis_are_round_numbers(values, ends):
    assert nice_range(values) == pytest.approx(ends)
