"""What it costs to look at a slide of 100,000 x 100,000 px: `irnet view` over a generated cells.db.

    python benchmarks/slide_view.py --cells 100000 [--pans 10]

Each cell has a nucleus, so that cells.db has twice as many rows. CPU time of the server, and of the page's
main thread, until the first picture is there; of a pan among outlines and one further away; of the table in
each order; and the heap of the page. Needs Chromium and `pip install ".[dev]"`; CPU time is read from /proc
(Linux). The tiles of the slide are a few JPEGs over and over: they cost what tiles cost, and lie in the file.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from imagecodecs import jpeg_encode
from playwright.sync_api import Page

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.data.file_names import CELLS_DB
from irnet.geometry.polygons import outlines
from irnet.server.slide_scene import BOXED, OUTLINED, SORTS
from irnet.slides.block import MEASURES, Block
from irnet.slides.nesting import NESTED, Part
from irnet.slides.outlines import encode_outline
from irnet.slides.store import tiles_of, write_store
from irnet.synthetic import generate
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from viewer import Clock, opened

SIDE, TILE, FIELD, MPP = 196 * 512, 512, 2048, 0.25  # px of the slide, its tiles and what they show; um
SHAPES, TOGETHER = 64, 5000
PICTURED = "() => window.irnet?.stage.pictured && document.querySelector('#table .row')"
VIEW = """(width) => {
  const { viewport } = window.irnet.stage.viewer;
  viewport.panTo(viewport.imageToViewportCoordinates(30000, 30000), true);
  viewport.zoomTo(viewport.imageToViewportZoom(viewport.getContainerSize().x / width), null, true);
}"""
PAN = """async (share) => {
  const { state, stage } = window.irnet, { viewport } = stage.viewer, { scale, width } = stage.frame();
  const before = state.seen, begun = performance.now();
  const { x, y } = viewport.viewportToImageCoordinates(viewport.getCenter());
  viewport.panTo(viewport.imageToViewportCoordinates(x + share * width / scale, y), true);
  while (state.seen === before && performance.now() < begun + 20000) {
    await new Promise((next) => setTimeout(next, 20));
  }
  return state.rows.length;
}"""
LIST = """async ([label, sort]) => {
  await window.irnet.state.list({ label, sort, falling: true, offset: 0 });
  await window.irnet.state.list({ label, sort, falling: false, offset: 5000 });
}"""
HEAP = "() => performance.memory.usedJSHeapSize / 1e6"


def write_slide(path: Path, side: int = SIDE) -> None:
    """A pyramid of JPEG tiles, each level a fourth of the one before, of one field over and over."""
    image, _ = generate(0, size=(FIELD, FIELD), mpp=MPP, count=150)
    cuts = range(0, FIELD, TILE)
    parts = [[image[y : y + TILE, x : x + TILE].copy() for x in cuts] for y in cuts]
    coded = [[bytes(jpeg_encode(part, level=80)) for part in row] for row in parts]

    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(4):
            length = side >> 2 * level
            places = range(-(-length // TILE))
            file.write(
                (coded[row % len(cuts)][column % len(cuts)] for row in places for column in places),
                shape=(length, length, 3),
                dtype=np.uint8,
                photometric="ycbcr",
                tile=(TILE, TILE),
                compression="jpeg",
                subfiletype=int(level > 0),
                metadata=None,
                resolution=(1e4 / MPP / 4**level,) * 2,
                resolutionunit="CENTIMETER",
            )


def parts_of(count: int, side: int) -> Iterator[Part]:
    """So many cells with a nucleus each, in the order of their ids, in a square of `side` px."""
    draw = np.random.default_rng(0)
    shapes, packed = discs(draw)
    centres = draw.integers(150, side - 150, (count, 2)).repeat(2, axis=0)
    of_nuclei = SHAPES * (np.arange(2 * count) % 2)  # cells and nuclei in turn
    kind = draw.integers(0, SHAPES, 2 * count) + of_nuclei
    sizes = (shapes.boxes[:, 2:] - shapes.boxes[:, :2])[kind]
    boxes = np.concatenate([centres - sizes // 2, centres - sizes // 2 + sizes], axis=1).astype(np.int32)

    order = np.lexsort((boxes[:, 0], boxes[:, 1], tiles_of(boxes)))
    ids = np.empty_like(order)
    ids[order] = np.arange(len(order))
    for first in range(0, len(order), TOGETHER):
        mine = order[first : first + TOGETHER]
        block = shapes.select(kind[mine])
        block.boxes[:] = boxes[mine]
        block.scores[:] = draw.random(len(mine))
        block.measures[:] = draw.random(block.measures.shape)
        whole = mine % 2 == 0
        parents = np.where(whole, NO_PARENT, ids[mine - 1])
        nested = draw.random((len(mine), len(NESTED)))
        nested[~whole, :2] = np.nan
        confidence = np.where(whole, np.nan, 1.0)
        blobs = [packed[number] for number in kind[mine].tolist()]
        yield Part(first, block, parents, confidence, whole.astype(np.int64), nested, blobs)


def discs(draw: np.random.Generator) -> tuple[Block, list[bytes]]:
    """Ellipses of cells, then of nuclei, and their outlines, from the corners of their boxes."""
    masks = []
    for low, high in ((90, 220), (15, 35)):
        for _ in range(SHAPES):
            height, width = draw.integers(low, high, 2)
            rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
            masks.append(rows**2 + columns**2 <= 1)
    labels = [CYTOPLASM] * SHAPES + [NUCLEUS] * SHAPES
    cells = Cells.build(masks, np.zeros((len(masks), 2), int), labels, (220, 220))
    packed = [
        encode_outline(rings, np.zeros(2, int))
        for rings in outlines(cells.masks, np.zeros((len(masks), 2), int))
    ]
    return Block.of(
        cells, np.zeros((len(masks), len(MEASURES)), np.float32), np.zeros(len(masks), bool)
    ), packed


def write_all(folder: Path, count: int) -> None:
    """The folder of a slide that is finished."""
    write_slide(folder / "smear.tif")
    plan = plan_slides([folder / "smear.tif"], folder / "found", SlideOptions())
    slide = plan.slide("smear")
    size = slide.layout.resampling.size
    meta = {"name": "smear", "mpp": slide.layout.scaled_mpp, "px": slide.layout.px, "shape": size}
    path = plan.folder("smear") / CELLS_DB
    write_store(path, parts_of(count, min(size)), meta | {"slide_shape": slide.shape})
    sizes = [file.stat().st_size / 1e6 for file in (path, folder / "smear.tif")]
    print(f"cells.db {sizes[0]:.0f} MB, smear.tif {sizes[1]:.0f} MB")


def measure(page: Page, url: str, server: int, cells: int, pans: int) -> Iterator[tuple[str, np.ndarray]]:
    """What was done, and seconds on the wall, of the server and of the page for each."""
    clock = Clock(server, page)
    begun = clock.read()
    page.goto(url)
    page.wait_for_function(PICTURED, timeout=120_000)
    yield "first picture", clock.read() - begun
    page.wait_for_timeout(3000)

    for what, known in (("outlines", 0.6 * OUTLINED), ("boxes", 0.7 * BOXED)):
        page.evaluate(
            VIEW, (known / 2.25 / (2 * cells) * 1.5) ** 0.5 * SIDE
        )  # half as wide again is asked for
        page.wait_for_timeout(3000)
        begun = clock.read()
        shown = [page.evaluate(PAN, 0.5) for _ in range(pans)]
        page.wait_for_timeout(1000)
        yield f"a pan among {what}, {np.mean(shown):.0f} in and near sight", (clock.read() - begun) / pans

    for label, sorts in SORTS.items():
        for sort in sorts:
            begun = clock.read()
            page.evaluate(LIST, [label, sort])
            yield f"two pages of label {label} by {sort}", clock.read() - begun
    print(f"heap of the page: {page.evaluate(HEAP):.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--pans", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="where the slide is made, or was by an earlier call")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "found").is_dir():
            write_all(folder, options.cells)
        with opened(folder / "found", options.chromium) as (page, url, server):
            print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {options.cells} cells")
            print(f"{'':60}{'wall':>9}{'server':>9}{'page':>9}   s")
            for name, spent in measure(page, url, server, options.cells, options.pans):
                print(f"{name:60}" + "".join(f"{value:9.3f}" for value in spent), flush=True)


if __name__ == "__main__":
    main()
