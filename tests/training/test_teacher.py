"""What a teacher's finds become: instances, ground, or neither; centres are partial truth."""

import math
from pathlib import Path

import pytest
import torch
from toy_fields import recipe, write_fields

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.config import Settings, UnlabelledSettings
from irnet.errors import InputError
from irnet.inference.networks import build_network
from irnet.training.feed import FieldBatch
from irnet.training.teacher import REACH, Teacher, TeacherCandidates, split_by_certainty
from irnet.training.unlabelled import open_fields

S = UnlabelledSettings()
NONE = torch.zeros(0, 2), torch.zeros(0, 4)
CELL, OTHER = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 300.0, 100.0)


def around(x: float, y: float) -> tuple[float, ...]:
    return x - 10, y - 10, x + 10, y + 10


def finds(*rows: tuple[tuple[float, ...], int, float], offered: tuple[bool, ...] = ()) -> TeacherCandidates:
    """Finds whose masks fill their boxes."""
    boxes = torch.tensor([box for box, _, _ in rows])
    return TeacherCandidates(
        boxes=boxes,
        labels=torch.tensor([label for _, label, _ in rows]),
        scores=torch.tensor([score for _, _, score in rows]),
        frames=boxes,
        masks=torch.ones(len(rows), 28, 28),
        offered=torch.tensor(offered or [True] * len(rows)),
        bare=torch.zeros(len(rows), dtype=torch.bool),
    )


def test_sure_finds_that_fit_together_are_instances():
    sure, ignore = split_by_certainty(finds((CELL, CYTOPLASM, 0.9), (around(50, 50), NUCLEUS, 0.9)), *NONE, S)
    assert sure.tolist() == [True, True]
    assert not len(ignore)


@pytest.mark.parametrize("score", [0.5, 0.9])
def test_a_cell_without_a_sure_nucleus_is_neither(score: float):
    sure, ignore = split_by_certainty(
        finds((CELL, CYTOPLASM, score), (around(50, 50), NUCLEUS, 0.3)), *NONE, S
    )
    assert not sure.any()
    assert len(ignore) == 2


def test_an_ignored_box_is_larger_than_the_find():
    _, ignore = split_by_certainty(finds((CELL, CYTOPLASM, 0.5)), *NONE, S)
    assert (ignore[0, :2] < 0).all()
    assert (ignore[0, 2:] > 100).all()


@pytest.mark.parametrize(("score", "ignored"), [(0.3, 0), (0.9, 1)])
def test_a_nucleus_in_no_cell_is_ground_unless_it_looks_sure(score: float, ignored: int):
    sure, ignore = split_by_certainty(finds((around(50, 50), NUCLEUS, score)), *NONE, S)
    assert not sure.any()
    assert len(ignore) == ignored


def test_what_is_below_the_lower_cut_is_ground():
    sure, ignore = split_by_certainty(finds((CELL, CYTOPLASM, 0.01)), *NONE, S)
    assert not sure.any()
    assert not len(ignore)


def test_many_nuclei_in_one_cell_are_white_cells_unless_others_hold_them_too():
    nuclei = [(around(20 + 25 * i, 50), NUCLEUS, 0.9) for i in range(3)]
    alone, _ = split_by_certainty(finds((CELL, CYTOPLASM, 0.9), *nuclei), *NONE, S)
    shared, _ = split_by_certainty(
        finds((CELL, CYTOPLASM, 0.9), ((0.0, 0.0, 60.0, 100.0), CYTOPLASM, 0.9), *nuclei), *NONE, S
    )
    assert not alone.any()
    assert shared[:2].all()


def test_a_nucleus_in_an_unsure_cell_is_neither():
    sure, ignore = split_by_certainty(finds((CELL, CYTOPLASM, 0.5), (around(50, 50), NUCLEUS, 0.9)), *NONE, S)
    assert not sure.any()
    assert len(ignore) == 2


def test_an_unsure_cell_on_bare_ground_is_ground_and_so_is_what_looks_like_its_nucleus():
    found = finds((CELL, CYTOPLASM, 0.5), (around(50, 50), NUCLEUS, 0.3))
    sure, ignore = split_by_certainty(found._replace(bare=torch.tensor([True, False])), *NONE, S)
    assert not sure.any()
    assert not len(ignore)


def test_a_find_inside_a_distractor_is_ground():
    ground = torch.tensor([[190.0, 0.0, 310.0, 110.0]])
    found = finds((OTHER, CYTOPLASM, 0.9), (around(250, 50), NUCLEUS, 0.9))
    sure, ignore = split_by_certainty(found, NONE[0], ground, S)
    assert not sure.any()
    assert not len(ignore)


def test_a_centre_makes_its_best_nucleus_and_cell_instances():
    found = finds(
        (CELL, CYTOPLASM, 0.4),
        ((0.0, 0.0, 90.0, 90.0), CYTOPLASM, 0.5),
        (around(50, 50), NUCLEUS, 0.02),
        (around(52, 52), NUCLEUS, 0.01),
        offered=(True, True, False, False),
    )
    sure, _ = split_by_certainty(found, torch.tensor([[50.0, 50.0]]), NONE[1], S)
    assert sure.tolist() == [False, True, True, False]
    assert not split_by_certainty(found, *NONE, S)[0].any()


def test_a_centre_whose_cell_is_hardly_seen_makes_a_nucleus_and_no_ground():
    found = finds((CELL, CYTOPLASM, 0.1), (around(50, 50), NUCLEUS, 0.9))
    sure, ignore = split_by_certainty(found, torch.tensor([[50.0, 50.0]]), NONE[1], S)
    assert sure.tolist() == [False, True]
    assert len(ignore) == 2


def test_a_centre_of_a_sure_nucleus_changes_nothing():
    found = finds((CELL, CYTOPLASM, 0.9), (around(50, 50), NUCLEUS, 0.9), (around(51, 51), NUCLEUS, 0.02))
    without, with_it = (
        split_by_certainty(found, points, NONE[1], S) for points in (NONE[0], torch.tensor([[50.0, 50.0]]))
    )
    assert torch.equal(without[0], with_it[0])
    assert torch.equal(without[1], with_it[1])


def test_about_a_centre_without_a_candidate_nothing_is_ground():
    sure, ignore = split_by_certainty(
        finds((OTHER, CYTOPLASM, 0.01)), torch.tensor([[50.0, 50.0]]), NONE[1], S
    )
    assert not sure.any()
    assert ignore.tolist() == [[50 - REACH, 50 - REACH, 50 + REACH, 50 + REACH]]


@pytest.fixture
def fields(circles: Path, tmp_path: Path) -> Path:
    return write_fields(circles, tmp_path)


def batch_of(settings: Settings, path: Path, *numbers: int) -> FieldBatch:
    crops = open_fields(settings, path).crops
    return FieldBatch.of(numbers, [crops[number] for number in numbers])


def teacher_of(settings: Settings) -> Teacher:
    """One that knows nothing, and whose masks fill their boxes."""
    torch.manual_seed(0)
    network = build_network(settings).eval()
    masks = network.roi_heads.mask.predictor.mask_fcn_logits
    torch.nn.init.zeros_(masks.weight)
    torch.nn.init.constant_(masks.bias, 0.2)
    return Teacher(network, settings, torch.device("cpu"))


def test_the_losses_of_a_fresh_network_on_labelled_fields_are_those_of_chance(fields: Path):
    settings = recipe()
    teacher = teacher_of(settings)
    batch = teacher(batch_of(settings, fields, 0, 1))
    assert len(batch.boxes)
    assert batch.boxes.isfinite().all()
    losses = teacher.model.train()(list(batch.images), batch.targets())
    assert losses["cls"].item() == pytest.approx(math.log(3), rel=0.1)
    assert losses["objectness"].item() == pytest.approx(math.log(2), rel=0.1)
    assert losses["mask"].item() == pytest.approx(math.log(2), rel=0.2)


def test_one_view_and_several_agree_on_what_a_batch_is(fields: Path):
    one, four = (recipe(f"unlabelled.views={views}") for views in (1, 4))
    found = [teacher_of(s)(batch_of(s, fields, 0, 1)) for s in (one, four)]
    for batch in found:
        assert batch.masks.shape[1:] == (one.data.mask_size,) * 2
        assert batch.masks.dtype == torch.uint8
        assert batch.counts.sum(dim=0).tolist() == [len(batch.boxes), len(batch.ignore)]


def test_a_crop_of_a_batch_is_labelled_as_it_is_alone(fields: Path):
    settings = recipe()
    teacher = teacher_of(settings)
    both = teacher.find(batch_of(settings, fields, 0, 1))
    for number, found in enumerate(both):
        (alone,) = teacher.find(batch_of(settings, fields, number))
        torch.testing.assert_close(found.boxes, alone.boxes, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(found.masks, alone.masks, atol=1e-4, rtol=1e-4)


def test_the_student_sees_other_colours_than_the_teacher_at_the_same_place(fields: Path):
    batch = batch_of(recipe("unlabelled.strength=0.0"), fields, 0)
    assert torch.equal(batch.images, batch.weak)
    other = batch_of(recipe("unlabelled.strength=2.0"), fields, 0)
    assert torch.equal(other.weak, batch.weak)
    assert not torch.equal(other.images, batch.weak)


def test_points_and_distractors_travel_with_the_crop(fields: Path):
    batch = batch_of(recipe("data.crop=256", "unlabelled.focus=1.0"), fields, 0, 1)  # the whole image
    assert batch.counts.tolist() == [[1, 1], [1, 1]]
    for (points, _), image in zip(batch.known(), batch.weak, strict=True):
        x, y = points[0].long().tolist()
        assert image[:, y, x].float().mean() < 130  # dark: a nucleus


def test_scale_is_that_of_the_set_or_of_the_settings(fields: Path, tmp_path_factory):
    folder = fields / "images"
    assert batch_of(recipe("data.crop=320", "unlabelled.mpp=0.74"), folder, 0).weak.shape[-1] == 320
    own, double = (
        batch_of(recipe("data.crop=512", f"unlabelled.mpp={mpp}"), folder, 0) for mpp in (0.37, 0.74)
    )
    dark = [(batch.weak < 180).any(dim=1).sum().item() for batch in (own, double)]
    assert dark[1] == pytest.approx(4 * dark[0], rel=0.1)


def test_sets_that_cannot_be_used_are_refused(fields: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"train\.batch = 1"):
        open_fields(recipe("train.batch=1"), fields)
    with pytest.raises(InputError, match="no such file"):
        open_fields(recipe(), tmp_path / "nowhere")
