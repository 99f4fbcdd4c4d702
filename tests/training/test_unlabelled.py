"""Runs that learn from fields without outlines: they resume at the same bits, and learn what is there."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from toy_fields import recipe, write_fields
from toy_scene import DarkBlobs

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.coco.coco import read_coco, write_coco
from irnet.errors import InputError
from irnet.inference.networks import build_network
from irnet.inference.tensors import read_tensors
from irnet.training import train as training
from irnet.training.feed import FieldBatch
from irnet.training.run import BEST, LAST, Start
from irnet.training.teacher import Teacher, TeacherCandidates
from irnet.training.train import train
from irnet.training.unlabelled import open_fields

QUICK = ["train.steps=4", "train.validate_every=4", "train.validate_images=1", "train.ema=0.5"]


@pytest.fixture(scope="module")
def fields(circles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fields(circles, tmp_path_factory.mktemp("fields"))


@pytest.fixture(scope="module")
def first(circles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to start from."""
    folder = tmp_path_factory.mktemp("first")
    train(recipe(*QUICK), circles, folder, steps=1, device="cpu")
    return folder


@pytest.fixture(scope="module")
def whole(circles: Path, fields: Path, first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with fields that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    train(recipe(*QUICK), circles, folder, Start(str(first)), unlabelled=fields, device="cpu")
    return folder


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def asked():
        asked_so_far = iter(range(100))  # once before each step
        yield lambda: next(asked_so_far) == step

    monkeypatch.setattr(training, "stop_requested", asked)


@pytest.mark.parametrize("step", [1, 3])
def test_a_stopped_run_resumes_at_the_same_bits_teacher_included(
    circles: Path, fields: Path, first: Path, whole: Path, tmp_path: Path, monkeypatch, step: int
):
    with monkeypatch.context() as patch:
        stop_at(step, patch)
        stopped = train(recipe(*QUICK), circles, tmp_path, Start(str(first)), unlabelled=fields, device="cpu")
        assert stopped.step == step
    train(recipe(*QUICK), circles, tmp_path, Start(resume=True), unlabelled=fields, device="cpu")
    assert (tmp_path / LAST).read_bytes() == (whole / LAST).read_bytes()


def test_the_fields_are_learned_from_and_noted(circles: Path, first: Path, whole: Path, tmp_path: Path):
    train(recipe(*QUICK), circles, tmp_path, Start(str(first)), device="cpu")
    (with_them, meta), (without, _) = (read_tensors(folder / LAST) for folder in (whole, tmp_path))
    assert any(not torch.equal(with_them[name], without[name]) for name in without)
    assert meta["data"]["unlabelled"] == 6
    trained = read_tensors(whole / BEST)[1]["trained"]
    assert trained["data"]["unlabelled_points"] == 6
    assert "6 images without outlines" in (whole / "best.md").read_text()


def test_a_run_goes_on_with_its_own_fields_alone(circles: Path, fields: Path, whole: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"other data .*unlabelled"):
        train(recipe(*QUICK), circles, whole, Start(resume=True), device="cpu")
    write_coco(tmp_path / "annotations.json", read_coco(fields)[:-1])
    (tmp_path / "images").symlink_to(fields / "images")
    with pytest.raises(InputError, match=r"other data .*unlabelled"):
        train(recipe(*QUICK), circles, whole, Start(resume=True), unlabelled=tmp_path, device="cpu")

    shutil.copytree(fields, tmp_path / "other")
    pictures = sorted((tmp_path / "other" / "images").iterdir())
    pictures[0].write_bytes(pictures[1].read_bytes())
    with pytest.raises(InputError, match=r"other data \(unlabelled_images_sha256"):
        train(recipe(*QUICK), circles, whole, Start(resume=True), unlabelled=tmp_path / "other", device="cpu")


def test_a_network_without_weights_labels_nothing(circles: Path, fields: Path, tmp_path: Path):
    with pytest.raises(InputError, match="--init"):
        train(recipe(*QUICK), circles, tmp_path / "run", unlabelled=fields, device="cpu")


class Knowing(Teacher):
    """A teacher that finds dark blobs."""

    def find(self, crops: FieldBatch) -> list[TeacherCandidates]:
        found = DarkBlobs()(list(crops.weak))  # cells .9 sure, nuclei .6
        return [
            TeacherCandidates(
                boxes=one.boxes,
                labels=one.labels,
                scores=one.scores,
                frames=one.boxes,
                masks=one.masks,
                offered=torch.ones(len(one.boxes), dtype=torch.bool),
                bare=torch.zeros(len(one.boxes), dtype=torch.bool),
            )
            for one in found
        ]


def test_what_the_teacher_says_can_be_learned_by_heart(fields: Path):
    settings = recipe("unlabelled.strength=0.0", "unlabelled.focus=1.0")
    crops = open_fields(settings, fields).crops
    torch.manual_seed(1)
    student = build_network(settings).train()
    batch = Knowing(student, settings, torch.device("cpu"))(FieldBatch.of([0, 1], [crops[0], crops[1]]))
    assert {CYTOPLASM, NUCLEUS} == set(batch.labels.tolist())
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3)
    losses = []
    for step in range(30):
        torch.manual_seed(step)
        parts = student(list(batch.images), batch.targets())
        losses.append(sum(part.item() for part in parts.values()))
        optimizer.zero_grad()
        torch.stack([*parts.values()]).sum().backward()
        optimizer.step()
    assert sum(losses[-3:]) < 0.6 * sum(losses[:3])
