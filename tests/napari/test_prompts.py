"""Clicks and boxes of a window: what is asked, what is drawn, with stand-ins for napari and the network."""

from types import SimpleNamespace

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.napari import widget
from irnet.napari.layers import to_entry
from irnet.napari.prompts import LOOKING, MORE, NOTHING, Prompter

SHAPE = (60, 80)


def square(x: int, y: int, label: int = CYTOPLASM) -> Cells:
    return Cells.build([np.ones((9, 11))], [(x, y)], [label], SHAPE, scores=[0.7])


class Held:
    """An encoded image that holds two cells and one that is known already."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def candidates(self, point, label, *, known):
        self.asked.append((point, label, len(known)))
        cells = Cells.concat([square(5, 5, label), square(40, 20, label), square(20, 30, label)])
        return SimpleNamespace(cells=cells, known=np.array([False, True, False]))

    def mask_of(self, box, label):
        self.asked.append((box, label))
        return square(30, 40, label)


class ShapesLayer:
    def __init__(self, attributes: dict) -> None:
        self.attributes = attributes
        self.metadata = attributes["metadata"]
        self.data: list[np.ndarray] = []
        self.selected_data: set[int] = set()

    def add_polygons(self, rings) -> None:
        self.data += [np.asarray(ring) for ring in rings]

    def remove_selected(self) -> None:
        self.data = [ring for i, ring in enumerate(self.data) if i not in self.selected_data]

    def as_layer_data_tuple(self) -> tuple:
        n, defaults = len(self.data), self.attributes["feature_defaults"]
        features = {name: [value] * n for name, value in defaults.items()}
        return self.data, self.attributes | {"features": features}, "shapes"


class Layers(list):
    def __init__(self, *layers) -> None:
        super().__init__(layers)
        self.selection = SimpleNamespace(active=None)


class Window:
    """What of napari's viewer is used."""

    def __init__(self, image) -> None:
        self.layers, self.keys, self.status = Layers(image), {}, ""

    def bind_key(self, key, call, *, overwrite) -> None:
        self.keys[key] = call

    def add_shapes(self, data, **attributes) -> ShapesLayer:
        assert data is None
        self.layers.append(ShapesLayer(attributes))
        return self.layers[-1]


@pytest.fixture
def image() -> SimpleNamespace:
    keys: dict = {}
    return SimpleNamespace(
        data=np.zeros((*SHAPE, 3), np.uint8),
        name="field",
        metadata={},
        scale=(0.5, 0.5),
        translate=(1.0, 0.0),
        mouse_pan=True,
        mouse_drag_callbacks=[],
        keys=keys,
        bind_key=lambda key, call, *, overwrite: keys.update({key: call}),
        world_to_data=lambda place: ((place[0] - 1.0) / 0.5, place[1] / 0.5),
    )


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    network = SimpleNamespace(encode=lambda pixels, mpp: held)
    monkeypatch.setattr(widget, "load_bundled", lambda: network)
    return held


@pytest.fixture
def window(image: SimpleNamespace, held: Held) -> Window:
    window = Window(image)
    Prompter(window, image, run=lambda answer, question, done, failed: done(answer(question))).attach()
    return window


def press(window: Window, *places: tuple[float, float]) -> None:
    """Press the mouse at the first place (y, x of the window), move it over the others and release it."""
    event = SimpleNamespace(position=places[0], type="mouse_press")
    moving = window.layers[0].mouse_drag_callbacks[0](window.layers[0], event)
    for place in places:
        if next(moving, "done") == "done":
            return
        event.position, event.type = place, "mouse_move"
    event.type = "mouse_release"
    next(moving, None)


def test_a_click_draws_and_the_key_goes_on(window: Window, held: Held) -> None:
    press(window, (5.0, 4.0))
    assert held.asked == [((8.5, 8.5), CYTOPLASM, 0)]
    cells, nuclei = window.layers[1:]
    assert [layer.attributes["name"] for layer in (cells, nuclei)] == ["field cells", "field nuclei"]
    assert (cells.attributes["scale"], cells.attributes["translate"]) == ((0.5, 0.5), (1.0, 0.0))
    assert (len(cells.data), len(nuclei.data), window.status) == (1, 0, MORE)
    assert window.layers.selection.active is window.layers[0]

    first = cells.data[0]
    window.keys["w"](window)
    assert len(cells.data) == 1
    assert not np.array_equal(cells.data[0], first)
    window.keys["w"](window)
    assert (len(cells.data), window.status) == (0, NOTHING)


def test_what_was_drawn_is_known_and_a_second_click_keeps_it(window: Window, held: Held) -> None:
    press(window, (5.0, 4.0))
    press(window, (9.0, 9.0))
    assert [known for *_, known in held.asked] == [0, 1]
    assert len(window.layers[1].data) == 2
    entry, _ = to_entry([layer.as_layer_data_tuple() for layer in window.layers[1:]])
    assert entry.content.cells.areas.tolist() == [99, 99]


def test_a_box_of_a_nucleus(window: Window, held: Held) -> None:
    window.keys["q"](window)
    press(window, (20.0, 15.0), (22.0, 18.0), (25.0, 21.0))
    assert held.asked == [([30.5, 38.5, 42.5, 48.5], NUCLEUS)]
    assert [len(layer.data) for layer in window.layers[1:]] == [0, 1]


def test_the_layers_of_the_image_are_drawn_on(window: Window, held: Held) -> None:
    press(window, (5.0, 4.0))
    press(window, (5.0, 4.0))
    assert len(window.layers) == 3


def test_the_mouse_is_left_alone_afterwards(window: Window, held: Held) -> None:
    assert not window.layers[0].mouse_pan
    window.layers[0].keys["Escape"](window)
    press(window, (5.0, 4.0))
    assert (held.asked, window.layers[0].mouse_pan, len(window.layers)) == ([], True, 1)


def test_one_question_at_a_time_and_after_an_error_the_next(image: SimpleNamespace, held: Held) -> None:
    window, waiting = Window(image), []
    prompter = Prompter(window, image, run=lambda *call: waiting.append(call))
    prompter.attach()
    press(window, (5.0, 4.0))
    press(window, (9.0, 9.0))
    assert (len(waiting), window.status) == (1, LOOKING)
    waiting[0][3](InputError("out of range"))
    press(window, (9.0, 9.0))
    assert len(waiting) == 2
