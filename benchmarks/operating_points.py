"""What `irnet calibrate` weighs: the merit of cytoplasms of each power and mask threshold at its best cut.

    python benchmarks/operating_points.py SET ... --model bundled --fields 50

The merit is the mean over the sets of that of `metrics.merit`; what the border cuts counts.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM
from irnet.data.coco.coco import read_coco
from irnet.inference.devices import choose_device
from irnet.inference.rehearsal import Option, Rehearsal
from irnet.inference.scale import OWN
from irnet.inference.weights import load_weights
from irnet.metrics.merit import PARTS, merit_ratios, merits
from irnet.verbs.calibrate import STEP

Tables = dict[Option, NDArray[np.float64]]  # (k, 4, 2) of each option


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="sets of composites.py")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--fields", type=int, help="of each set the first, by name")
    options = parser.parse_args()
    model, settings, _ = load_weights(options.model)
    rehearsal = Rehearsal(model, settings=settings, views=1, device=choose_device("auto"))
    cuts = np.arange(settings.predict.floor, 1, STEP).round(3).tolist()
    sets = {path.name: try_all(rehearsal, path, options.fields, cuts) for path in options.data}
    for option in rehearsal.options:
        tables = [tried[option] for tried in sets.values()]
        merit = np.mean([merits(table, CYTOPLASM) for table in tables], axis=0)  # (k,)
        best = int(merit.argmax())
        point = f"power {option.drm_power:g}, mask {option.mask_threshold:g}, cut {cuts[best]:g}"
        print(f"{point}: merit {merit[best]:.3f}")
        for name, table in zip(sets, tables, strict=True):
            values = table[best, :, 0] / table[best, :, 1]
            print("  " + name, *(f"{part} {value:.3f}" for part, value in zip(PARTS, values, strict=True)))


def try_all(rehearsal: Rehearsal, path: Path, fields: int | None, cuts: list[float]) -> Tables:
    """The pooled ratios of cytoplasms of one set, under each option."""
    tables: Tables = {}
    for entry in sorted(read_coco(path), key=lambda entry: entry.name)[:fields]:
        truths = entry.content.cells.of(CYTOPLASM)
        for option, found in rehearsal.find(entry.read(), OWN).items():
            one = merit_ratios(truths, found.of(CYTOPLASM), cuts)
            tables[option] = tables.get(option, np.zeros_like(one)) + one
    return tables


if __name__ == "__main__":
    main()
