"""Images of one size seen at once: the same finds as one by one, and errors in their turn."""

from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from irnet.cells import Cells
from irnet.config import Settings
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.inference.torch_engine import TorchEngine
from irnet.models.build import build_model
from irnet.verbs import predict_files
from irnet.verbs.predict_options import PredictOptions

SHAPE = (96, 112)


@pytest.fixture
def untrained(tiny: Settings) -> Predictor:
    """A network that finds something in everything."""
    torch.manual_seed(0)
    predict = tiny.predict.model_copy(update={"floor": 0.0, "max_per_megapixel": 400})
    settings = tiny.model_copy(update={"predict": predict})
    model = build_model(settings.model, settings.loss, settings.predict)
    with torch.no_grad():  # scores and masks that rounding does not turn round
        model.rpn.head.cls_logits.weight.mul_(30)
        model.roi_heads.box.predictor.cls_score.weight.mul_(20)
        model.roi_heads.mask.predictor.mask_fcn_logits.weight.mul_(100)
    return Predictor(model, settings=settings)


def lost(cells: Cells, others: Cells) -> int:
    """How many cells have no equal among the others: which of two equal scores comes first is chance."""
    near = (cells.labels[:, None] == others.labels) & (abs(cells.scores[:, None] - others.scores) < 1e-3)
    return int((~(near & (cells.iou(others) > 0.95)).any(axis=1)).sum())


def disc(x: int, y: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    image = np.full((*shape, 3), 240, dtype=np.uint8)
    image[np.hypot(columns - x, rows - y) < 25] = 150
    return image


def test_the_same_is_found(untrained: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [disc(40 + 5 * number, 50) for number in range(5)]
    images.insert(2, disc(30, 30, (64, 80)))  # of a size of its own
    images.append(np.full((*SHAPE, 3), 240, dtype=np.uint8))  # blank
    alone = untrained.predict(images, mpp=0.37, score=0.0)
    assert len(alone[0]) > 2

    batches: list[int] = []
    network = untrained.model.forward

    def counted(pictures: list[torch.Tensor]) -> object:
        batches.append(len(pictures))
        return network(pictures)

    monkeypatch.setattr(untrained.engine, "batch", 4)
    monkeypatch.setattr(untrained.model, "forward", counted)
    together = untrained.predict(images, mpp=0.37, score=0.0)
    assert sorted(batches) == [1, 2, 3]
    for one, other in zip(alone, together, strict=True):
        assert one.image_shape == other.image_shape
        assert lost(one, other) + lost(other, one) <= (len(one) + len(other)) / 50


def test_what_came_before_an_image_that_is_none_is_given(
    untrained: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untrained.engine, "batch", 4)
    images = iter([disc(40, 50), disc(50, 50), np.zeros((2, 2), np.float32), disc(60, 50)])
    found = untrained.predict(images, mpp=0.37)
    assert [next(found).image_shape for _ in range(2)] == [SHAPE] * 2
    with pytest.raises(InputError, match="is not an image"):
        next(found)


def test_what_does_not_fit_is_seen_one_by_one(untrained: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(untrained.engine, "batch", 2)
    monkeypatch.setattr(untrained.engine, "find_all", out_of_memory)
    found = untrained.predict([disc(40, 50), disc(50, 50)], mpp=0.37)
    assert [cells.image_shape for cells in found] == [SHAPE] * 2


def test_an_unknown_scale_is_that_of_all(untrained: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [disc(40, 50), disc(60, 40)]
    alone = untrained.predict(images, scale=1.5, score=0.0)
    monkeypatch.setattr(untrained.engine, "batch", 2)
    together = untrained.predict(images, scale=1.5, score=0.0)
    assert [len(cells) for cells in alone] == [len(cells) for cells in together]
    assert len(alone[0]) > 2


def test_what_was_seen_for_its_scale_is_not_seen_again(
    blobs: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [disc(30, 40), disc(60, 50)]
    alone = blobs.predict(images)
    monkeypatch.setattr(blobs.engine, "batch", 2)
    looked = []
    find = type(blobs.engine).find
    monkeypatch.setattr(
        type(blobs.engine), "find", lambda *given, **options: looked.append(1) or find(*given, **options)
    )
    monkeypatch.setattr(blobs.engine, "find_all", lambda *given, **options: pytest.fail("seen twice"))
    together = blobs.predict(images)
    assert looked
    assert [len(cells) for cells in together] == [len(cells) for cells in alone]


def test_files_are_seen_at_once_and_fail_alone(
    untrained: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    smears = tmp_path / "smears"
    smears.mkdir()
    for number in range(5):
        PIL.Image.fromarray(disc(40 + 5 * number, 50)).save(smears / f"{number}.png")
    (smears / "2.png").write_bytes(b"no picture")
    monkeypatch.setattr(predict_files, "open_method", lambda *_, **__: untrained)

    def found(folder: str) -> list[int]:
        options = PredictOptions(mpp=0.37, score=0.0, save=("coco",))
        result = predict_files.predict_files([smears], tmp_path / folder, options)
        assert [Path(error["file"]).name for error in result.errors] == ["2.png"]
        assert [image["name"] for image in result.images] == ["0.png", "1.png", "3.png", "4.png"]
        return [sum(image["found"].values()) for image in result.images]

    alone = found("alone")
    groups: list[int] = []
    see = untrained.engine.find_all
    monkeypatch.setattr(untrained.engine, "batch", 3)
    monkeypatch.setattr(
        untrained.engine,
        "find_all",
        lambda all_, *given, **asked: groups.append(len(all_)) or see(all_, *given, **asked),
    )
    together = found("together")
    assert groups == [2, 2]
    assert np.abs(np.subtract(alone, together)).max() <= 1


def test_a_compiled_trunk_finds_the_same(untrained: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [disc(40, 50), disc(30, 30, (64, 80)), disc(35, 40, (75, 101))]
    plain = untrained.predict(images, mpp=0.37, score=0.0)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))  # traced, not translated

    compiled = TorchEngine(untrained.model, compiled=True)
    same = Predictor(compiled, settings=untrained.recipe).predict(images, mpp=0.37, score=0.0)
    assert compiled.model.backbone.is_compiled
    for one, other in zip(plain, same, strict=True):
        assert len(one) > 2
        assert lost(one, other) + lost(other, one) <= (len(one) + len(other)) / 50


def test_without_a_compiler_it_computes_all_the_same(
    untrained: Predictor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(graph: object, inputs: object) -> object:
        raise RuntimeError("no compiler here")

    plain = untrained.predict(disc(40, 50), mpp=0.37, score=0.0)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    engine = TorchEngine(untrained.model, compiled=True)
    found = Predictor(engine, settings=untrained.recipe).predict(disc(40, 50), mpp=0.37, score=0.0)
    assert "PyTorch cannot compile here" in caplog.text
    assert not engine.model.backbone.is_compiled
    assert len(found) == len(plain)
