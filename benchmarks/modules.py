"""What the two relation modules are worth in trained weights: each switched off at test.

    python benchmarks/modules.py composites colour --model bundled

Without the IRM the first masks are the answer, without the DRM the class score ranks the boxes and only
suppression removes duplicates. Thresholds are chosen anew each time, for the highest mean F1 of the sets:
give validation sets.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.coco.coco import read_coco
from irnet.inference.methods import find_all
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.metrics import best_score, f1_curve, score_image, summarise
from irnet.models.irnet import IRNet
from irnet.training.scores import headline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="annotated sets")
    parser.add_argument("--model", default="bundled")
    arguments = parser.parse_args()
    predictor = Predictor.load(arguments.model)
    assert isinstance(predictor.model, IRNet)
    heads = predictor.model.roi_heads
    sets = {path: read_coco(path) for path in arguments.data}
    for name, switch in {
        "both": nullcontext(),
        "without IRM": off(heads.mask, "irm", None),
        "without DRM": off(heads.box, "drm", None),
    }.items():
        with switch:
            found = {
                path: find_all(predictor, (e.read() for e in entries), scale=OWN)
                for path, entries in sets.items()
            }
        report(name, sets, found)


@contextmanager
def off(branch: object, attribute: str, value: object) -> Iterator[None]:
    """Set an attribute of a branch for a while."""
    before = getattr(branch, attribute)
    setattr(branch, attribute, value)
    try:
        yield
    finally:
        setattr(branch, attribute, before)


def report(name: str, sets: dict, found: dict[Path, list[Cells]]) -> None:
    """Print the scores of each set at the thresholds that suit all of them."""
    truths = {path: [entry.content for entry in entries] for path, entries in sets.items()}
    cuts = {}
    for label in LABEL_NAMES:
        curves = [
            f1_curve(truths[path], found[path], label) for path in sets if annotated(truths[path], label)
        ]
        if (cut := best_score(curves)) is not None:
            cuts[label] = cut
    print(name, {LABEL_NAMES[label]: round(cut, 3) for label, cut in cuts.items()})
    for path in sets:
        images = [score_image(t, f, cuts) for t, f in zip(truths[path], found[path], strict=True)]
        figures = headline(summarise(images, samples=0))
        print(f"  {path.name:16s}", "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)


def annotated(truths: list, label: int) -> bool:
    """Whether a class has any instance in a set that annotates it."""
    return any(label in truth.annotated and len(truth.cells.of(label)) for truth in truths)


if __name__ == "__main__":
    main()
