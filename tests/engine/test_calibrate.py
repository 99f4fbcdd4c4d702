"""Thresholds chosen on annotated images: the best of all cuts, each set the same weight, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from irnet.cells import LABEL_NAMES, NUCLEUS, Cells, Truth
from irnet.config import load_recipe
from irnet.data.files import sha256
from irnet.data.formats.coco import write_coco
from irnet.data.sample import Entry
from irnet.engine import calibrate as module
from irnet.engine.calibrate import calibrate
from irnet.engine.networks import build_network
from irnet.engine.weights import load_weights, save_weights
from irnet.errors import InputError
from irnet.metrics import f1_curve

SHAPE = (64, 64)


def squares(corners: list[tuple[int, int]], scores: list[float] | None = None, label: int = NUCLEUS) -> Cells:
    masks = [np.ones((10, 10), dtype=bool)] * len(corners)
    return Cells.build(masks, np.array(corners).reshape(-1, 2), [label] * len(corners), SHAPE, scores=scores)


def write_set(folder: Path, cells: Cells, images: int = 1) -> Path:
    from PIL import Image

    entries = []
    (folder / "images").mkdir(parents=True)
    for number in range(images):
        path = folder / "images" / f"{number}.png"
        Image.new("RGB", SHAPE).save(path)
        entries.append(
            Entry(name=path.name, path=path, truth=Truth(cells=cells, annotated=frozenset([NUCLEUS])))
        )
    write_coco(folder / "annotations.json", entries)
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    settings = load_recipe("tiny", ["model.trunk_weights="])
    path = tmp_path / "run" / "best.safetensors"
    path.parent.mkdir()
    save_weights(path, build_network(settings, trunk=False), settings=settings, trained={"step": 3})
    return path


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch):
    """Let the network find what is given, in every image."""

    def give(cells: Cells) -> None:
        monkeypatch.setattr(module, "find_all", lambda _, samples, scale: [cells for _ in samples])

    return give


TWO = [(5, 5), (25, 5)]


def test_the_weights_keep_all_but_their_thresholds(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares([*TWO, (45, 45)], [0.9, 0.7, 0.4]))
    before = load_recipe("tiny").predict.score
    chosen = calibrate(weights, [data], tmp_path / "out" / "mine.safetensors", device="cpu")
    assert chosen.scores == {"cytoplasm": before.cytoplasm, "nucleus": 0.55}
    assert chosen.sets[0]["f1"] == {"nucleus": 1.0}
    old, new = load_weights(weights), load_weights(tmp_path / "out" / "mine.safetensors")
    assert new[1].predict.score.nucleus == 0.55
    assert new[1].predict.model_copy(update={"score": before}) == old[1].predict
    for name, tensor in old[0].state_dict().items():
        assert torch.equal(tensor, new[0].state_dict()[name])
    assert new[2]["step"] == 3


def test_the_card_tells_what_they_were_chosen_on(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.9, 0.7]))
    calibrate(weights, [data], tmp_path / "mine.safetensors", exclude_border=True, device="cpu")
    text = (tmp_path / "mine.md").read_text(encoding="utf-8")
    digest = sha256(data / "annotations.json")
    assert f"| fields/annotations.json | {digest} | 1 | | 1.000 |" in text
    assert "mean of these sets, without what the border cuts" in text
    assert (tmp_path / "mine.safetensors.sha256").exists()


def test_a_small_set_counts_like_a_large_one(weights: Path, tmp_path: Path, monkeypatch) -> None:
    """One image wants the low cut by more than each of three others wants the high one."""
    sets = [write_set(tmp_path / "large", squares(TWO), 3), write_set(tmp_path / "small", squares(TWO))]
    found = {
        3: squares([*TWO, (45, 45)], [0.9, 0.8, 0.5]),  # F1 1 above .5, .8 below
        1: squares(TWO, [0.7, 0.4]),  # F1 .67 above .4, 1 below; 0 above .7
    }
    monkeypatch.setattr(
        module,
        "find_all",
        lambda _, samples, scale: [found[n] for n in [len(list(samples))] for _ in range(n)],
    )
    chosen = calibrate(weights, sets, tmp_path / "mine.safetensors", device="cpu")
    truths = [Truth(cells=squares(TWO))]
    mean = [
        np.mean([f1_curve(truths, [cells], NUCLEUS).f1_at(np.array([cut]))[0] for cells in found.values()])
        for cut in (0.85, 0.75, 0.6, 0.45, 0.2)
    ]
    assert int(np.argmax(mean)) == 4
    assert chosen.scores["nucleus"] == pytest.approx(0.2)


def test_the_floor_of_the_recipe_holds(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.06, 0.052]))
    floor = load_recipe("tiny").predict.floor
    chosen = calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    assert chosen.scores["nucleus"] == floor
    assert set(chosen.scores) == set(LABEL_NAMES.values())


def test_few_images_and_few_instances_are_warned_of(weights: Path, tmp_path: Path, finds, caplog) -> None:
    finds(squares(TWO, [0.9, 0.7]))
    for name, images in (("one", 1), ("many", 25)):
        calibrate(
            weights, [write_set(tmp_path / name, squares(TWO), images)], tmp_path / f"{name}.safetensors"
        )
    (message,) = [text for text in caplog.messages if "hang on chance" in text]
    assert "on 1 image, 2 of class nucleus alone" in message


def test_refused_without_a_trace(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares([(45, 45)], [0.9]))
    with pytest.raises(InputError, match="nothing annotated on these images is found"):
        calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    for out, reason in ((weights, "exists: name a new"), (tmp_path / "mine.pt", r"ends in \.safetensors")):
        with pytest.raises(InputError, match=reason):
            calibrate(weights, [data], out, device="cpu")
    assert not (tmp_path / "mine.safetensors").exists()
