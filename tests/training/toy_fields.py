"""A network that is fast, and fields without outlines for it."""

from pathlib import Path

from irnet.cells import NUCLEUS, Cells, Content, Distractor, Point
from irnet.config import Settings, load_recipe
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.sample import Entry


def recipe(*overrides: str) -> Settings:
    """A network that is fast, and cuts that a fresh one reaches with what it thinks at first."""
    cuts = [
        f"unlabelled.{name}={{cytoplasm={cut},nucleus={cut}}}"
        for name, cut in (("unsure", 0.1), ("sure", 0.2))
    ]
    plain = ["model.drm.enabled=false", "model.irm.enabled=false", "data.crop=64", "train.batch=2"]
    return load_recipe("tiny", [*plain, *cuts, *overrides])


def write_fields(circles: Path, folder: Path) -> Path:
    """The circles' images with a point in one nucleus, the corner as ground, and no outlines."""
    entries = []
    for entry in read_coco(circles):
        cells = entry.content.cells
        x1, y1, x2, y2 = cells.of(NUCLEUS).boxes[0].tolist()
        points = (Point(label=NUCLEUS, place=((x1 + x2) / 2, (y1 + y2) / 2)),)
        truth = Content(
            cells=Cells.empty(cells.image_shape, mpp=cells.mpp),
            annotated=frozenset(),
            points=points,
            distractors=(Distractor(kind="ground", box=(0.0, 0.0, 20.0, 20.0)),),
        )
        entries.append(Entry(name=entry.name, path=entry.path, content=truth))
    (folder / "images").symlink_to(circles / "images")
    write_coco(folder / "annotations.json", entries)
    return folder
