"""How well nuclei tell the scale of an image, and what that is worth, on generated fields.

    python benchmarks/scale.py nuclei             # predict.nucleus_px: the median of validation fields
    python benchmarks/scale.py test --fields 5

Fields are drawn at five magnifications and their um per pixel withheld.
"""

import argparse

import numpy as np

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.config import load_recipe
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN, median_nucleus
from irnet.metrics import score_image, summarise
from irnet.synthetic import generate
from irnet.training.generated import GeneratedFields

MAGNIFICATIONS = (0.19, 0.25, 0.37, 0.5, 0.74)  # um per pixel
SIDE_UM, SEED = 220, 61_000
PALETTES, LAYOUTS = ("pap", "grey", "vivid", "pale", "grey"), ("cps", "dense", "cps", "dense", "sparse")
HOW = ("known", "kept", "estimated")


def print_nuclei(fields: int) -> None:
    """Median diameter of the nuclei of validation fields of the release recipe, all together and by field."""
    settings = load_recipe("release")
    source = GeneratedFields(settings.data.generated, settings.train.seed)
    truths = [truth for _, truth in (source.draw(source.settings.images + k) for k in range(fields))]
    mpp = settings.data.mpp
    single = [median for truth in truths if (median := median_nucleus([truth], mpp))]
    spread = ", ".join(f"{value:.1f}" for value in np.percentile(single, [0, 10, 50, 90, 100]))
    print(
        f"{median_nucleus(truths, mpp):.1f} px at {mpp} um per pixel; fields {spread} (0, 10, 50, 90, 100 %)"
    )


def print_test(fields: int) -> None:
    """Zooms chosen and F1 with the scale known, kept and estimated."""
    predictor = Predictor.load(device="cpu")
    print(f"| um per px | right zoom | chosen | {' | '.join(f'F1 {how}' for how in HOW)} |")
    for mpp in MAGNIFICATIONS:
        found: dict[str, list[tuple[Content, Cells]]] = {how: [] for how in HOW}
        zooms = []
        for k in range(fields):
            kind = k % len(LAYOUTS)
            side = round(SIDE_UM / mpp)
            image, truth = generate(
                SEED + k, size=(side, side), mpp=mpp, layout=LAYOUTS[kind], palette=PALETTES[kind]
            )
            estimated = predictor.find(image)
            zooms.append(f"{estimated.zoom:.2f}" if estimated.zoom_estimated else "-")
            for how, finding in zip(
                HOW,
                (predictor.find(image, mpp), predictor.find(image, scale=OWN), estimated),
                strict=True,
            ):
                found[how].append((truth, predictor.choose(finding.cells)))
        scores = " | ".join(f1(pairs) for pairs in found.values())
        print(
            f"| {mpp} | {mpp / predictor.settings.data.mpp:.2f} | {', '.join(zooms)} | {scores} |", flush=True
        )


def f1(pairs: list[tuple[Content, Cells]]) -> str:
    """Pooled F1 of cytoplasms and nuclei."""
    summary = summarise([score_image(truth, cells) for truth, cells in pairs], samples=0)
    values = [summary.classes[name].scores["f1"].pooled.value for name in LABEL_NAMES.values()]
    return ", ".join(f"{value:.3f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", choices=["nuclei", "test"])
    parser.add_argument("--fields", type=int, default=5)
    options = parser.parse_args()
    {"nuclei": print_nuclei, "test": print_test}[options.work](options.fields)


if __name__ == "__main__":
    main()
