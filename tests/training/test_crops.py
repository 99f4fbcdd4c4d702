"""Items are functions of seed and number, and say what the trainer needs."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.config import AugmentSettings
from irnet.data.sample import Entry, Sample
from irnet.errors import InputError
from irnet.training.crops import CropDataset, Item

SIDE = 96
AUGMENTED = AugmentSettings()


def field(seed: int) -> tuple[np.ndarray, Content]:
    """Three discs, the last of them inside the first."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    centres = rng.uniform(30, 66, (2, 2))
    masks = [
        (x - cx) ** 2 + (y - cy) ** 2 < r * r
        for (cx, cy), r in zip(centres[[0, 1, 0]], (20, 15, 5), strict=True)
    ]
    return image, Content(cells=Cells.from_dense(np.array(masks), [CYTOPLASM, CYTOPLASM, NUCLEUS], mpp=0.25))


def entries(n: int) -> list[Entry]:
    made = [field(seed) for seed in range(n)]
    return [
        Entry(name=f"{i}.png", path=Path(f"{i}.png"), content=truth, pixels=image)
        for i, (image, truth) in enumerate(made)
    ]


def same(a: Item, b: Item) -> bool:
    return a[0].equal(b[0]) and all(a[1][key].equal(b[1][key]) for key in a[1] | b[1])


def test_an_item_has_what_the_trainer_needs() -> None:
    image, target = CropDataset(field, size=64, length=10, augmentation=AUGMENTED)[3]
    n = len(target["labels"])
    assert image.shape == (3, 64, 64)
    assert {name: (value.dtype, tuple(value.shape)) for name, value in target.items()} == {
        "boxes": (torch.float32, (n, 4)),
        "labels": (torch.int64, (n,)),
        "masks": (torch.uint8, (n, 112, 112)),
        "annotated": (torch.bool, (2,)),
        "ignore": (torch.float32, (0, 4)),
    }
    assert image.dtype == torch.uint8
    assert target["boxes"].min() >= 0
    assert target["boxes"].max() <= 64
    assert target["annotated"].all()


def test_without_augmentation_the_whole_image_is_itself() -> None:
    image, truth = field(5)
    item, target = CropDataset(lambda _: (image, truth), size=SIDE, length=1)[0]
    assert (item.numpy().transpose(1, 2, 0) == image).all()
    assert (target["boxes"].numpy() == truth.cells.boxes).all()
    assert target["labels"].tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS]


@pytest.mark.parametrize("source", ["entries", "function"])
def test_an_item_depends_on_seed_and_number_alone(source: str) -> None:
    def build(seed: int) -> CropDataset:
        origin = entries(3) if source == "entries" else field
        return CropDataset(origin, size=64, length=20, seed=seed, augmentation=AUGMENTED, budget=1)

    first, second = build(1), build(1)
    forward = [first[i] for i in range(8)]
    backward = [second[i] for i in reversed(range(8))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not same(build(2)[0], forward[0])


def test_it_travels_to_worker_processes() -> None:
    dataset = CropDataset(entries(2), size=64, length=4, augmentation=AUGMENTED)
    item = dataset[1]
    assert same(pickle.loads(pickle.dumps(dataset))[1], item)


def test_each_round_shows_each_entry_once_in_another_order() -> None:
    dataset = CropDataset(entries(7), size=SIDE, length=70)
    images = [entry.pixels for entry in entries(7)]

    def number(item: Item) -> int:
        return next(
            i
            for i, p in enumerate(images)
            if p is not None and (item[0].numpy() == p.transpose(2, 0, 1)).all()
        )

    rounds = [[number(dataset[7 * r + i]) for i in range(7)] for r in range(5)]
    assert all(sorted(order) == list(range(7)) for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1


def test_it_ends() -> None:
    dataset = CropDataset(entries(2), size=64)
    assert len(dataset) == 2
    assert len(list(dataset)) == 2  # type: ignore[call-overload]
    with pytest.raises(IndexError, match="item 2 of 2"):
        dataset[2]


def test_scale_is_brought_to_that_of_the_network() -> None:
    """Fields of .25 um per px at .5: boxes of half the size."""
    image, truth = field(0)
    _, target = CropDataset(lambda _: (image, truth), size=SIDE, length=1, mpp=0.5)[0]
    boxes = target["boxes"]
    sizes = np.sort((boxes[:, 2:] - boxes[:, :2]).numpy()[:, 0])
    assert sizes == pytest.approx(np.sort(truth.cells.boxes[:, 2] - truth.cells.boxes[:, 0]) / 2, abs=1)


def test_images_of_unknown_scale_stay_as_they_are() -> None:
    image, truth = field(0)
    cells = Cells.from_dense(truth.cells.to_dense(), truth.cells.labels)
    _, target = CropDataset(lambda _: (image, Content(cells=cells)), size=SIDE, length=1, mpp=0.5)[0]
    assert (target["boxes"].numpy() == cells.boxes).all()


def test_what_was_not_annotated_and_ignored_is_said() -> None:
    image, truth = field(0)
    ignored = Cells.build([np.ones((10, 20))], [(5, 6)], [0], (SIDE, SIDE))
    partial = Content(cells=truth.cells, annotated=frozenset({NUCLEUS}), ignore=ignored)
    _, target = CropDataset(lambda _: (image, partial), size=SIDE, length=1)[0]
    assert target["annotated"].tolist() == [False, True]
    assert target["ignore"].tolist() == [[5, 6, 25, 16]]


def test_an_image_without_cells() -> None:
    image = np.zeros((50, 70, 3), dtype=np.uint8)
    empty = Content(cells=Cells.empty((50, 70)))
    item, target = CropDataset(lambda _: (image, empty), size=64, length=1, augmentation=AUGMENTED)[0]
    assert item.shape == (3, 64, 64)
    assert target["masks"].shape == (0, 112, 112)
    assert target["boxes"].shape == (0, 4)


def test_images_are_kept_in_memory_by_their_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = Entry.read

    def counted(entry: Entry) -> Sample:
        reads.append(entry.name)
        return read(entry)

    monkeypatch.setattr(Entry, "read", counted)
    weight = SIDE * SIDE * 3
    for budget, expected in ((4 * weight, 4), (4 * weight - 1, 8), (0, 8)):
        reads.clear()
        dataset = CropDataset(entries(4), size=64, length=8, budget=budget)
        for i in (0, 1, 2, 3, 0, 1, 2, 3):
            dataset[i]
        assert len(reads) == expected


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(InputError, match="list of annotated images is empty"):
        CropDataset([], size=64)
    with pytest.raises(InputError, match="say the length"):
        CropDataset(field, size=64)
