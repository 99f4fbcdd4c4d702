"""Files that the writers of scenes share."""

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
from hostile_scene import ALONE, CELL, NUCLEUS, Scene
from numpy.typing import NDArray

NAMES = {CELL: "cytoplasm", NUCLEUS: "nucleus"}


def png(pixels: NDArray) -> bytes:
    """A picture of the pixels, as they are."""
    PIL.Image.fromarray(pixels).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def put(path: Path, content: bytes | str) -> None:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def groups(scene: Scene) -> list[int | None]:
    """A number that a cell and its nuclei share; None of what stands alone."""
    numbers = [i if t.label == CELL else t.parent for i, t in enumerate(scene.things)]
    return [None if number == ALONE else number + 1 for number in numbers]


def put_set(folder: Path, scene: Scene, annotations: list[dict[str, Any]]) -> None:
    """A data set of one picture."""
    height, width = scene.shape
    image = {"id": 1, "file_name": scene.name, "height": height, "width": width, "patient": "p1"}
    categories = [{"id": label, "name": name} for label, name in NAMES.items()]
    data = {"images": [image], "annotations": annotations, "categories": categories}
    put(folder / "images" / scene.name, scene.picture())
    put(folder / "annotations.json", json.dumps(data))
