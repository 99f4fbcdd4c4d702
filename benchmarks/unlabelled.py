"""What learning from 0, 20 and 100 images without outlines gains on a stain that the weights never saw.

    python benchmarks/unlabelled.py -o runs/unlabelled

The foreign stain: generated smears as fluorescence shows them, whose dyes glow on dark ground where those of
other smears absorb light. Every run starts from the bundled weights, by the recipe `finetune` on generated
smears of its usual stains; with fields a half of each batch are crops of them, without outlines or centres.
Scores are pooled over test fields of that stain at the thresholds stored with the weights. In brackets what a
row has more than the runs without fields: the mean over seeds, its 95 % interval over test fields, and in how
many seeds the difference has that sign. Stopped, the same command goes on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS
from irnet.config import load_recipe
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.inference.predict import Predictor
from irnet.metrics import score_image
from irnet.metrics.statistics import SeededEstimate, difference, pooled, sample_weights
from irnet.synthetic import generate
from irnet.training.run import Start
from irnet.training.train import train

SIDE, MPP = 448, 0.37
TEST_SEED, FIELD_SEED = 900_000, 800_000
DYES = np.array([[0.1, 0.2, 0.7], [0.9, 0.3, 0.2], [0.1, 0.6, 0.2]])  # light in R, G, B of density in R, G, B
DARK, BRIGHT = 12, 247  # grey levels of no light and of a saturated camera
BRIGHTEST = 1.6  # light that saturates it
SCORED = ("aji", "f1", "overlap_recall")
SMALL = [  # of the recipe: no labelled data set, crops and fields that a CPU draws
    "data.source='generated'",
    "data.crop=320",
    "data.generated.size=512",
    "data.generated.mpp=0.37",
    "predict.bare_ground=0",  # it knows bright ground alone
    "train.batch=4",
    "train.validate_images=8",
    "train.checkpoint_every=20",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument(
        "--fields", type=int, nargs="+", default=[20, 100], help="without outlines; 0 is always run"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--test", type=int, default=24, help="fields that are scored")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="recipe settings")
    options = parser.parse_args()

    test = options.out / "test"
    make_set(test, fields=options.test, seed=TEST_SEED)
    make_set(options.out / "fields", fields=max(options.fields), seed=FIELD_SEED)
    rows = {number: [] for number in [0, *options.fields]}
    for seed in range(options.seeds):
        for number, runs in rows.items():
            runs.append(run(options, number, seed))
            print(f"{number} fields, seed {seed}: done", flush=True)
    bundled = [score(options.out / "bundled.json", None, test)]
    print(table({"bundled": bundled} | {f"{number} fields": runs for number, runs in rows.items()}))


def foreign(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) as fluorescence would show it."""
    light = -np.log((picture + 1.0) / 256) @ DYES / BRIGHTEST
    return (DARK + (BRIGHT - DARK) * np.clip(light, 0, 1)).astype(np.uint8)


def make_set(folder: Path, *, fields: int, seed: int) -> None:
    """Fields of the foreign stain with their truth; those of an earlier call stay."""
    if (folder / "annotations.json").exists():
        return
    entries = []
    for number in range(fields):
        picture, truth = generate(seed + number, size=(SIDE, SIDE), mpp=MPP, layout="dense", palette="pap")
        path = folder / "images" / f"field{number:03d}.png"
        write_atomic(path, to_png(foreign(picture)))
        entries.append(Entry(name=path.name, path=path, content=truth))
    write_coco(folder / "annotations.json", entries)


def run(options: argparse.Namespace, fields: int, seed: int) -> list[dict]:
    """Train with so many fields, or go on with it, and score."""
    folder = options.out / f"run-{fields}-{seed}"
    settings = load_recipe(
        "finetune",
        [*SMALL, f"train.validate_every={options.steps}", f"train.seed={seed}", *options.overrides],
    )
    train(
        settings,
        None,
        folder,
        Start("bundled", resume=True),
        unlabelled=part(options.out, fields) if fields else None,
        steps=options.steps,
        device=options.device,
    )
    return score(folder / "scores.json", folder, options.out / "test")


def part(out: Path, fields: int) -> Path:
    """The first so many fields, as a data set whose outlines are not given away."""
    file = out / "fields" / f"first{fields}.json"
    if not file.exists():
        entries = read_coco(out / "fields")[:fields]
        write_coco(file, [hide(entry) for entry in entries])
    return file


def hide(entry: Entry) -> Entry:
    """The entry without what is known of it but for its scale."""
    cells = entry.content.cells.select([])
    truth = type(entry.content)(cells=cells, annotated=frozenset())
    return Entry(name=entry.name, path=entry.path, content=truth)


def score(file: Path, weights: Path | None, test: Path) -> list[dict]:
    """Numerator and denominator of each score of each test field, kept in `file`."""
    if not file.exists():
        predictor, images = Predictor.load(weights), []
        for entry in read_coco(test):
            sample = entry.read()
            classes = score_image(sample.content, predictor(sample.image, MPP)).classes
            images.append(
                {
                    f"{LABEL_NAMES[label]} {name}": [*map(float, classes[label].ratios[name])]
                    for label in (CYTOPLASM, NUCLEUS)
                    for name in SCORED
                }
            )
        write_atomic(file, json.dumps(images).encode())
    return json.loads(file.read_text())


def table(rows: dict[str, list[list[dict]]]) -> str:
    """Scores of each row, over its seeds, and what they have more than without fields."""
    names = list(rows["0 fields"][0][0])
    weights = sample_weights(len(rows["0 fields"][0]), None, seed=0)
    lines = [["score", *rows], ["---"] * (1 + len(rows))]
    for name in names:
        estimates = {
            title: pooled(np.array([[image[name] for image in images] for images in seeds]), weights)
            for title, seeds in rows.items()
        }
        control = estimates["0 fields"]
        cells = [f"{estimate.value:.3f}{gain(estimate, control)}" for estimate in estimates.values()]
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def gain(row: SeededEstimate, control: SeededEstimate) -> str:
    """What a row has more than the control."""
    if row is control or len(row.seeds) < len(control.seeds):  # the bundled weights are of one seed
        return ""
    more = difference(row, control)
    return f" ({more.value:+.3f} [{more.low:+.3f}, {more.high:+.3f}], {more.agreeing} of {len(more.seeds)})"


if __name__ == "__main__":
    main()
