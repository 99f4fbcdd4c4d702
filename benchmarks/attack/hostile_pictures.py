"""A scene as pictures of masks, and as the public data sets have it; not by irnet's own writers."""

import io
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
import tifffile
from hostile_files import NAMES, groups, png, put, put_set
from hostile_scene import ALONE, CELL, NUCLEUS, Scene
from numpy.typing import NDArray
from scipy.io import savemat


def labels(folder: Path, scene: Scene) -> None:
    put(folder / scene.name, scene.picture())
    for label, name in ((CELL, "cells"), (NUCLEUS, "nuclei")):
        tifffile.imwrite(folder / f"field_{name}.tif", label_map(scene, label), compression="zlib")


def label_map(scene: Scene, label: int) -> NDArray[np.uint16]:
    """Cells and their nuclei have one number; nuclei without a cell have the next ones."""
    values, free = np.zeros(scene.shape, dtype=np.uint16), 1 + len(scene.things)
    for thing, mask, group in zip(scene.things, scene.masks, groups(scene), strict=True):
        if thing.label == label:
            values[mask] = free if group is None else group
            free += group is None
    return values


def found_labels(folder: Path, scene: Scene) -> None:
    """What a tool found, in a folder a class."""
    put_set(folder / "set", scene, [])
    for label, name in NAMES.items():
        numbered = scene.unlinked()
        put(folder / "found" / name / "field_cp_masks.png", png(label_map(numbered, label)))


def masks(folder: Path, scene: Scene) -> None:
    put(folder / "images" / scene.name, scene.picture())
    count = dict.fromkeys(range(len(scene.things)), 0)
    for i, (thing, mask) in enumerate(zip(scene.things, scene.masks, strict=True)):
        owner = i if thing.parent == ALONE else thing.parent
        count[owner] += thing.label == NUCLEUS
        number = f"{owner}-{count[owner]}" if count[owner] > 1 and thing.label == NUCLEUS else str(owner)
        name = f"{NAMES[thing.label]}_{number}.png"
        put(folder / "masks" / "field" / name, png(mask.astype(np.uint8) * 255))


# Public data sets


def isbi(folder: Path, scene: Scene) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    masks = scene.masks
    cells = [masks[i].astype(np.uint8) for i in scene.of(CELL)]
    nuclei = np.any([masks[i] for i in scene.of(NUCLEUS)], axis=0).astype(np.uint8)
    grey = np.array(PIL.Image.open(io.BytesIO(scene.picture())).convert("L"))
    truth = {"train_Cytoplasm": _array([_array(cells)]), "train_Nuclei": _array([nuclei])}
    savemat(folder / "train_GT.mat", truth, do_compression=True)
    savemat(folder / "train.mat", {"train": _array([grey])}, do_compression=True)


def _array(items: list[NDArray]) -> NDArray[np.object_]:
    array = np.empty((len(items), 1), dtype=object)
    array[:, 0] = items
    return array


def cx22(folder: Path, scene: Scene) -> None:
    masks = [mask.astype(np.uint8) for mask in scene.masks]
    pixels = np.array(PIL.Image.open(io.BytesIO(scene.picture())).convert("RGB"))
    contents = {
        "generator/ImageDataSet.mat": [pixels],
        "cyto/cyto_ins.mat": [[masks[i] for i in scene.of(CELL)]],
        "nuc/nuc_ins.mat": [[masks[i] for i in scene.of(NUCLEUS)]],
    }
    for name, items in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / name, "w", userblock_size=512) as file:
            _references(file, items, Path(name).stem)


def _references(file: h5py.File, items: list, name: str | None = None) -> h5py.Dataset:
    references = np.empty((1, len(items)), dtype=h5py.ref_dtype)
    inner = file.require_group("#refs#")
    for number, item in enumerate(items):
        nested = isinstance(item, list)
        stored = _references(file, item) if nested else inner.create_dataset(f"{len(inner)}", data=item.T)
        references[0, number] = stored.ref
    return file.create_dataset(name or f"#refs#/{len(inner)}", data=references)


def herlev(folder: Path, scene: Scene) -> None:
    painted = np.full((*scene.shape, 3), (255, 0, 0), dtype=np.uint8)
    for label, colour in ((CELL, (0, 0, 128)), (NUCLEUS, (0, 0, 255))):
        for i in scene.of(label):
            painted[scene.masks[i]] = colour
    picture = PIL.Image.open(io.BytesIO(scene.picture())).convert("RGB")
    for name, image in (("1-1.BMP", picture), ("1-1-d.bmp", PIL.Image.fromarray(painted))):
        image.save(buffer := io.BytesIO(), "BMP")
        put(folder / "light_dysplastic" / name, buffer.getvalue())


def sipakmed(folder: Path, scene: Scene) -> None:
    PIL.Image.open(io.BytesIO(scene.picture())).convert("RGB").save(buffer := io.BytesIO(), "BMP")
    put(folder / "im_Koilocytotic" / "001.bmp", buffer.getvalue())
    for group, thing in zip(groups(scene), scene.things, strict=True):
        part = "cyt" if thing.label == CELL else "nuc"
        outline = "".join(f"{x:.2f},{y:.2f}\n" for x, y in thing.ring)
        put(folder / "im_Koilocytotic" / f"001_{part}{group:02}.dat", outline)


def edf(folder: Path, scene: Scene) -> None:
    """A real field, of which only the nuclei are annotated."""
    nuclei = np.any([scene.masks[i] for i in scene.of(NUCLEUS)], axis=0)
    put(folder / "1.png", scene.picture())
    put(folder / "1_GT.png", png(nuclei.astype(np.uint8) * 255))
