"""The manifest, and the widget on an image layer, with a stand-in for the network."""

import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.napari import widget

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "src" / "irnet" / "napari" / "napari.yaml"


class OneSquare:
    """Finds one cell, in the scale that it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def check(self, *, mpp=None, score=None) -> None:
        if score is not None and score < 0.05:
            raise InputError("score is out of range")

    def find(self, image, mpp=None, *, scale=None):
        self.asked.append((image.shape, mpp, scale and scale.zoom))
        cells = Cells.build([np.ones((9, 9))], [(3, 2)], [CYTOPLASM], image.shape[:2], scores=[0.7], mpp=mpp)
        return ImageDetections(cells, 1.0, () if mpp else ("um per pixel unknown",))

    def choose(self, cells, score=None):
        return cells.select(cells.scores >= (score or 0.5))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> OneSquare:
    network = OneSquare()
    monkeypatch.setattr(widget, "load_bundled", lambda: network)
    return network


def image_layer(data, **more) -> SimpleNamespace:
    return SimpleNamespace(data=data, name="field", scale=(0.5, 0.5), translate=(1.0, 0.0), **more)


def test_the_manifest_names_what_exists():
    text = MANIFEST.read_text(encoding="utf-8")
    commands = dict(re.findall(r"- id: (\S+)\n.*\n\s+python_name: (\S+)", text))
    assert len(commands) == text.count("python_name:") == 4
    assert set(re.findall(r"- command: (\S+)", text)) == commands.keys()
    for target in commands.values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["napari.manifest"] == {"irnet": "irnet.napari:napari.yaml"}
    assert text.startswith(f"name: {project['name']}\n")


def test_the_widget_finds_cells_where_the_image_lies(network: OneSquare):
    source = SimpleNamespace(path="/smears/a.png")
    layers = widget.find_cells(image_layer(np.zeros((20, 30, 3), np.uint8), source=source), um_per_pixel=0.3)
    assert [layer[1]["name"] for layer in layers] == ["a.png cells", "a.png nuclei"]
    assert [len(layer[0]) for layer in layers] == [1, 0]
    assert all(layer[1]["scale"] == (0.5, 0.5) and layer[1]["translate"] == (1.0, 0.0) for layer in layers)
    assert network.asked == [((20, 30, 3), 0.3, None)]


def test_the_widget_tells_what_the_user_should_know(network: OneSquare):
    grey = np.zeros((20, 30), np.uint16)
    with pytest.warns(UserWarning, match="field: um per pixel unknown"):
        layers = widget.find_cells(image_layer([grey, grey[::2]], multiscale=True), 0, 0.8, 1.0)
    assert [len(layer[0]) for layer in layers] == [0, 0]
    assert network.asked == [((20, 30, 3), None, 1.0)]


def test_the_widget_doubts_um_per_pixel_that_make_nuclei_too_large(network: OneSquare, monkeypatch):
    masks, places = [np.ones((9, 9))] * 3, [(1, 1), (11, 1), (21, 1)]
    three = Cells.build(masks, places, [NUCLEUS] * 3, (20, 40), scores=[0.7] * 3, mpp=2.0)
    monkeypatch.setattr(network, "find", lambda *_, **__: ImageDetections(three, 1.0, ()))
    with pytest.warns(UserWarning, match="field: nuclei of 20.3 um in the median"):
        widget.find_cells(image_layer(np.zeros((20, 40), np.uint8)), um_per_pixel=2.0)


def test_the_widget_refuses(network: OneSquare):
    with pytest.raises(InputError, match="not an image"):
        widget.find_cells(image_layer(np.zeros((4, 20, 30, 3), np.uint8)))
    with pytest.raises(InputError, match="out of range"):
        widget.find_cells(image_layer(np.zeros((20, 30), np.uint8)), least_score=0.01)
    with pytest.raises(InputError, match="leave --scale out"):
        widget.find_cells(image_layer(np.zeros((20, 30), np.uint8)), um_per_pixel=0.3, scale=2.0)


def test_every_field_of_the_widget_has_a_default_but_the_image():
    fields = inspect.signature(widget.find_cells).parameters
    assert [name for name, field in fields.items() if field.default is field.empty] == ["image"]
    assert fields["um_per_pixel"].annotation.__metadata__[0]["max"] == 2.0  # text would hide it from magicgui


def test_the_plugin_starts_without_torch_and_without_napari():
    script = (
        "import sys, irnet.napari.files, irnet.napari.prompts, irnet.napari.widget\n"
        "sys.exit('torch' in sys.modules or 'napari' in sys.modules or 'qtpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
