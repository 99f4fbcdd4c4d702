"""Clicks and boxes in napari: the network draws what is there, in a thread, so that the window goes on.

Napari's types are named in text, as in `widget`: this module starts without it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.polygons import Ring
from irnet.napari import widget
from irnet.napari.layers import Layer, rings_of, to_entry, to_layers

if TYPE_CHECKING:
    import napari  # pyright: ignore[reportMissingImports]
    import napari.layers  # pyright: ignore[reportMissingImports]

    from irnet.inference.prompts import EncodedImage

KEYS = {"w": CYTOPLASM, "q": NUCLEUS}  # those of irnet view
SHOWN = 6  # candidates of a click
STILL = 4.0  # px that the mouse may move in a click
MORE = "the same key shows what else the network holds there"
NOTHING = "the network holds nothing more there: drag a box around it, or draw it"
LOOKING = "the network looks at the image"

Done = Callable[[list[Ring]], None]
Run = Callable[[Callable[["Question"], list[Ring]], "Question", Done, Callable[[Any], None]], None]


class Question(NamedTuple):
    """A place in an image that is asked about."""

    label: int
    point: tuple[float, float] | None  # x, y px
    box: tuple[float, float, float, float] | None  # x1, y1, x2, y2 px
    layers: list[Layer]  # of what is there already


def draw_cells(
    viewer: "napari.Viewer",  # pyright: ignore[reportAttributeAccessIssue]
    image: "napari.layers.Image",  # pyright: ignore[reportAttributeAccessIssue]
    um_per_pixel: Annotated[float, {"min": 0.0, "max": 2.0, "step": 0.01}] = 0.0,
) -> None:
    """Let the bundled network draw where you press W (a cell) or Q (a nucleus), then click or drag a box.

    Args:
        viewer: the window.
        image: grey or RGB, 8 or 16 bits, one field.
        um_per_pixel: 0 where it is unknown: then the scale is estimated.
    """
    Prompter(viewer, image, mpp=um_per_pixel or None).attach()


class Prompter:
    """The keys and the mouse of one image layer.

    `run` answers a question elsewhere, then calls one of two functions here: a thread of napari's, or a test.
    """

    def __init__(self, viewer: Any, image: Any, *, mpp: float | None = None, run: Run | None = None) -> None:
        self.viewer, self.image, self.mpp = viewer, image, mpp
        self.run = run or in_a_thread
        self.armed: int | None = None  # the class that is asked for
        self.busy = False
        self._found: list[Ring] = []  # what was answered last, and is not shown yet
        self._shown: NDArray | None = None
        self._encoded: EncodedImage | None = None

    def attach(self) -> None:
        """Listen to the window and the layer."""
        for key in KEYS:
            self.viewer.bind_key(key, lambda _, label=KEYS[key]: self.press(label), overwrite=True)
        self.image.bind_key("Escape", lambda _: self.rest(), overwrite=True)
        self.image.mouse_drag_callbacks.append(self.drag)
        self.press(CYTOPLASM)

    def press(self, label: int) -> None:
        """Show the next candidate of this class, or await a click or a box."""
        active = self.viewer.layers.selection.active is self.image
        if self.armed == label and active and self._shown is not None:
            self.show_next()
            return
        self.armed, self._found, self._shown = label, [], None
        self.viewer.layers.selection.active = self.image
        self.image.mouse_pan = False  # a drag is a box
        self.viewer.status = f"click a missing {'cell' if label == CYTOPLASM else 'nucleus'}, or drag a box"

    def rest(self) -> None:
        """Await nothing."""
        self.armed, self.image.mouse_pan = None, True
        self.viewer.status = ""

    def drag(self, _layer: Any, event: Any) -> Any:
        """Ask about the place between press and release of the mouse, as napari's callbacks do."""
        if self.armed is None:
            return
        first = self._pixel(event.position)
        yield
        while event.type == "mouse_move":
            yield
        self.ask(first, self._pixel(event.position))

    def ask(self, first: NDArray, last: NDArray) -> None:
        """Ask about a point, or the box between two, (x, y) px each."""
        if self.busy or self.armed is None:
            self.viewer.status = LOOKING
            return
        corners = [*np.minimum(first, last).tolist(), *np.maximum(first, last).tolist()]
        still = np.abs(last - first).max() < STILL
        place = {"point": tuple(first.tolist()), "box": None} if still else {"point": None, "box": corners}
        layers = [layer.as_layer_data_tuple() for layer in self._layers()]
        self.busy, self.viewer.status = True, LOOKING
        self.run(self.answer, Question(self.armed, layers=layers, **place), self.show, self.fail)

    def answer(self, question: Question) -> list[Ring]:
        """The outlines (k, 2) y, x of what the network holds there, best first. Raises InputError."""
        if self._encoded is None:
            from irnet.data.picture import open_picture

            pixels = open_picture(widget.pixels_of(self.image)).pixels
            self._encoded = widget.load_bundled().encode(pixels, self.mpp)
        if question.box is not None:
            return rings_of(self._encoded.mask_of(question.box, question.label))
        assert question.point is not None
        known = _known(question.layers)
        found = self._encoded.candidates(question.point, question.label, known=known)
        return rings_of(found.cells.select(~found.known)[:SHOWN])

    def show(self, found: Sequence[Ring]) -> None:
        """Draw the first of what was found."""
        self.busy, self._found, self._shown = False, list(found), None
        self.show_next()

    def fail(self, _error: Any) -> None:
        """Be ready again; napari tells of the error."""
        self.busy, self.viewer.status = False, ""

    def show_next(self) -> None:
        """Draw the next candidate in the place of the one that is shown."""
        label = self.armed or CYTOPLASM
        layer = self._layers()[label - CYTOPLASM]
        last = len(layer.data) - 1
        if self._shown is not None and last >= 0 and np.array_equal(layer.data[last], self._shown):
            layer.selected_data = {last}
            layer.remove_selected()
        self._shown = None

        if self._found:
            self._shown = np.asarray(self._found.pop(0), dtype=np.float32)  # as napari keeps it
            layer.add_polygons([self._shown])
        self.viewer.status = MORE if self._found else NOTHING if self._shown is None else ""

    def _pixel(self, position: Sequence[float]) -> NDArray:
        """A place of the window as (x, y) px, which count from the corner of the first pixel."""
        y, x = self.image.world_to_data(position)[-2:]
        return np.array([x + 0.5, y + 0.5])

    def _layers(self) -> list[Any]:
        """The layers of the image's cells and of its nuclei; they are added where they are not there."""
        name = widget.path_of(self.image).name
        there = {}
        for layer in self.viewer.layers:
            known = layer.metadata.get("irnet")
            if known and known["entry"].name == name:
                there[known["label"]] = layer
        if len(there) < len(KEYS):
            shape = widget.pixels_of(self.image).shape[:2]
            entry = Entry(
                name=name,
                path=widget.path_of(self.image),
                content=Content(cells=Cells.empty(shape, self.mpp)),
            )
            placed = {"scale": self.image.scale, "translate": self.image.translate}
            for label, (_, attributes, _) in zip(KEYS.values(), to_layers(entry, scored=True), strict=True):
                if label not in there:
                    there[label] = self.viewer.add_shapes(None, **attributes | placed)
            self.viewer.layers.selection.active = self.image
        return [there[CYTOPLASM], there[NUCLEUS]]


def in_a_thread(
    answer: Callable[[Question], list[Ring]], question: Question, done: Done, failed: Callable[[Any], None]
) -> None:
    """Answer a question in a thread of napari's, which tells of errors."""
    from napari.qt.threading import create_worker  # pyright: ignore[reportMissingImports]

    create_worker(answer, question, _connect={"returned": done, "errored": failed})


def _known(layers: Sequence[Layer]) -> Cells | None:
    """The cells that are drawn; None, for what the network finds itself, where some shape is no area."""
    try:
        return to_entry(layers)[0].content.cells
    except InputError:
        return None
