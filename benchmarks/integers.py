"""What 8-bit integers cost and save, by what becomes integers: the table of docs/decisions/0020.

    OMP_NUM_THREADS=1 python benchmarks/integers.py --ranges SET ... --scored SET ...

Ranges come from generated fields and from the first 8 images of each set of `--ranges`; AJI is that of the
bundled weights at the thresholds of float32 on the first images of each set of `--scored`. CPU seconds are of
the network on the field of benchmarks/engines.py, least of two, after float32 in the same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import irnet
from irnet.config import Settings
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry
from irnet.inference.engines import open_graphs
from irnet.inference.fast import quantise as fast
from irnet.inference.fast.engine import OpenVINOEngine
from irnet.inference.fast.runtime import Graph, read_graph, written
from irnet.inference.predict import Predictor
from irnet.inference.weights import BUNDLED, read_settings
from irnet.metrics import ImageScore, score_image
from irnet.metrics.paired import compare_sets

LAYOUTS, PALETTES = (
    ("dense", "heaped", "crowded", "sparse", "dense", "cps"),
    ("grey", "strong", "vivid", "pap"),
)
HEADS = ("classify", "draw")
BODY, DEPTHWISE = [fast.BACKBONE], {"types": ["GroupConvolution"]}
Variant = tuple[tuple[str, ...], dict[str, Any], bool]  # parts, what is left, weights of 7 bits
VARIANTS: dict[str, Variant] = {
    "NNCF's defaults, depthwise layers in float32": (tuple(fast.PARTS), DEPTHWISE, False),
    "the same, weights of 7 bits": (tuple(fast.PARTS), DEPTHWISE, True),
    "box and mask heads": (HEADS, {}, True),
    "all but the backbone": (tuple(fast.PARTS), {"patterns": BODY}, True),
    "all": (tuple(fast.PARTS), {}, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranges", type=Path, nargs="*", default=[])
    parser.add_argument("--scored", type=Path, nargs="+", required=True)
    parser.add_argument("--fields", type=int, default=12)
    parser.add_argument("--images", type=int, default=12)
    args = parser.parse_args()

    settings, _ = read_settings(BUNDLED)
    graphs = open_graphs(BUNDLED)
    exact = OpenVINOEngine(graphs, settings.model, "fp32")
    with fast.recording(exact) as met:
        for image in _images(args.fields, args.ranges):
            exact.find(image, settings.predict, views=1)

    sets = {data.name: read_coco(data)[: args.images] for data in args.scored}
    before = {name: _score(Predictor(exact, settings=settings), entries) for name, entries in sets.items()}
    print(f"| integers | CPU s | AJI, {', '.join(sets)} |\n|---|---|---|")
    print(f"| none | {_seconds(exact, settings):.2f} | |", flush=True)
    for title, (parts, left, narrow) in VARIANTS.items():
        made = {name: _quantised(name, graphs[name], met[name], left, narrow) for name in parts}
        engine = OpenVINOEngine({**graphs, **made}, settings.model, "int8")

        changes = []
        for name, entries in sets.items():
            compared = compare_sets(before[name], _score(Predictor(engine, settings=settings), entries))
            for label, scores in compared.classes.items():
                changes.append(f"{label} {scores['aji']['pooled'].difference.value:+.3f}")
        print(f"| {title} | {_seconds(engine, settings):.2f} | {', '.join(changes)} |", flush=True)


def _images(fields: int, sets: list[Path]) -> Iterator[np.ndarray]:
    for i in range(fields):
        layout, palette = LAYOUTS[i % len(LAYOUTS)], PALETTES[i % len(PALETTES)]
        yield irnet.generate(500 + i, size=(512, 512), mpp=0.37, layout=layout, palette=palette)[0]
    for data in sets:
        yield from (np.ascontiguousarray(entry.read().image[:512, :512]) for entry in read_coco(data)[:8])


def _score(predictor: Predictor, entries: list[Entry]) -> list[ImageScore]:
    scores = []
    for entry in entries:
        sample = entry.read()
        cells = predictor.find(sample.image, sample.content.cells.mpp).cells
        scores.append(score_image(entry.content, predictor.choose(cells), predictor.scores))
    return scores


def _quantised(name: str, graph: Graph, met: list[fast.Inputs], left: dict[str, Any], narrow: bool) -> Graph:
    nncf = fast.load()
    fix = nncf.OverflowFix.ENABLE if narrow else nncf.OverflowFix.FIRST_LAYER
    patterns = [*fast.PARTS[name], *left.get("patterns", [])]
    model = nncf.quantize(
        read_graph(graph),
        nncf.Dataset(met),
        subset_size=len(met),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(patterns=patterns, types=left.get("types", []), validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
    )
    return written(model)


def _seconds(engine: OpenVINOEngine, settings: Settings) -> float:
    field, _ = irnet.generate(3, size=(1000, 1000), mpp=0.37, count=40)
    times = []
    for _ in range(3):
        begun = time.process_time()
        engine.find(field, settings.predict, views=1)
        times.append(time.process_time() - begun)
    return min(times[1:])


if __name__ == "__main__":
    main()
