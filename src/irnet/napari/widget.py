"""What napari makes a widget of: the bundled network on an image layer.

Napari's types are named in text: it finds them when it makes the widget, and this module starts without it.
"""

import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

import irnet
from irnet.cells import Content
from irnet.data.sample import Entry
from irnet.napari.layers import Layer, to_layers

if TYPE_CHECKING:
    import napari.layers  # pyright: ignore[reportMissingImports]
    import napari.types  # pyright: ignore[reportMissingImports]

    from irnet.inference.predict import Predictor


def find_cells(
    image: "napari.layers.Image",  # pyright: ignore[reportAttributeAccessIssue]
    um_per_pixel: Annotated[float, {"min": 0.0, "max": 2.0, "step": 0.01}] = 0.0,
    least_score: Annotated[float, {"min": 0.0, "max": 1.0, "step": 0.05}] = 0.0,
    scale: Annotated[float, {"min": 0.0, "max": 20.0, "step": 0.05}] = 0.0,
) -> "list[napari.types.LayerDataTuple]":
    """Find the cells and nuclei of an image layer with the bundled network.

    Args:
        image: grey or RGB, 8 or 16 bits, one field.
        um_per_pixel: 0 where it is unknown: then the scale is estimated and lengths stay in px.
        least_score: 0 takes the operating threshold of each class.
        scale: how many times its size an image of unknown um per pixel is taken at; 0 estimates it.
    """
    layers = segment(
        pixels_of(image),
        path_of(image),
        mpp=um_per_pixel or None,
        score=least_score or None,
        scale=scale or None,
    )
    placed = {"scale": image.scale, "translate": image.translate}
    return [(data, attributes | placed, kind) for data, attributes, kind in layers]


def pixels_of(image: Any) -> np.ndarray[Any, Any]:
    """The array of an image layer, at full size."""
    return np.asarray(image.data[0] if getattr(image, "multiscale", False) else image.data)


def path_of(image: Any) -> Path:
    """Where the image of a layer lies, or its name."""
    return Path(getattr(getattr(image, "source", None), "path", None) or image.name)


def segment(
    pixels: np.ndarray[Any, Any],
    path: Path,
    *,
    mpp: float | None = None,
    score: float | None = None,
    scale: float | None = None,
) -> list[Layer]:
    """The two Shapes layers of what is found. What the user should know is warned of: napari shows warnings.

    Raises InputError for an array that is not an image, or values out of range.
    """
    from irnet.data.nucleus_size import doubt_mpp
    from irnet.data.picture import open_picture
    from irnet.inference.scale import given_scale

    predictor = load_bundled()
    predictor.check(mpp=mpp, score=score)
    fixed = given_scale(scale, mpp)
    found = predictor.find(open_picture(pixels).pixels, mpp, scale=fixed)
    cells = predictor.choose(found.cells, score)
    for note in (*found.notes, *doubt_mpp(cells)):
        warnings.warn(f"{path.name}: {note}", stacklevel=2)
    return to_layers(Entry(name=path.name, path=path, content=Content(cells=cells)), scored=True)


@cache
def load_bundled() -> "Predictor":
    """The bundled network, loaded once."""
    return irnet.load()
