"""What DRM and IRM cost over Mask R-CNN on a CPU: the bundled network by OpenVINO, with both and without.

    OMP_NUM_THREADS=1 python benchmarks/relation_cost.py

CPU seconds of one look at a generated field of 1000 px, medians of rounds that take turns; without them
the network draws the masks of as many finds, give or take those that ranks decide.
"""

from __future__ import annotations

import argparse
import statistics
import time

import irnet
from irnet.inference.fast.engine import OpenVINOEngine
from irnet.inference.fast.export import make_graphs
from irnet.inference.weights import find_weights, load_weights
from irnet.models.irnet import IRNet

MPP, SIDE, SEED = 0.37, 1000, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[12, 50])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    model, settings, _ = load_weights(find_weights(None))
    assert isinstance(model, IRNet)
    engines = {"IRNet": OpenVINOEngine(make_graphs(model), settings.model, "fp32")}
    model.roi_heads.box.drm = model.roi_heads.mask.irm = None
    engines["Mask R-CNN"] = OpenVINOEngine(make_graphs(model), settings.model, "fp32")

    print("| cells drawn | network | found | CPU s |\n|---|---|---|---|")
    for count in arguments.cells:
        image, _ = irnet.generate(SEED, size=(SIDE, SIDE), mpp=MPP, count=count)
        times: dict[str, list[float]] = {name: [] for name in engines}
        finds = {}
        for _ in range(arguments.rounds + 1):
            for name, engine in engines.items():
                begun = time.process_time()
                finds[name] = len(engine.find(image, settings.predict, views=1).scores)
                times[name].append(time.process_time() - begun)
        for name, seconds in times.items():
            print(f"| {count} | {name} | {finds[name]} | {statistics.median(seconds[1:]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
