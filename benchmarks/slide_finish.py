"""What finishing a slide costs: suppression, links and cells.db of generated candidates, without a network.

OMP_NUM_THREADS=1 python benchmarks/slide_finish.py --cells 100000
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.inference.slide_blocks import BlockFolder
from irnet.slides.block import MEASURES, Block
from irnet.slides.candidates import Candidates
from irnet.slides.linking import link_nuclei
from irnet.slides.nesting import describe
from irnet.slides.reading import open_store
from irnet.slides.store import order_of, write_store
from irnet.slides.suppress import survivors_of

DENSITY = 100e-6  # cells a px, each with a nucleus: crowded
MPP, CORE, SHAPES = 0.37, 1536, 64
DOUBLED = 0.2  # share of the candidates that two windows have


def discs(seed: int, low: int, high: int) -> Block:
    """Ellipses of so many px."""
    draw, masks = np.random.default_rng(seed), []
    for _ in range(SHAPES):
        height, width = draw.integers(low, high, 2)
        rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        masks.append(rows**2 + columns**2 <= 1)
    cells = Cells.build(
        masks, np.zeros((SHAPES, 2), int), np.ones(SHAPES), (high, high), scores=np.ones(SHAPES)
    )
    return Block.of(cells, np.zeros((SHAPES, len(MEASURES)), np.float32), np.zeros(SHAPES, bool))


def candidates(count: int) -> tuple[Block, np.ndarray, int]:
    """Cells with a nucleus each, some of them twice; the windows that own them; px a side of the slide."""
    draw, side = np.random.default_rng(0), int((count / DENSITY) ** 0.5)
    parts = []
    centres = draw.integers(200, side - 200, (count, 2))
    for label, low, high in ((CYTOPLASM, 90, 220), (NUCLEUS, 15, 35)):
        shapes = discs(label, low, high)
        block = shapes.select(draw.integers(0, SHAPES, count))
        sizes = block.boxes[:, 2:] - block.boxes[:, :2]
        corners = centres - sizes // 2
        block.boxes[:] = np.concatenate([corners, corners + sizes], axis=1)
        block.labels[:], block.scores[:] = label, draw.random(count)
        parts.append(block)
    block = Block.concat(parts)
    twice = np.flatnonzero(draw.random(len(block)) < DOUBLED)
    again = block.select(twice)
    again.boxes[:] += 2
    again.scores[:] *= 0.9
    block = Block.concat([block, again])
    x, y = (block.boxes[:, :2] + block.boxes[:, 2:]).T // 2 // CORE
    windows = (y * (side // CORE + 1) + x).astype(np.int64)
    windows[-len(again) :] += 1  # as if the neighbour owned it
    return block, windows, side


def write_blocks(count: int, out: Path) -> None:
    """The candidates in the blocks of their windows, as `irnet slide run` leaves them, and the side."""
    block, windows, side = candidates(count)
    order = np.argsort(windows, kind="stable")
    numbers, begins = np.unique(windows[order], return_index=True)
    for number, mine in zip(numbers.tolist(), np.split(order, begins[1:]), strict=True):
        BlockFolder(out).write(f"{number:08}", block.select(mine), number)
    (out / "windows.json").write_text(json.dumps([side, numbers.tolist()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="where to put the cells.db that is made")
    parser.add_argument("--ask", type=Path, help="ask a cells.db that is there, make none")
    given = parser.parse_args()
    if given.ask:
        ask(given.ask)
        return
    count = given.cells
    print(
        f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {count} cells"
    )

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        # In a process of its own, so that its memory is not counted.
        making = get_context("spawn").Process(target=write_blocks, args=(count, out))
        making.start()
        making.join()
        finish(out)
        ask(out / "cells.db")
        if given.keep:
            shutil.copyfile(out / "cells.db", given.keep)


def finish(out: Path) -> None:
    """What `irnet slide finish` does with blocks, part by part."""
    side, windows = json.loads((out / "windows.json").read_text())
    folder, clock = BlockFolder(out), time.process_time
    begun = clock()
    found = Candidates.gather(windows, lambda number: folder.read(f"{number:08}"))
    print(f"blocks: {clock() - begun:.1f} CPU s, {peak()}, {len(windows)} windows")

    begun = clock()
    kept = survivors_of(found, {CYTOPLASM: 0.5, NUCLEUS: 0.5}, masks=False)
    cells = found.select(kept[order_of(found.select(kept))])
    print(f"suppression: {clock() - begun:.1f} CPU s, {peak()}, {len(found)} candidates, {len(cells)} stay")

    begun = clock()
    parents, confidence = link_nuclei(cells, (side, side), MPP)
    print(f"links: {clock() - begun:.1f} CPU s, {peak()}, {(parents >= 0).sum()} nuclei linked")

    begun, path = clock(), out / "cells.db"
    meta = {"name": "made", "mpp": MPP, "px": 1.0, "shape": (side, side), "slide_shape": (side, side)}
    write_store(path, describe(cells.take, parents, confidence, (side, side)), meta)
    size, rows = path.stat().st_size, len(cells)
    print(
        f"cells.db: {clock() - begun:.1f} CPU s, {peak()}, {size / 1e6:.0f} MB, {size / rows:.0f} bytes a row"
    )
    print(f"SHA-256 of what is in it: {content_of(path)}")


def ask(path: Path) -> None:
    """What a viewer and a gallery ask of a store, each five times."""
    with open_store(path) as store, closing(sqlite3.connect(path)) as plain:
        middle = store.meta.shape[0] // 2
        questions = {
            "50 by N:C ratio": lambda: store.ranked("nc_ratio", label=CYTOPLASM),
            "50 from place 10,000 on": lambda: store.ranked("nc_ratio", label=CYTOPLASM, offset=10_000),
            "50 by perimeter, without an index": lambda: store.ranked("perimeter_um", label=CYTOPLASM),
            "1500 x 1500 px": lambda: store.within((middle, middle, middle + 1500, middle + 1500)).instances,
        }
        for name, question in questions.items():
            begun = time.process_time()
            answers = [question() for _ in range(5)]
            print(
                f"{name}: {(time.process_time() - begun) / 5 * 1e3:.1f} CPU ms, {len(answers[0])} instances"
            )
        sizes = plain.execute("SELECT label, avg(length(outline)) FROM cell GROUP BY label").fetchall()
        print(f"bytes an outline, by label: {', '.join(f'{label}: {size:.0f}' for label, size in sizes)}")


def peak() -> str:
    """Memory of this process at its most, so far."""
    return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"


def content_of(path: Path) -> str:
    """A hash of all rows, to compare versions by."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(path)) as store:
        for row in store.execute("SELECT * FROM cell ORDER BY id"):
            digest.update(repr(row).encode())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    main()
