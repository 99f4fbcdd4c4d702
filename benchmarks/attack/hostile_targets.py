"""What is attacked: valid files of every kind, and how irnet reads each."""

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import hostile_texts as texts
import numpy as np
import PIL.Image
import tifffile
from hostile_files import put
from hostile_formats import APART, FORMATS, READERS
from hostile_scene import ALONE, Scene

from irnet.cells import Cells, Content
from irnet.config import change_settings, load_recipe
from irnet.data.checks.check import check
from irnet.data.coco.found import read_found
from irnet.data.coco.split import split
from irnet.data.formats import cvat, imagej, labelme, labels, qupath
from irnet.data.image import read_image
from irnet.data.sample import Entry
from irnet.server.store import Review


@dataclass(frozen=True)
class Target:
    """A kind of file: how a valid one is made, which are damaged, who reads it, how a message names it."""

    make: Callable[[Path, Scene], object]
    files: str  # a pattern
    read: Callable[[Path], object]
    named: str = ""  # else the damaged file's name
    rare: int = 1  # one in so many turns, where reading is slow
    drawn: dict[str, Any] = field(default_factory=dict)  # of `hostile_scene.draw`


def targets() -> dict[str, Target]:
    """All of them, by name."""
    slow = {"cx22": 6, "isbi2014": 6}  # each file is read by a process of its own
    found = {
        name: Target(form.write, form.files, form.read, rare=slow.get(name, 1), drawn=form.drawn)
        for name, form in FORMATS.items()
    }
    for name, content in _pictures().items():
        suffix = name.partition(" ")[0]
        file = f"a.{suffix}"
        found[f"picture {name}"] = Target(
            partial(_put_content, name=file, content=content), file, partial(_read_picture, name=file)
        )
    for name, (file, write) in _own_writers().items():
        make = partial(_write_own, name=file, write=write)
        drawn = APART if name == "labels" else {}  # where cells overlap, a label map holds pieces
        found[f"{name} of irnet"] = Target(make, file, READERS[name], drawn=drawn)
    polygons = texts.coco(texts.as_polygon)
    return found | {
        "data check": Target(polygons, "annotations.json", _check),
        "data split": Target(_three_patients, "annotations.json", _split),
        "run.json": Target(_make_run, "run.json", read_found),
        "errors.json": Target(_make_run, "errors.json", read_found),
        "corrections.jsonl": Target(_make_review, "corrections.jsonl", Review),
        "recipe": Target(_make_recipe, "recipe.toml", lambda folder: load_recipe(folder / "recipe.toml")),
        "--set": Target(_make_override, "override.txt", _override, named="--set"),
        "weights": Target(_make_weights, "tiny.safetensors", _load_weights, rare=8),
    }


# Pictures


def _pictures() -> dict[str, bytes]:
    rows, columns = np.mgrid[:64, :64]
    rgb = np.stack([rows * 3, columns * 3, rows + columns], axis=2).astype(np.uint8)
    rgb ^= np.random.default_rng(0).integers(0, 16, rgb.shape, dtype=np.uint8)
    wide = rgb.astype(np.uint16) * 16

    def pil(kind: str, pixels: np.ndarray = rgb, **options: Any) -> bytes:
        PIL.Image.fromarray(pixels).save(buffer := io.BytesIO(), kind, **options)
        return buffer.getvalue()

    def tiff(array: np.ndarray, **options: Any) -> bytes:
        tifffile.imwrite(buffer := io.BytesIO(), array, **options)
        return buffer.getvalue()

    ome = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    return {
        "png": pil("PNG"),
        "png grey": pil("PNG", rgb[..., 0]),
        "png 16 bit": pil("PNG", wide[..., 0]),
        "png with alpha": pil("PNG", np.dstack([rgb, rgb[..., 0]])),
        "jpg": pil("JPEG"),
        "jpg progressive": pil("JPEG", progressive=True),
        "bmp": pil("BMP"),
        "webp": pil("WEBP", lossless=True),
        "jp2": pil("JPEG2000"),
        "tif": pil("TIFF"),
        "tif deflate": pil("TIFF", compression="tiff_deflate"),
        "tif lzw": pil("TIFF", compression="tiff_lzw"),
        "tif jpeg": pil("TIFF", compression="jpeg"),
        "tif 16 bit": tiff(wide, photometric="rgb"),
        "tif 16 bit deflate": tiff(wide, photometric="rgb", compression="deflate", rowsperstrip=8),
        "tif 16 bit tiles": tiff(wide, photometric="rgb", tile=(32, 32), compression="deflate"),
        "tif ome": tiff(wide[..., 0], ome=True, metadata=ome),
        "tif imagej": tiff(wide[..., 0], imagej=True, resolution=(4, 4), metadata={"unit": "um"}),
        "tif big": tiff(rgb, photometric="rgb", bigtiff=True, compression="deflate"),
    }


def _put_content(folder: Path, _: Scene, *, name: str, content: bytes) -> None:
    put(folder / name, content)


def _read_picture(folder: Path, *, name: str) -> None:
    read_image(folder / name)


# What irnet writes itself


def _own_writers() -> dict[str, tuple[str, Callable[[Path, Entry], object]]]:
    return {
        "cvat": ("a.xml", lambda path, entry: cvat.write(path, [entry])),
        "imagej": ("a.zip", imagej.write),
        "labelme": ("a.json", partial(labelme.write, style="masks")),
        "labels": ("a_*.tif", lambda path, entry: labels.write(path.with_name("a"), entry.content.cells)),
        "qupath": ("a.geojson", qupath.write),
    }


def cells_of(scene: Scene, *, holes: bool = False) -> Cells:
    """The instances; `holes`: each with one, so that they are no plain polygons."""
    masks = scene.masks
    for thing, mask in zip(scene.things, masks, strict=True):
        if holes:
            mask[thing.columns[1][0] + 1, thing.x + thing.step] = False
    parents = [thing.parent for thing in scene.things]
    scores = [0.5 + i / 100 for i in range(len(masks))]
    labels_ = [thing.label for thing in scene.things]
    return Cells.from_dense(np.stack(masks), labels_, parents=parents, scores=scores, mpp=0.25)


def _write_own(folder: Path, scene: Scene, *, name: str, write: Callable[[Path, Entry], object]) -> None:
    put(folder / "a.png", scene.picture())
    truth = Content(cells=cells_of(scene, holes=True), kinds=("",) * len(scene.things))
    write(folder / name, Entry(name="a.png", path=folder / "a.png", content=truth, patient="p1"))


# Data sets, runs, reviews


def _check(folder: Path) -> None:
    findings = check([folder])
    if any("annotations.json" not in finding.line() for finding in findings):
        raise AssertionError(f"a finding does not name the file: {findings}")


def _three_patients(folder: Path, scene: Scene) -> None:
    texts.coco(texts.as_polygon)(folder, scene)
    data = json.loads((folder / "annotations.json").read_text())
    rows = [data["images"][0] | {"id": n, "file_name": f"{n}.png", "patient": f"p{n}"} for n in (1, 2, 3)]
    put(folder / "annotations.json", json.dumps(data | {"images": rows}))


def _split(folder: Path) -> None:
    parts = ("train", "val", "test")
    try:
        split(folder)
        for part in parts:
            json.loads((folder / f"{part}.json").read_text())
    finally:
        for part in parts:
            (folder / f"{part}.json").unlink(missing_ok=True)


def _make_run(folder: Path, scene: Scene) -> None:
    """As `irnet predict` leaves it, but for hashes."""
    texts.coco(texts.as_polygon)(folder, scene)
    data = json.loads((folder / "annotations.json").read_text())
    data["annotations"] = [row | {"score": 0.9} for row in data["annotations"]]
    (folder / "annotations.json").unlink()
    put(folder / "predictions.json", json.dumps(data))
    image = {
        "name": scene.name,
        "path": str(folder / "images" / scene.name),
        "sha256": "0" * 64,
        "notes": ["x"],
    }
    run = {"method": "irnet", "images": [image], "files": ["predictions.json", "cells.csv"], "page": None}
    put(folder / "run.json", json.dumps(run | {"scores": {"cytoplasm": 0.5, "nucleus": 0.5}, "seconds": 1.5}))
    put(folder / "errors.json", json.dumps([{"file": "b.png", "error": "damaged"}]))


def _make_review(folder: Path, scene: Scene) -> None:
    _make_run(folder, scene)
    review = Review(folder)
    cell = next(row for row in review.document.annotations if "cell_id" not in row)
    nuclei = [{"id": thing + 1} for thing, each in enumerate(scene.things) if each.parent != ALONE]
    edits: list[dict[str, Any]] = [
        {"op": "accept", "rows": [[cell["id"], cell | {"accepted": True}]], "finished": False},
        {"op": "finish", "rows": [], "finished": True},
        {"op": "undo"},
        *({"op": "delete", "rows": [[row["id"], None]], "finished": False} for row in nuclei[:1]),
        {"op": "undo"},
        {"op": "redo"},
    ]
    for edit in edits:
        review.journal.append({"time": "2026-01-01T00:00:00Z", "image": 1, **edit})
    Review(folder)


# Recipes and weights


def _make_recipe(folder: Path, _: Scene) -> None:
    from irnet.config import find_recipe

    put(folder / "recipe.toml", find_recipe("tiny").read_bytes())


def _make_override(folder: Path, _: Scene) -> None:
    put(folder / "override.txt", "data.augment.scale=[0.8, 1.25]")


def _override(folder: Path) -> None:
    text = (folder / "override.txt").read_bytes().decode("utf-8", "surrogateescape")
    change_settings(load_recipe("tiny"), [text])


def _make_weights(folder: Path, _: Scene) -> None:
    from irnet.inference.networks import build_network
    from irnet.inference.weights import save_weights

    narrow = ["fpn_width=8", "fc_width=8", "mask_width=8", "irm.enabled=false", "drm.enabled=false"]
    settings = load_recipe("tiny", [f"model.{text}" for text in narrow])
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(
        folder / "tiny.safetensors", build_network(settings, pretrained=False), settings=settings, trained={}
    )


def _load_weights(folder: Path) -> None:
    from irnet.inference.weights import load_weights

    with contextlib.redirect_stderr(io.StringIO()):
        load_weights(folder / "tiny.safetensors")
