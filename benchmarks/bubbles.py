"""Of air bubbles that are drawn on generated smears, how many are found; and what else is taken for one.

    PYTHONPATH=src:tests/slides OMP_NUM_THREADS=1 python benchmarks/bubbles.py [--seed 0] [--draw FOLDER]

Eight smears of 2 mm a side, five stains. On each six pictures with one bubble or two that merge, and six
without any. With --draw the pictures are written, what was found in green.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
from made_bubbles import Pixels, darken, draw_bubble, draw_stroke
from scipy.ndimage import gaussian_filter

import irnet
from irnet.slides.bubbles import find_bubbles
from irnet.slides.readers.picture import PictureSlide
from irnet.slides.tissue import find_tissue

SIDE, MPP = 1000, 2.0
SMEARS = (
    *(("pap", "dense"), ("pap", "sparse"), ("pale", "crowded"), ("vivid", "heaped")),
    *(("strong", "dense"), ("strong", "crowded"), ("grey", "sparse"), ("vivid", "dense")),
)
BUBBLES = {  # um: x, y and radius of discs; thickness and optical density of the rim
    "100 um": ([(1000, 1200, 50)], 14, 0.4),
    "300 um": ([(1000, 1200, 150)], 20, 0.35),
    "1400 um": ([(1000, 1000, 700)], 30, 0.3),
    "two merged": ([(800, 1000, 250), (1150, 1100, 180)], 25, 0.4),
    "at the border": ([(1950, 1000, 300)], 20, 0.4),
    "faint": ([(1000, 1000, 250)], 10, 0.12),
}


def without(image: Pixels, other: Pixels, seed: int) -> Iterator[tuple[str, Pixels]]:
    """Pictures that have no bubble."""
    yield "smear", image
    yield "two smears", darken(image, -np.log10(np.maximum(other[::-1], 1) / glass_of(other)))
    ring = (1000, 1000, 500)
    yield "pen", draw_stroke(image, MPP, ring, width_um=150, density=(0.9, 0.3, 0.2), seed=seed)
    yield "black pen", draw_stroke(image, MPP, ring, width_um=200, density=(0.8, 0.8, 0.8), seed=seed)
    yield "blurred", np.asarray(gaussian_filter(image, (4, 4, 0)))
    line = np.linspace(-1, 1, SIDE)
    yield "dark corners", darken(image, 0.5 * np.clip(np.hypot(line[:, None], line) - 0.8, 0, None))


def glass_of(image: Pixels) -> np.ndarray:
    return np.percentile(image.reshape(-1, 3), 90, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first smear")
    parser.add_argument("--draw", type=Path, help="a folder for the pictures")
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, seed {options.seed}")

    smears = [
        irnet.generate(options.seed + n, size=(SIDE, SIDE), mpp=MPP, palette=palette, layout=layout)[0]
        for n, (palette, layout) in enumerate(SMEARS)
    ]
    found, others, false, spent = dict.fromkeys(BUBBLES, 0), 0, dict[str, int](), 0.0
    for number, image in enumerate(smears):
        cases = [
            (
                name,
                draw_bubble(
                    image, MPP, discs, rim_um=rim, density=density, cells=bool((number + n) % 2), seed=number
                ),
            )
            for n, (name, (discs, rim, density)) in enumerate(BUBBLES.items())
        ]
        for name, picture in [*cases, *without(image, smears[number - 1], number)]:
            tissue, begun = find_tissue(PictureSlide(picture, MPP), 0, MPP), time.process_time()
            boxes = [one.box for one in find_bubbles(tissue, MPP)]
            spent += time.process_time() - begun
            if name in BUBBLES:
                hits = [overlap(box, BUBBLES[name][0]) > 0.5 for box in boxes]
                found[name] += any(hits)
                others += len(hits) - sum(hits)
            else:
                false[name] = false.get(name, 0) + len(boxes)
            if options.draw:
                draw(options.draw / f"{name} {number}.png", picture, boxes)

    for name, count in found.items():
        print(f"{name}: found {count} of {len(smears)}")
    print(f"found {sum(found.values())} of {len(smears) * len(found)}, {others} others beside them")
    print("without bubbles: " + ", ".join(f"{name} {count}" for name, count in false.items()))
    print(f"{spent / (2 * len(BUBBLES) * len(smears)):.2f} CPU s a picture of {SIDE * MPP / 1000:g} mm")


def overlap(box: tuple[int, ...], discs: list[tuple[float, float, float]]) -> float:
    """Intersection over union of a box and that around discs."""
    ends = np.clip([[x - r, y - r, x + r, y + r] for x, y, r in discs], 0, SIDE * MPP) / MPP
    true, own = np.array([*ends[:, :2].min(axis=0), *ends[:, 2:].max(axis=0)]), np.array(box)
    shared = np.prod(np.clip(np.minimum(true, own)[2:] - np.maximum(true, own)[:2], 0, None))
    return float(shared / (np.prod(true[2:] - true[:2]) + np.prod(own[2:] - own[:2]) - shared))


def draw(path: Path, picture: Pixels, boxes: list[tuple[int, int, int, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = PIL.Image.fromarray(picture)
    for box in boxes:
        PIL.ImageDraw.Draw(sheet).rectangle(box, outline="lime", width=3)
    sheet.save(path)


if __name__ == "__main__":
    main()
