"""A whole data set of generated smears, patient by patient, like the one of the paper (IRNet, section 3)."""

import os
from pathlib import Path

import numpy as np

from irnet.data.coco.coco import write_coco
from irnet.data.file_names import ANNOTATIONS
from irnet.data.files import refuse_losing, write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.progress import each
from irnet.synthetic.layout import LayoutName, draw_counts
from irnet.synthetic.smear import VERSION, Patient, generate
from irnet.synthetic.stain import Palette

PALETTE_SHARES: dict[Palette, float] = {"pap": 0.6, "pale": 0.2, "vivid": 0.2}
SEEDS = 2**31
PATIENTS = 82  # of the paper's set


def generate_set(  # noqa: PLR0913 - what a set is made of
    out_dir: str | os.PathLike,
    *,
    images: int = 413,
    patients: int | None = None,
    seed: int = 0,
    size: tuple[int, int] = (1000, 1000),
    mpp: float = 0.2529,
    layout: LayoutName = "cps",
    palette: Palette | None = None,
    opaque: bool = False,
) -> list[Entry]:
    """Write `images` fields of `patients` patients to out_dir/images and out_dir/annotations.json.

    Where `patients` is None there are 82 of them, or as many as images if these are fewer.
    Each patient has a stain, a camera and a mixture of cells of its own; of `palette`, or, when that is
    None, of one drawn for the patient. `size` is the (H, W) of a field in px, `mpp` its um per pixel. Where
    `opaque`, the same cells hide what lies under them. The same arguments give the same files, where
    processors have the same vector instructions. Raises
    InputError when there are fewer images than patients, and when `out_dir` holds a data set already.
    """
    target = Path(out_dir) / ANNOTATIONS
    if target.exists():
        raise InputError(f"{target} exists: name a new folder")
    patients = min(PATIENTS, images) if patients is None else patients
    _check_numbers(images, patients, seed)

    rng = np.random.default_rng((seed, 2))
    counts = draw_counts(rng, layout, size, mpp, images)
    palettes = _draw_palettes(rng, patients, palette)
    seeds = rng.integers(SEEDS, size=(2, images))

    entries = []
    for number, count in enumerate(each(counts, "drawing", total=images)):
        person = number * patients // images
        stain = palettes[person]
        picture, truth = generate(
            int(seeds[0, number]),
            size=size,
            mpp=mpp,
            layout=layout,
            palette=stain,
            patient=Patient.draw(int(seeds[1, person]), stain),
            count=int(count),
            opaque=opaque,
        )

        patient = f"patient{person + 1:03d}"
        name = f"{patient}_{number + 1:04d}.png"
        path = Path(out_dir) / "images" / name
        content = to_png(picture)
        refuse_losing(path, lambda content=content: content)
        write_atomic(path, content)
        entries.append(Entry(name=name, path=path, content=truth, patient=patient))

    info = {"description": "Generated smears", "generator": VERSION, "seed": seed, "layout": layout}
    info |= {"opaque": True} if opaque else {}  # files of transparent cells stay what they were
    write_coco(target, entries, info=info)
    return entries


def _check_numbers(images: int, patients: int, seed: int) -> None:
    if not 1 <= patients <= images:
        raise InputError(f"patients = {patients} of images = {images}: give each patient at least one image")
    if seed < 0:
        raise InputError(f"seed = {seed}: choose 0 or a positive number")


def _draw_palettes(rng: np.random.Generator, patients: int, palette: Palette | None) -> list[Palette]:
    """The palette of each patient."""
    palettes = list(PALETTE_SHARES) if palette is None else [palette]
    shares = list(PALETTE_SHARES.values()) if palette is None else [1.0]
    return [palettes[i] for i in rng.choice(len(palettes), patients, p=shares)]
