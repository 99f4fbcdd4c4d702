"""Can a classifier tell generated smears from real ones? 64-px crops, scored on fields that it never saw.

    python benchmarks/realism.py --real COCO_JSON_OR_IMAGES --generated 24 --palette grey --sheet told.png

Two judges: gradient boosting on texture statistics (scikit-learn, in the `dev` extra) and a small network
(torch, CPU). 50 % means that generated and real crops cannot be told apart. Balanced accuracy with a 95 %
interval from a bootstrap over fields; then the statistics that differ most, as Cohen's d. `--blur 1` takes
the noise of the camera away from both sides, to judge the cells alone.
"""

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, sobel
from skimage.feature import local_binary_pattern
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn

from irnet.cells import NUCLEUS, Cells
from irnet.data.coco.coco import read_coco
from irnet.data.image import read_image
from irnet.data.listing import list_images
from irnet.synthetic import Patient, generate

SIDE = 64  # px of a crop
SCALES = (0.5, 1, 2, 4, 8)  # px, limits of the octaves of texture
CONTRAST = 5  # grey levels: a smoothed crop with a smaller standard deviation shows no cell
TRIES = 40  # places tried for one crop
Field = tuple[NDArray[np.uint8], Cells | None]  # (H, W, 3) and what is annotated
Judge = Callable[[NDArray, NDArray, NDArray, int], NDArray]


@dataclass(frozen=True, eq=False)
class Crops:
    """Crops of one side, real or generated."""

    pixels: NDArray[np.uint8]  # (n, 64, 64, 3)
    fields: NDArray[np.int64]  # (n,) the field of each


def main() -> None:
    """Cut, judge, report."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    real = cut_all(_real_fields(options), options)
    generated = cut_all(_generated_fields(options), options)
    pixels = np.concatenate([real.pixels, generated.pixels])
    if options.blur:
        pixels = gaussian_filter(pixels, (0, options.blur, options.blur, 0))
    is_real = np.repeat([True, False], [len(real.fields), len(generated.fields)])
    folds = np.concatenate([real.fields, generated.fields]) % options.folds
    fields = np.concatenate([real.fields, generated.fields + real.fields.max() + 1])
    print(f"{is_real.sum()} real crops of {real.fields.max() + 1} fields, {(~is_real).sum()} generated ones")
    table = [measure(crop) for crop in pixels]
    features = np.array([list(row.values()) for row in table])
    inputs = pixels.mean(axis=3)[:, None] if options.palette == "grey" else pixels.transpose(0, 3, 1, 2)
    judges: dict[str, tuple[Judge, NDArray]] = {"boost": (boost, features), "network": (convolve, inputs)}
    surety = np.zeros(len(is_real))
    for name in options.judges:
        judge, values = judges[name]
        opinion = cross_examine(judge, values, is_real, folds, options.seed)
        print(f"{name:8}{describe(opinion > 0.5, is_real, fields, options.seed)}")
        surety += opinion / len(options.judges)
    print_differences(list(table[0]), features, is_real)
    if options.sheet:
        draw_sheet(pixels, surety, is_real).save(options.sheet)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--real", required=True, type=Path, help="COCO json, or a folder of images")
    parser.add_argument("--generated", type=int, default=24, help="number of generated fields")
    parser.add_argument("--palette", default="grey")
    parser.add_argument("--layout", default="cps")
    parser.add_argument("--mpp", type=float, default=0.37, help="um per pixel of the real images")
    parser.add_argument("--size", type=int, default=1024, help="side of a generated field (px)")
    parser.add_argument("--on", choices=["cells", "nuclei", "background"], default="cells")
    parser.add_argument("--crops", type=int, default=1600, help="crops of each side")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--in-focus", action="store_true", help="only cameras without defocus and JPEG")
    parser.add_argument("--blur", type=float, default=0.0, help="smooth both sides (px)")
    parser.add_argument("--judges", nargs="+", choices=["boost", "network"], default=["boost", "network"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="picture of the crops that gave themselves away")
    return parser


def _real_fields(options: argparse.Namespace) -> list[Field]:
    if options.real.suffix == ".json" or (options.real / "annotations.json").is_file():
        return [(entry.read().image, entry.content.cells) for entry in read_coco(options.real)]
    return [(read_image(path).pixels, None) for path in list_images([options.real])]


def _generated_fields(options: argparse.Namespace) -> list[Field]:
    fields: list[Field] = []
    for seed in itertools.count(1000 * options.seed):
        patient = Patient.draw(seed, options.palette)
        if options.in_focus and (patient.camera.depth > 0 or patient.camera.quality):
            continue
        size = (options.size, options.size)
        image, truth = generate(seed, size=size, mpp=options.mpp, layout=options.layout, patient=patient)
        fields.append((image, truth.cells))
        if len(fields) == options.generated:
            break
    return fields


def cut_all(fields: list[Field], options: argparse.Namespace) -> Crops:
    """Crops from every field that is large enough, about as many of each."""
    rng = np.random.default_rng(options.seed)
    each = -(-options.crops // len(fields))
    crops, places = [], []
    for index, (image, cells) in enumerate(fields):
        found = [crop for _ in range(each) if (crop := cut(rng, image, cells, options.on)) is not None]
        crops += found
        places += [index] * len(found)
    if not crops:
        raise SystemExit(f"no {options.on} found: are the images at least {SIDE} px, nuclei annotated?")
    return Crops(np.stack(crops), np.array(places))


def cut(rng: np.random.Generator, image: NDArray[np.uint8], cells: Cells | None, on: str) -> NDArray | None:
    """A crop (64, 64, 3) that shows cells, a nucleus or nothing; None where there is none."""
    room = np.array(image.shape[:2]) - SIDE
    if (room < 0).any() or (on == "nuclei" and (cells is None or not len(cells.of(NUCLEUS)))):
        return None
    for _ in range(TRIES):
        corner = rng.integers(0, room + 1)
        if on == "nuclei" and cells is not None:
            corner = np.clip(_beside_nucleus(rng, cells.of(NUCLEUS)), 0, room)
        y, x = corner
        crop = image[y : y + SIDE, x : x + SIDE]
        if on == "nuclei" or (gaussian_filter(crop.mean(axis=2), 2).std() > CONTRAST) == (on == "cells"):
            return crop
    return None


def _beside_nucleus(rng: np.random.Generator, nuclei: Cells) -> NDArray[np.int64]:
    """Corner (y, x) of a crop whose middle lies within 12 px of a nucleus's."""
    x1, y1, x2, y2 = nuclei.boxes[rng.integers(len(nuclei))]
    middle = np.array([y1 + y2, x1 + x2]) / 2
    return (middle + rng.uniform(-12, 12, 2) - SIDE / 2).astype(np.int64)


def measure(crop: NDArray[np.uint8]) -> dict[str, float]:
    """Statistics of a crop: levels, texture by octave, edges, patterns of neighbours, colour."""
    grey = crop.mean(axis=2, dtype=np.float64)
    row = {f"level p{p}": float(np.percentile(grey, p)) for p in (1, 5, 25, 50, 75, 95, 99)}
    finer = grey
    for scale in SCALES:
        coarser = gaussian_filter(grey, scale)
        band = (finer - coarser)[4:-4, 4:-4]
        finer = coarser
        row[f"band {scale} px sd"] = float(band.std())
        row[f"band {scale} px robust sd"] = _robust_sd(band)
        row[f"band {scale} px skew"] = float(np.mean(band**3) / (band.std() ** 3 + 1e-6))
        row[f"band {scale} px kurtosis"] = float(np.mean(band**4) / (band.var() ** 2 + 1e-6))
    residue = grey - gaussian_filter(grey, 1)
    for lag in (1, 2, 3):
        pair = residue[:, :-lag] * residue[:, lag:]
        row[f"correlation at {lag} px"] = float(pair.mean() / (residue.var() + 1e-6))
    row |= _edges_and_noise(grey, residue)
    patterns = local_binary_pattern(grey.astype(np.uint8), 8, 1, "uniform").astype(int)
    row |= {
        f"pattern {k}": float(n) / grey.size for k, n in enumerate(np.bincount(patterns.flat, minlength=10))
    }
    red, green, blue = (float(v) for v in crop.mean(axis=(0, 1)))
    return row | {"red - green": red - green, "blue - green": blue - green}


def _edges_and_noise(grey: NDArray[np.float64], residue: NDArray[np.float64]) -> dict[str, float]:
    smooth = gaussian_filter(grey, 1)
    slope = np.hypot(sobel(smooth, 0), sobel(smooth, 1)) / 8
    row = {f"slope p{p}": float(np.percentile(slope, p)) for p in (50, 75, 90, 95, 99)}
    level = gaussian_filter(grey, 2)
    for name, part in {"bright": level >= np.median(level), "dark": level < np.median(level)}.items():
        row[f"noise of the {name} half"] = _robust_sd(residue[part]) if part.any() else 0.0
    return row


def _robust_sd(values: NDArray[np.float64]) -> float:
    return float(1.4826 * np.median(np.abs(values)))


def cross_examine(
    judge: Judge, values: NDArray, is_real: NDArray[np.bool_], folds: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    """For each crop the probability (n,) of being real, from a judge who saw none of its fold's fields."""
    opinion = np.zeros(len(is_real))
    for fold in np.unique(folds):
        held_out = folds == fold
        opinion[held_out] = judge(values[~held_out], is_real[~held_out], values[held_out], seed)
    return opinion


def boost(seen: NDArray, is_real: NDArray, asked: NDArray, seed: int) -> NDArray:
    """Gradient boosting on the statistics."""
    trees = HistGradientBoostingClassifier(learning_rate=0.08, class_weight="balanced", random_state=seed)
    return trees.fit(seen, is_real).predict_proba(asked)[:, 1]


def convolve(seen: NDArray, is_real: NDArray, asked: NDArray, seed: int, epochs: int = 8) -> NDArray:
    """A small convolutional network on the pixels, trained with flips."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pixels, labels = _as_tensor(seen), torch.tensor(is_real, dtype=torch.float32)
    network = _network(pixels.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * (len(labels) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    weight = torch.where(labels > 0, 1 / labels.mean(), 1 / (1 - labels.mean())) / 2
    for _ in range(steps):
        batch = rng.choice(len(labels), 64, replace=False)
        crops = pixels[batch].flip([axis for axis in (2, 3) if rng.random() < 0.5])
        opinion = network(crops)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(opinion, labels[batch], weight[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(part)[:, 0].sigmoid() for part in _as_tensor(asked).split(256)]).numpy()


def _as_tensor(pixels: NDArray) -> torch.Tensor:
    return (torch.from_numpy(np.ascontiguousarray(pixels)).float() - 200) / 40


def _network(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width, stride in ((16, 1), (24, 2), (32, 2), (48, 2), (64, 2)):
        layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, 1)
    )


def describe(says_real: NDArray, is_real: NDArray, fields: NDArray, seed: int) -> str:
    """Balanced accuracy, in words, with an interval over fields."""
    right = says_real == is_real
    sides = [[right[fields == f] for f in np.unique(fields[is_real == side])] for side in (True, False)]
    rng = np.random.default_rng(seed)

    def accuracy(side: list[NDArray], drawn: NDArray) -> float:
        return float(np.concatenate([side[k] for k in drawn]).mean())

    whole = [accuracy(side, np.arange(len(side))) for side in sides]
    again = [np.mean([accuracy(s, rng.integers(len(s), size=len(s))) for s in sides]) for _ in range(1000)]
    low, high = np.percentile(again, [2.5, 97.5])
    return (
        f"accuracy {np.mean(whole):.3f} [{low:.3f}, {high:.3f}]; "
        f"real called real {whole[0]:.3f}, generated called generated {whole[1]:.3f}"
    )


def print_differences(names: list[str], features: NDArray, is_real: NDArray, shown: int = 16) -> None:
    """The statistics with the largest Cohen's d."""
    real, generated = features[is_real], features[~is_real]
    spread = np.sqrt((real.var(axis=0) + generated.var(axis=0)) / 2) + 1e-9
    effects = (generated.mean(axis=0) - real.mean(axis=0)) / spread
    print(f"{'statistic':26}{'real':>10}{'generated':>12}{'d':>8}")
    for k in np.argsort(-np.abs(effects))[:shown]:
        print(f"{names[k]:26}{real[:, k].mean():10.3f}{generated[:, k].mean():12.3f}{effects[k]:8.2f}")


def draw_sheet(
    pixels: NDArray, surety: NDArray, is_real: NDArray, columns: int = 12, rows: int = 4
) -> Image.Image:
    """Real crops most surely called real, above generated ones most surely called generated; doubled."""
    told = ((is_real, surety), (~is_real, -surety))
    order = [np.flatnonzero(side)[np.argsort(-sure[side])] for side, sure in told]
    step = 2 * SIDE + 4
    sheet = Image.new("RGB", (columns * step, 2 * rows * step + 12), "white")
    for half, indices in enumerate(order):
        for k, index in enumerate(indices[:: max(1, len(indices) // (4 * rows * columns))][: rows * columns]):
            tile = Image.fromarray(pixels[index]).resize((2 * SIDE, 2 * SIDE))
            sheet.paste(tile, ((k % columns) * step, (half * rows + k // columns) * step + 12 * half))
    return sheet


if __name__ == "__main__":
    main()
