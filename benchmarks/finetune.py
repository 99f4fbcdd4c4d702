"""What fine-tuning the bundled weights gains on a stain that they never saw, with 5, 20 and 80 images.

    python benchmarks/finetune.py -o runs/finetune

The foreign stain: generated smears turned into bright cells on a dark ground, as under fluorescence. CPU
minutes are those of the training process; with `--set train.workers=0` it does everything.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS
from irnet.config import load_recipe
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.inference.predict import Predictor
from irnet.metrics import score_image, summarise
from irnet.synthetic import generate
from irnet.training.run import Start
from irnet.training.train import train

SIZE, MPP = (640, 640), 0.37
SCORED = ("aji", "f1", "overlap_recall")


def foreign(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture in a stain that no palette of the generator makes."""
    absorbed = 1 - picture[..., [1, 2, 0]] / 255.0
    return (np.array([60, 230, 120]) * absorbed**0.8 + 12).astype(np.uint8)


def make_set(folder: Path, *, images: int, seed: int) -> list[Entry]:
    """`images` fields of the foreign stain, each of a patient of its own."""
    entries = []
    for number in range(images):
        picture, truth = generate(seed + number, size=SIZE, mpp=MPP, layout="cps", palette="pap")
        name = f"field{number:03d}.png"
        path = folder / "images" / name
        write_atomic(path, to_png(foreign(picture)))
        entries.append(Entry(name=name, path=path, content=truth, patient=name))
    write_coco(folder / "annotations.json", entries)
    return entries


def score(predictor: Predictor, entries: list[Entry]) -> dict[str, float]:
    """Pooled scores of both classes at the operating thresholds stored with the weights."""
    scores = []
    for entry in entries:
        sample = entry.read()
        scores.append(score_image(sample.content, predictor(sample.image, MPP)))
    classes = summarise(scores).classes
    return {
        f"{LABEL_NAMES[label]} {name}": classes[LABEL_NAMES[label]].scores[name].pooled.value
        for label in (CYTOPLASM, NUCLEUS)
        for name in SCORED
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[5, 20, 80], help="annotated images")
    parser.add_argument("--test", type=int, default=20, help="images that are scored")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="recipe settings")
    options = parser.parse_args()

    test = make_set(options.out / "test", images=options.test, seed=900_000)
    rows = {"bundled": score(Predictor.load(), test)}
    print(rows["bundled"], flush=True)
    for images in options.images:
        data, run = options.out / f"train{images}", options.out / f"run{images}"
        make_set(data, images=images, seed=800_000)
        begun = time.process_time()
        train(load_recipe("finetune", options.overrides), data, run, Start("bundled"))
        minutes = (time.process_time() - begun) / 60
        rows[f"{images} images, {minutes:.0f} CPU min"] = score(Predictor.load(run), test)
        print(list(rows)[-1], rows[list(rows)[-1]], flush=True)
    print("| weights | " + " | ".join(rows["bundled"]) + " |")
    print("|---|" + "---|" * len(rows["bundled"]))
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |")


if __name__ == "__main__":
    main()
