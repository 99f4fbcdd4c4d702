"""What cytoplasms are worth at other powers of p(correct), mask thresholds and cuts, without training.

    python benchmarks/selection.py grey-val colour-val --fields 100 49 --cut 0.65
    python benchmarks/selection.py grey-val --fields 20 --cut 0.65 --views 4

Each field is looked at once (`inference.rehearsal`). For every power and mask threshold, at the cut of
highest merit (`metrics.merit`, mean of the sets) and at the cuts asked for: F1, AJI, overlap recall and
precision, pooled over the first fields of each set, and the difference from the present point at --cut in one
view, with the 95 % interval of a bootstrap over fields in pairs (seed 0).
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM
from irnet.data.coco.coco import read_coco
from irnet.inference.rehearsal import Option, Rehearsal
from irnet.inference.scale import OWN
from irnet.inference.weights import load_weights
from irnet.metrics.merit import PARTS, merit_ratios, merits
from irnet.metrics.statistics import interval, sample_weights

CUTS = np.arange(0.3, 0.96, 0.05).round(3).tolist()
PRESENT = "present"

Table = dict[Option | str, NDArray[np.float64]]  # (fields, cuts, 4, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="data sets of annotated fields")
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--fields", type=int, nargs="+", help="how many of each set, the first; else all")
    parser.add_argument("--cut", type=float, required=True, help="present cut of cytoplasms")
    parser.add_argument("--at", type=float, nargs="*", default=[], help="further cuts to tell of")
    parser.add_argument("--views", type=int, default=1)
    arguments = parser.parse_args()
    model, settings, _ = load_weights(arguments.weights)
    one = Rehearsal(model, settings=settings)
    seen = one if arguments.views == 1 else Rehearsal(model, settings=settings, views=arguments.views)
    counts = arguments.fields or [None] * len(arguments.sets)
    tables = [look(data, n, one, seen, arguments.cut) for data, n in zip(arguments.sets, counts, strict=True)]
    for option in seen.options:
        curve = np.mean([merits(table[option].sum(axis=0), CYTOPLASM) for table in tables], axis=0)
        asked = [int(np.abs(np.subtract(CUTS, cut)).argmin()) for cut in (arguments.cut, *arguments.at)]
        for place in dict.fromkeys([int(curve.argmax()), *asked]):
            print(f"{option}, cut {CUTS[place]:g}: merit {curve[place]:.4f}")
            for data, table in zip(arguments.sets, tables, strict=True):
                print(f"  {data.name}, {describe(table[option][:, place], table[PRESENT][:, 0])}")


def look(data: Path, count: int | None, one: Rehearsal, seen: Rehearsal, cut: float) -> Table:
    """Ratios of the fields of a set under every option, and at the present point."""
    rows: dict[Option | str, list[NDArray[np.float64]]] = {}
    for entry in read_coco(data)[:count]:
        truth, sample = entry.content.cells.of(CYTOPLASM), entry.read()
        found = seen.find(sample, OWN)
        for option, cells in found.items():
            rows.setdefault(option, []).append(merit_ratios(truth, cells.of(CYTOPLASM), CUTS))
        plain = found if one is seen else one.find(sample, OWN)
        present = plain[one.present("cytoplasm")].of(CYTOPLASM)
        rows.setdefault(PRESENT, []).append(merit_ratios(truth, present, [cut]))
    return {option: np.array(ratios) for option, ratios in rows.items()}


def describe(ratios: NDArray[np.float64], before: NDArray[np.float64]) -> str:
    """Pooled scores of fields (fields, 4, 2), and their difference from those before."""
    weights = sample_weights(len(ratios), None, seed=0)
    texts = [f"{len(ratios)} fields"]
    for place, name in enumerate(PARTS):
        new, old = ratios[:, place], before[:, place]
        drawn = share(weights @ new) - share(weights @ old)
        bounds = ", ".join("-" if bound is None else f"{bound:+.3f}" for bound in interval(drawn))
        value, change = share(new.sum(axis=0)), share(new.sum(axis=0)) - share(old.sum(axis=0))
        texts.append(f"{name} {value:.3f} ({change:+.3f} [{bounds}])")
    return ", ".join(texts)


def share(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numerators over denominators (..., 2); nan where there is nothing to score."""
    above, below = ratios[..., 0], ratios[..., 1]
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


if __name__ == "__main__":
    main()
