"""Operating points chosen on annotated images: the best of all that are tried, each set the same weight."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.config import PerClass, load_recipe
from irnet.data.coco.coco import write_coco
from irnet.data.files import sha256
from irnet.data.sample import Entry, Sample
from irnet.errors import InputError
from irnet.inference.networks import build_network
from irnet.inference.predict import Predictor
from irnet.inference.rehearsal import Option, Rehearsal
from irnet.inference.scale import OWN, Scale
from irnet.inference.weights import load_weights, save_weights
from irnet.training.card_scores import score_sections
from irnet.verbs.calibrate import calibrate

SHAPE = (64, 64)
PAPER = Option(drm_power=1.0, mask_threshold=0.5)


def squares(
    corners: list[tuple[int, int]], scores: list[float] | None = None, label: int = NUCLEUS, side: int = 10
) -> Cells:
    masks = [np.ones((side, side), dtype=bool)] * len(corners)
    return Cells.build(masks, np.array(corners).reshape(-1, 2), [label] * len(corners), SHAPE, scores=scores)


def write_set(folder: Path, cells: Cells, images: int = 1) -> Path:
    entries = []
    (folder / "images").mkdir(parents=True)
    annotated = frozenset(cells.labels.tolist())
    for number in range(images):
        path = folder / "images" / f"{number}.png"
        Image.new("RGB", SHAPE).save(path)
        entries.append(Entry(name=path.name, path=path, content=Content(cells=cells, annotated=annotated)))
    write_coco(folder / "annotations.json", entries)
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    settings = load_recipe("tiny", ["model.trunk_weights="])
    path = tmp_path / "run" / "best.safetensors"
    path.parent.mkdir()
    save_weights(path, build_network(settings, pretrained=False), settings=settings, trained={"step": 3})
    return path


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch):
    """Let the network find what is given: the same in every image, or by the number of true cells."""

    def give(cells: Cells | dict[int, Cells], **special: Cells) -> None:
        def find(rehearsal: Rehearsal, sample: Sample, scale: Scale) -> dict[Option, Cells]:
            plain = cells[len(sample.content.cells)] if isinstance(cells, dict) else cells
            return {
                option: special.get(f"at_{option.mask_threshold:g}", plain) for option in rehearsal.options
            }

        monkeypatch.setattr(Rehearsal, "find", find)

    return give


TWO = [(5, 5), (25, 5)]


def test_the_weights_keep_all_but_their_point(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares([*TWO, (45, 45)], [0.9, 0.71, 0.4]))
    done = calibrate(weights, [data], tmp_path / "out" / "mine.safetensors", device="cpu")
    before = load_recipe("tiny").predict
    assert done.chosen["cytoplasm"] == done.before["cytoplasm"]
    assert done.chosen["nucleus"] == {"score": pytest.approx(0.56, abs=0.02), **PAPER._asdict()}
    assert (done.sets[0]["f1"], done.sets[0]["aji"]) == ({"nucleus": 1.0}, {"nucleus": 1.0})

    old, new = load_weights(weights), load_weights(tmp_path / "out" / "mine.safetensors")
    assert new[1].predict.score.nucleus == done.chosen["nucleus"]["score"]
    assert new[1].predict.model_copy(update={"score": before.score}) == old[1].predict
    for name, tensor in old[0].state_dict().items():
        assert torch.equal(tensor, new[0].state_dict()[name])
    assert new[2]["step"] == 3


def test_chosen_anew_the_file_still_says_the_point_of_training(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.9, 0.7]))
    first = calibrate(weights, [data], tmp_path / "first.safetensors", device="cpu")
    second = calibrate(tmp_path / "first.safetensors", [data], tmp_path / "second.safetensors", device="cpu")
    assert second.before == first.chosen != first.before
    assert load_weights(tmp_path / "second.safetensors")[2]["calibrated"]["before"] == first.before


def test_another_threshold_has_to_earn_its_place(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO, label=CYTOPLASM, side=30))
    right, smaller = (squares(TWO, [0.9, 0.8], CYTOPLASM, side) for side in (30, 28))
    for name, special, threshold in (
        ("all alike", {}, 0.5),
        ("wider is right", {"at_0.4": right}, 0.4),
        ("wider is wrong", {"at_0.4": squares(TWO, [0.9, 0.8], CYTOPLASM, 20)}, 0.5),
    ):
        finds(smaller, **special)
        done = calibrate(weights, [data], tmp_path / f"{name}.safetensors", device="cpu")
        assert done.chosen["cytoplasm"]["mask_threshold"] == threshold
        assert done.chosen["nucleus"] == done.before["nucleus"]


def test_who_holds_the_overlap_decides_where_f1_does_not(weights: Path, tmp_path: Path, finds) -> None:
    """Two thresholds find both cells; at one they lose what they share."""
    near = [(5, 5), (25, 5)]
    data = write_set(tmp_path / "fields", squares(near, label=CYTOPLASM, side=25))
    shares = squares(near, [0.9, 0.8], CYTOPLASM, 25)
    apart = squares([(5, 5), (31, 5)], [0.9, 0.8], CYTOPLASM, 20)
    finds(apart, **{"at_0.45": shares})
    done = calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    assert done.chosen["cytoplasm"]["mask_threshold"] == 0.45
    assert done.sets[0]["overlap_recall"] == {"cytoplasm": 1.0}


def test_the_point_of_four_views_leaves_that_of_one(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.9, 0.3]))
    done = calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu", views=4)
    (_, old, _), (_, new, trained) = load_weights(weights), load_weights(tmp_path / "mine.safetensors")
    assert new.predict.score == old.predict.score
    assert new.predict.at(1).score == old.predict.score
    assert new.predict.at(4).score.nucleus == done.chosen["nucleus"]["score"] < 0.3
    assert "calibrated" not in trained
    assert trained["calibrated_4_views"]["chosen"] == done.chosen
    text = (tmp_path / "mine.md").read_text(encoding="utf-8")
    assert "## Operating thresholds, 4 views" in text


def test_the_card_tells_what_they_were_chosen_on(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.9, 0.7]))
    calibrate(weights, [data], tmp_path / "mine.safetensors", exclude_border=True, device="cpu")
    text = (tmp_path / "mine.md").read_text(encoding="utf-8")
    digest = sha256(data / "annotations.json")
    assert f"| fields/annotations.json | {digest} | 1 | | 1.000 |" in text
    assert "highest merit, mean of these sets, without what the border cuts" in text
    assert (tmp_path / "mine.safetensors.sha256").exists()


def test_the_card_tells_of_a_threshold_that_was_set_afterwards(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.9, 0.7]))
    done = calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    _, settings, trained = load_weights(tmp_path / "mine.safetensors")
    assert "Set by hand" not in score_sections(settings, trained, [])[0]

    score = settings.predict.score.model_copy(update={"nucleus": 0.125})
    predict = settings.predict.model_copy(update={"score": score})
    text = score_sections(settings.model_copy(update={"predict": predict}), trained, [])[0]
    chosen = done.chosen["nucleus"]["score"]
    assert f"Set by hand since: nucleus 0.125, where they say {chosen:g}." in text


def test_a_small_set_counts_like_a_large_one(weights: Path, tmp_path: Path, finds) -> None:
    """Three images of one set want the high cut; the single image of the other wants the low one, by more."""
    three = [*TWO, (45, 45)]
    sets = [write_set(tmp_path / "large", squares(TWO), 3), write_set(tmp_path / "small", squares(three))]
    finds(
        {
            2: squares(three, [0.9, 0.8, 0.5]),  # F1 and AJI 1 above .5, .8 and .67 below
            3: squares(three, [0.7, 0.4, 0.4]),  # 1 below .4, .5 and .33 up to .7
        }
    )
    done = calibrate(weights, sets, tmp_path / "mine.safetensors", device="cpu")
    assert 0.1 < done.chosen["nucleus"]["score"] < 0.4
    assert [part["f1"]["nucleus"] for part in done.sets] == [0.8, 1.0]


def test_the_floor_of_the_recipe_holds(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares(TWO, [0.06, 0.052]))
    done = calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    assert done.chosen["nucleus"]["score"] == load_recipe("tiny").predict.floor


def test_few_images_and_few_instances_are_warned_of(weights: Path, tmp_path: Path, finds, caplog) -> None:
    finds(squares(TWO, [0.9, 0.7]))
    for name, images in (("one", 1), ("many", 25)):
        calibrate(
            weights, [write_set(tmp_path / name, squares(TWO), images)], tmp_path / f"{name}.safetensors"
        )
    (message,) = [text for text in caplog.messages if "depend on chance" in text]
    assert "on 1 image, 2 of class nucleus alone" in message


def test_refused_without_a_trace(weights: Path, tmp_path: Path, finds) -> None:
    data = write_set(tmp_path / "fields", squares(TWO))
    finds(squares([(45, 45)], [0.9]))
    with pytest.raises(InputError, match="nothing annotated on these images is found"):
        calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    for out, reason in ((weights, "exists: name a new"), (tmp_path / "mine.pt", r"ends in \.safetensors")):
        with pytest.raises(InputError, match=reason):
            calibrate(weights, [data], out, device="cpu")
    with pytest.raises(InputError, match="views 3 is out of range"):
        calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu", views=3)
    with pytest.raises(InputError, match=r"annotations\.json is named twice"):
        calibrate(weights, [data, data / "annotations.json"], tmp_path / "mine.safetensors", device="cpu")
    (tmp_path / "mine.md").write_text("my notes")
    with pytest.raises(InputError, match=r"mine\.md exists: name a new"):
        calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu")
    assert (tmp_path / "mine.md").read_text() == "my notes"
    assert not (tmp_path / "mine.safetensors").exists()


@pytest.mark.parametrize("views", [1, 4])
def test_the_scale_of_a_set_is_that_of_predict(weights: Path, tmp_path: Path, finds, monkeypatch, views: int):
    """Whatever the classes' points: told by the nuclei that predict and evaluate would count."""
    model, settings, _ = load_weights(weights)
    apart = PerClass(cytoplasm=0.0, nucleus=1.0)
    predict = settings.predict.model_copy(update={"drm_power": apart})
    save_weights(
        weights, model, settings=settings.model_copy(update={"predict": predict}), trained={"step": 3}
    )
    asked: list[Predictor] = []

    def note(method, entries):
        asked.append(method)
        return OWN

    monkeypatch.setattr("irnet.verbs.calibrate.scale_of_set", note)
    finds(squares(TWO, [0.9, 0.7]))
    data = write_set(tmp_path / "fields", squares(TWO))
    calibrate(weights, [data], tmp_path / "mine.safetensors", device="cpu", views=views)
    alike = Predictor.load(weights, device="cpu", views=views)
    assert (asked[0].settings, asked[0].views) == (alike.settings, views)
    assert type(asked[0].model) is type(alike.model)
