"""Predictor: any image in, cells in its own pixels out, regardless of the scale and the size."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
import torch

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.config import PerClass, Settings
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.inference.resizing import network_shape
from irnet.inference.scale import FIRST_LOOK, LEAST_LOOKS, OWN, PRIOR_NUCLEI, SMALLER_LOOK, digest
from irnet.inference.segmenter import ONE_PIECE
from irnet.inference.weights import save_weights
from irnet.models.build import build_model
from irnet.models.image_batch import ImageBatch
from irnet.models.postprocess import Instances
from irnet.morphometry.pairing import pair_nuclei


def draw_discs(*centres: tuple[int, int], shape: tuple[int, int], radius: float = 22.0) -> np.ndarray:
    """Grey discs with a dark nucleus in the middle on white."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full((*shape, 3), 240, dtype=np.uint8)
    for cx, cy in centres:
        distance = np.hypot(x - cx, y - cy)
        image[distance < radius] = 170
        image[distance < radius / 3] = 60
    return image


PAIR = draw_discs((40, 40), (100, 90), shape=(140, 150))


def assert_discs(cells: Cells, image: np.ndarray) -> None:
    """The cytoplasms are the discs of the image, each with its nucleus."""
    found = cells.of(CYTOPLASM).to_dense().any(axis=0)
    dark = image[:, :, 0] < 210
    assert (found & dark).sum() / (found | dark).sum() > 0.93
    assert (cells.parents[cells.labels == NUCLEUS] >= 0).all()
    assert (cells.labels == CYTOPLASM).sum() == (cells.labels == NUCLEUS).sum()


def test_arrays_pictures_and_files_give_the_same(blobs: Predictor, tmp_path: Path):
    PIL.Image.fromarray(PAIR).save(tmp_path / "pair.png")
    expected = blobs.predict(PAIR).to_rle()
    assert len(expected) == 4
    grey = PAIR[:, :, 0]
    wide = grey.astype(np.uint16) * 257
    opaque = np.dstack([PAIR, np.full(PAIR.shape[:2], 255, np.uint8)])
    pictures = PIL.Image.fromarray(PAIR), tmp_path / "pair.png", str(tmp_path / "pair.png")
    for same in (*pictures, grey, grey[:, :, None], wide, opaque):
        assert blobs.predict(same).to_rle() == expected


@pytest.mark.parametrize("mpp", [0.37, 0.185, 0.74, 0.29])
def test_an_image_of_known_scale_is_seen_at_the_networks_scale(blobs: Predictor, mpp: float):
    size = tuple(round(side * 0.37 / mpp) for side in PAIR.shape[:2])
    image = np.asarray(PIL.Image.fromarray(PAIR).resize(size[::-1], PIL.Image.Resampling.BOX))
    cells = blobs.predict(image, mpp=mpp)
    assert blobs.model.seen == [PAIR.shape[:2]]
    assert (cells.image_shape, cells.mpp) == (size, mpp)
    assert_discs(cells, image)


def test_a_scale_that_contradicts_the_file_is_said(blobs: Predictor, tmp_path: Path, caplog):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, PAIR, photometric="rgb", resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
    blobs.predict(file, mpp=0.37)
    assert "a.tif: mpp 0.37 is taken, and not the 0.5 um per pixel stated" in caplog.text
    caplog.clear()
    blobs.predict(file)
    assert "is taken, and not" not in caplog.text


def test_an_unknown_scale_is_said(blobs: Predictor):
    found = blobs.find(PAIR)
    assert "own resolution, 2 nuclei in cells, too few" in found.notes[0]
    assert (found.zoom, found.zoom_estimated) == (1.0, False)
    assert blobs.find(PAIR, 0.37).notes == ()
    assert blobs.predict(PAIR).mpp is None


GRID = [(x, y) for x in range(60, 500, 110) for y in range(60, 720, 110)]  # 24 cells
FIELD = (720, 500)


def at(zoom: float) -> tuple[np.ndarray, float]:
    """The grid with nuclei of 22.4 / zoom px, and the zoom that 24 nuclei tell."""
    shape = round(FIELD[0] / zoom), round(FIELD[1] / zoom)
    places = [(round(x / zoom), round(y / zoom)) for x, y in GRID]
    return draw_discs(*places, shape=shape, radius=1.5 * 22.4 / zoom), zoom ** (24 / (24 + PRIOR_NUCLEI))


@pytest.mark.parametrize("zoom", [0.5, 0.7, 1.6, 2.0])
def test_nuclei_tell_an_unknown_scale(blobs: Predictor, zoom: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("irnet.inference.scale.FIRST_LOOK", 1500)
    image, told = at(zoom)
    found = blobs.find(image)
    assert found.zoom == pytest.approx(told, rel=0.05)
    assert found.zoom_estimated
    assert "estimated from 24 nuclei on 1 image," in found.notes[0]
    smaller, *own, once_more = blobs.model.seen
    assert smaller == tuple(round(side * SMALLER_LOOK) for side in image.shape[:2])
    assert own == [] if zoom < 1 else [image.shape[:2]]  # what is to shrink is not looked at in full
    assert found.cells.image_shape == image.shape[:2]
    assert once_more == tuple(round(side * found.zoom) for side in image.shape[:2])
    assert found.cells.mpp is None  # an estimate is no measure
    assert_discs(blobs.choose(found.cells), image)


def test_what_was_seen_at_its_own_size_is_not_looked_for_again(blobs: Predictor):
    image = at(1.0)[0]
    found = blobs.find(image)
    assert blobs.model.seen == [(432, 300), FIELD]
    assert (found.zoom, found.zoom_estimated) == (1.0, True)
    blobs.model.seen.clear()
    scale = blobs.scale_of([image, image[:400]])
    assert blobs.find(image, scale=scale).cells is scale.seen[digest(image)].cells
    assert blobs.model.seen == [(432, 300), (240, 300), FIELD, (400, 500)]


def test_no_more_images_are_looked_at_than_tell_the_scale(blobs: Predictor):
    image = at(0.7)[0]  # 24 nuclei
    looks = iter([image] * 32)
    scale = blobs.scale_of(looks)
    assert (scale.images, scale.nuclei) == (9, 216)  # 200 are enough
    assert len(list(looks)) == 32 - 9
    assert len(blobs.model.seen) == 9


def test_few_images_full_of_nuclei_are_all_looked_at(blobs: Predictor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("irnet.inference.scale.ENOUGH_NUCLEI", 24)
    assert blobs.scale_of([at(0.7)[0]] * 32).images == LEAST_LOOKS


def test_a_scale_that_is_known_or_given_is_not_estimated(blobs: Predictor):
    image = at(1.6)[0]
    shape = image.shape[:2]
    known, kept, half = blobs.find(image, 0.37), blobs.find(image, scale=OWN), blobs.predict(image, scale=0.5)
    assert blobs.model.seen == [shape, shape, tuple(side // 2 for side in shape)]
    assert not known.zoom_estimated
    assert not kept.zoom_estimated
    assert known.cells.to_rle() == kept.cells.to_rle() != blobs.find(image).cells.to_rle()
    assert half.image_shape == shape
    assert blobs.predict(image, scale=1).to_rle() == blobs.choose(kept.cells).to_rle()
    blobs.model.seen.clear()
    never = blobs.settings.predict.model_copy(update={"nucleus_px": 0.0})
    blobs.settings = blobs.settings.model_copy(update={"predict": never})
    assert blobs.find(image).notes == ("um per pixel unknown: taken at its own resolution",)
    assert blobs.model.seen == [shape]
    with pytest.raises(InputError, match="scale 0 is out of range"):
        blobs.predict(image, scale=0)


def test_a_network_of_unknown_scale_has_one_by_its_nuclei(blobs: Predictor):
    unscaled = blobs.settings.data.model_copy(update={"mpp": 0.0})
    blobs.settings = blobs.settings.model_copy(update={"data": unscaled})
    image = at(1.6)[0]
    assert blobs.find(image).zoom_estimated
    assert blobs.find(image, 0.25).zoom == 1  # which um per pixel do not tell


def test_images_of_a_list_share_one_scale(blobs: Predictor, caplog: pytest.LogCaptureFixture):
    image, _ = at(0.6)
    parts = [image[:600], image[600:]]
    found = blobs.predict(parts)
    assert [len(cells) > 0 and cells.image_shape for cells in found] == [part.shape[:2] for part in parts]
    zooms = {round(seen[1] / image.shape[1], 2) for seen in blobs.model.seen[2:]}
    assert len(zooms) == 1
    assert zooms != {1.0}
    (line,) = [record.message for record in caplog.records if "estimated" in record.message]
    assert "on 2 images" in line
    caplog.clear()
    blobs.predict(parts, mpp=0.37)
    assert not caplog.records


def test_a_list_is_told_of_as_it_goes_and_gives_what_each_gives_alone(blobs: Predictor, tmp_path: Path):
    PIL.Image.fromarray(PAIR).save(tmp_path / "pair.png")
    images = (tmp_path / "pair.png", PAIR[:, ::-1], PIL.Image.fromarray(PAIR))
    told = []
    found = blobs.predict(images, mpp=0.37, progress=lambda *heard: told.append(heard))
    assert told == [("pair.png", 1, 3), ("image 2", 2, 3), ("image 3", 3, 3)]
    assert [cells.to_rle() for cells in found] == [blobs(image, 0.37).to_rle() for image in images]
    assert blobs.predict([]) == []


def test_a_generator_is_read_image_by_image(blobs: Predictor):
    read, told = [], []

    def images():
        for number in range(3):
            read.append(number)
            yield PAIR

    found = blobs.predict(images(), mpp=0.37, progress=lambda *heard: told.append(heard))
    assert read == []
    assert len(next(found)) == 4
    assert (read, told) == ([0], [("image 1", 1, 0)])
    assert [len(cells) for cells in found] == [4, 4]
    with pytest.raises(InputError, match="score 7"):  # before it is asked for the first
        blobs.predict(images(), score=7)


def test_the_first_images_of_a_generator_give_its_scale(
    blobs: Predictor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("irnet.inference.predict.LOOKED_AT", 2)
    image, _ = at(0.6)
    parts = [image[:600], image[600:], image[:600], image[:300]]
    found = list(blobs.predict(part for part in parts))
    assert [cells.to_rle() for cells in found[:2]] == [cells.to_rle() for cells in blobs.predict(parts[:2])]
    assert [cells.image_shape for cells in found] == [part.shape[:2] for part in parts]
    assert found[2].to_rle() == found[0].to_rle()
    assert "on 2 images" in caplog.records[0].message


def test_a_late_image_of_a_generator_without_a_scale_says_what_it_was_taken_at(
    blobs: Predictor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("irnet.inference.predict.LOOKED_AT", 0)  # as if the first ones all stated theirs
    assert len(next(blobs.predict(iter([PAIR])))) == 4
    assert "own resolution" in caplog.records[0].message


def test_late_images_of_a_generator_share_a_scale_and_notes_name_their_image(
    blobs: Predictor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("irnet.inference.predict.LOOKED_AT", 0)  # as if the first ones all stated theirs
    image, _ = at(0.6)
    list(blobs.predict(iter([image, image[:600], PAIR])))
    assert sum("estimated" in record.message for record in caplog.records) == 1
    caplog.clear()
    list(blobs.predict(iter([PAIR]), scale=0.5))
    assert "as asked" in caplog.records[0].message
    caplog.clear()
    blobs.predict([PAIR, np.dstack([PAIR, np.full(PAIR.shape[:2], 9, np.uint8)])], mpp=0.37)
    assert [record.message.split(":")[0] for record in caplog.records] == ["image 2"]


def test_a_file_that_is_none_is_named_before_work_and_a_generator_gives_what_came_before(
    blobs: Predictor, tmp_path: Path
):
    PIL.Image.fromarray(PAIR).save(tmp_path / "pair.png")
    (tmp_path / "notes.png").write_text("no image")
    files = [tmp_path / "pair.png", tmp_path / "notes.png"]
    for mpp in (None, 0.37):
        with pytest.raises(InputError, match=r"notes\.png"):
            blobs.predict(files, mpp)
        assert blobs.model.seen == []

    found = blobs.predict(iter(files), 0.37)
    assert len(next(found)) == 4
    with pytest.raises(InputError, match=r"notes\.png"):
        next(found)


def test_the_middle_of_a_large_image_tells_its_scale(blobs: Predictor):
    places = [(x, y) for x in range(60, 3000, 130) for y in (60, 200, 340, 480)]
    image = draw_discs(*places, shape=(540, 3060), radius=50)  # nuclei of 33 px
    found = blobs.find(image)
    assert blobs.model.seen[0] == (round(540 * SMALLER_LOOK), round(FIRST_LOOK * SMALLER_LOOK))
    assert found.zoom == pytest.approx(22.4 / 33.3, rel=0.12)  # of 28 nuclei
    assert len(found.cells) == 2 * len(places)
    assert sum("estimated" in note for note in found.notes) == 1


def test_an_image_without_cells(blobs: Predictor, tiny: Settings):
    blank = np.full((70, 90, 3), 245, np.uint8)
    for predictor in (blobs, Predictor(build_model(tiny.model), settings=tiny)):
        cells = predictor.predict(blank, mpp=0.3)
        assert (len(cells), cells.image_shape) == (0, (70, 90))


def test_scores_cut_by_class_or_for_both(blobs: Predictor):
    assert blobs.scores == {CYTOPLASM: 0.5, NUCLEUS: 0.5}
    assert len(blobs.predict(PAIR)) == 4  # cells score 0.9, nuclei 0.6
    assert set(blobs.predict(PAIR, score=0.7).labels) == {CYTOPLASM}
    predict = blobs.settings.predict.model_copy(
        update={"score": blobs.settings.predict.score.model_copy(update={"nucleus": 0.7})}
    )
    blobs.settings = blobs.settings.model_copy(update={"predict": predict})
    assert set(blobs.predict(PAIR).labels) == {CYTOPLASM}


@pytest.mark.parametrize("values", [{"score": 1.5}, {"score": 0.01}, {"mpp": 25.0}, {"mpp": 0.0}])
def test_values_out_of_range_are_refused(blobs: Predictor, values: dict[str, float]):
    with pytest.raises(InputError, match="out of range"):
        blobs.predict(PAIR, **values)


@pytest.mark.parametrize(
    "image", [np.zeros((5, 5, 3)), np.zeros((2, 5, 5, 3), np.uint8), np.zeros((0, 5), np.uint8)]
)
def test_other_arrays_are_refused(blobs: Predictor, image: np.ndarray):
    with pytest.raises(InputError, match="not an image"):
        blobs.predict(image)


@pytest.mark.parametrize("mpp", [0.37, 0.25])
def test_large_images_go_window_by_window(blobs: Predictor, mpp: float):
    places = [(x, y) for x in range(60, 2900, 173) for y in (60, 300)]
    image = draw_discs(*places, shape=(360, 3080), radius=30)
    found = blobs.find(image, mpp)
    assert len(blobs.model.seen) >= 2
    assert max(side for shape in blobs.model.seen for side in shape) <= ONE_PIECE
    assert "windows" in found.notes[0]
    cells = blobs.predict(image, mpp)
    assert (len(cells), cells.image_shape, cells.mpp) == (2 * len(places), image.shape[:2], mpp)
    assert_discs(cells, image)


def test_smaller_windows_when_memory_runs_out(blobs: Predictor):
    places = [(x, y) for x in range(60, 1500, 200) for y in range(60, 1500, 200)]
    image = draw_discs(*places, shape=(1536, 1536))
    blobs.model.memory_px = 1300**2
    cells = blobs.predict(image)
    assert len(cells) == 2 * len(places)
    blobs.model.memory_px = 300**2
    with pytest.raises(MemoryError):
        blobs.predict(image)


def limit_to(most: int, blobs: Predictor) -> Settings:
    predict = blobs.settings.predict.model_copy(update={"max_per_megapixel": most})
    return blobs.settings.model_copy(update={"predict": predict})


def test_the_limit_of_candidates_is_said(blobs: Predictor):
    blobs.settings = limit_to(4, blobs)
    assert any("limit of 4" in note for note in blobs.find(PAIR, 0.37).notes)
    blobs.settings = limit_to(5, blobs)
    assert blobs.find(PAIR, 0.37).notes == ()


class OneMaskEmpty(torch.nn.Module):
    """Finds what the other finds, but draws nothing in the first box."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: list[torch.Tensor]) -> list[Instances]:
        (found,) = self.model(images)
        found.masks[:1] = 0
        return [found]


@pytest.mark.parametrize("shape", [(140, 150), (140, ONE_PIECE + 64)], ids=["one piece", "windows"])
def test_a_candidate_without_a_pixel_counts_for_the_limit(blobs: Predictor, shape: tuple[int, int]):
    image = draw_discs((40, 40), (100, 90), shape=shape)
    predictor = Predictor(OneMaskEmpty(blobs.model), settings=limit_to(4, blobs))  # type: ignore[arg-type]
    found = predictor.find(image, 0.37)
    assert len(found.cells) == 3
    assert any("limit" in note for note in found.notes)


class Resizing(torch.nn.Module):
    """Resizes images as the paper's network does, then finds dark blobs."""

    def __init__(self, blobs: torch.nn.Module, settings: Settings) -> None:
        super().__init__()
        low, high = settings.model.min_size, settings.model.max_size
        self.prepare = ImageBatch(mean=[0.0] * 3, std=[1.0] * 3, min_size=low, max_size=high)
        self.blobs = blobs

    def forward(self, images: list[torch.Tensor]) -> list[Instances]:
        batch, ((height, width),), scales = self.prepare(images)
        (found,) = self.blobs([batch[0, :, :height, :width]])
        return [found._replace(boxes=found.boxes / scales[0].repeat(2))]


@pytest.fixture
def resizing(blobs: Predictor) -> Predictor:
    """A predictor whose network makes the shorter side 500 px."""
    model = blobs.settings.model.model_copy(update={"min_size": 500, "max_size": 1600})
    settings = limit_to(4, blobs).model_copy(update={"model": model})
    return Predictor(Resizing(blobs.model, settings), settings=settings)  # type: ignore[arg-type]


def test_a_network_that_resizes_sees_a_large_image_at_one_scale(blobs: Predictor, resizing: Predictor):
    places = [(x, y) for x in range(90, 2900, 200) for y in (100, 300, 700)]
    image = draw_discs(*places, shape=(1000, 3000), radius=60)
    found = resizing.find(image)
    assert blobs.model.seen == [(500, 1500)]
    assert found.cells.image_shape == (1000, 3000)
    assert_discs(resizing.choose(found.cells), image)
    assert not any("windows" in note for note in found.notes)


def test_a_network_that_resizes_gets_no_windows_when_memory_runs_out(blobs: Predictor, resizing: Predictor):
    blobs.model.memory_px = 500 * 800  # windows of 1536 px would fit
    with pytest.raises(MemoryError):
        resizing.find(draw_discs((400, 400), shape=(1000, 1990)))


def test_the_limit_is_that_of_the_size_in_the_network(resizing: Predictor):
    image = draw_discs((400, 400), (1000, 900), shape=(1500, 1500), radius=66)
    assert any("limit" in note for note in resizing.find(image, 0.37).notes)


@pytest.mark.parametrize("shape", [(1500, 1500), (1000, 3000), (331, 997), (90, 70), (1999, 777)])
def test_the_size_in_the_network_is_known(resizing: Predictor, shape: tuple[int, int]):
    _, sizes, _ = resizing.model.prepare([torch.zeros(3, *shape)])
    assert network_shape(shape, resizing.settings.model) == sizes[0]


def test_a_weights_file_makes_a_predictor(tiny: Settings, tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_weights(path, build_model(tiny.model), settings=tiny, trained={})
    predictor = Predictor.load(path, device="cpu")
    assert predictor.settings == tiny
    assert predictor.source == path
    with pytest.raises(InputError, match="CUDA devices"):
        Predictor.load(path, device="cuda:9")


class Twice(torch.nn.Module):
    """Finds everything twice, the second time with a lower score and a little higher up."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: list[torch.Tensor]) -> list[Instances]:
        return [self._double(found) for found in self.model(images)]

    def _double(self, found: Instances) -> Instances:
        again = found._replace(boxes=found.boxes - torch.tensor([0, 1, 0, 1]), scores=found.scores / 2)
        return Instances(*(torch.cat(fields) for fields in zip(found, again, strict=True)))


@pytest.mark.parametrize("shape", [(140, 150), (140, ONE_PIECE + 64)], ids=["one piece", "windows"])
@pytest.mark.parametrize("suppression", ["box", "mask", "soft"])
def test_masks_suppress_each_other_where_boxes_did_not(blobs: Predictor, suppression: str, shape):
    image = draw_discs((40, 40), (100, 90), shape=shape)
    predict = blobs.settings.predict.model_copy(update={"suppression": suppression})
    settings = blobs.settings.model_copy(update={"predict": predict})
    found = Predictor(Twice(blobs.model), settings=settings).find(image).cells  # type: ignore[arg-type]
    assert len(found) == (4 if suppression == "mask" else 8)  # boxes: the network's own part
    assert_discs(pair_nuclei(found.select(found.scores > 0.46)), image)


@pytest.fixture
def untrained(tiny: Settings) -> Predictor:
    """A network that finds something in everything."""
    torch.manual_seed(0)
    predict = tiny.predict.model_copy(update={"floor": 0.0, "max_per_megapixel": 12})
    settings = tiny.model_copy(update={"predict": predict})
    return Predictor(build_model(settings.model, settings.loss, settings.predict), settings=settings)


def test_four_views_are_asked_for_at_a_door_or_once_for_all(untrained: Predictor, tmp_path: Path):
    one, four = (untrained.predict(PAIR, 0.37, 0.0, views=views) for views in (1, 4))
    assert np.array_equal(one.scores, untrained.predict(PAIR, 0.37, 0.0).scores)
    assert not np.array_equal(one.scores, four.scores)
    path = tmp_path / "weights.safetensors"
    save_weights(path, untrained.model, settings=untrained.settings, trained={}, half=False)
    loaded = Predictor.load(path, device="cpu", views=4)
    assert (loaded.origin()["views"], untrained.origin()["views"]) == (4, 1)
    assert np.array_equal(loaded.predict(PAIR, 0.37, 0.0).scores, four.scores)
    for views in (0, 2, 8):
        with pytest.raises(InputError, match=r"views . is out of range: give 1 or 4"):
            untrained.predict(PAIR, 0.37, views=views)


def test_four_views_have_a_point_of_their_own(untrained: Predictor):
    point = {
        "score": {"cytoplasm": 0.2, "nucleus": 0.3},
        "drm_power": {"cytoplasm": 0.5, "nucleus": 1.0},
        "mask_threshold": {"cytoplasm": 0.4, "nucleus": 0.5},
    }
    values = untrained.recipe.model_dump()
    values["predict"]["views"] = {"4": point}
    settings = Settings.model_validate(values)
    one = Predictor(untrained.model, settings=settings)
    four = one.seeing(4)
    assert one.scores == untrained.scores
    assert four.scores == {CYTOPLASM: 0.2, NUCLEUS: 0.3}
    assert four.origin()["drm_power"] == point["drm_power"]
    assert four.origin()["mask_threshold"] == point["mask_threshold"]
    assert four.seeing(1).scores == one.scores
    plain = untrained.seeing(4).find(PAIR, 0.37).cells
    assert four.find(PAIR, 0.37).cells.scores.max() > plain.scores.max()  # p < 1 counts for less


def test_four_views_of_a_large_image_go_window_by_window(untrained: Predictor, monkeypatch):
    monkeypatch.setattr("irnet.inference.segmenter.ONE_PIECE", 256)
    monkeypatch.setattr("irnet.inference.windows.WINDOWS", ((256, 384),))
    seen, prepare = [], untrained.model.prepare.forward
    monkeypatch.setattr(
        untrained.model.prepare,
        "forward",
        lambda images: (seen.append(images[0].shape[1:]), prepare(images))[1],
    )
    found = untrained.seeing(4).find(np.tile(PAIR, (1, 2, 1)), 0.37)
    assert found.notes[0].startswith("2 windows")
    assert len(found.cells) > 0
    upright, transposed = (140, 300), (300, 140)
    assert seen[:4] == [*[upright] * 3, transposed]
    assert len(seen) % 4 == 0


def test_settings_of_older_weights_are_those_of_the_paper():
    """Without the fields that came later: p(correct) counts in full, masks end at .5, views share the cut."""
    values = Settings().model_dump(mode="json")
    for name in ("drm_power", "mask_threshold", "views"):
        del values["predict"][name]
    values["predict"]["score"] = {"cytoplasm": 0.6, "nucleus": 0.4}
    predict = Settings.model_validate(values).predict
    assert predict.drm_power == PerClass(cytoplasm=1, nucleus=1)
    assert predict.mask_threshold == PerClass(cytoplasm=0.5, nucleus=0.5)
    assert predict.at(4).score == predict.at(1).score == PerClass(cytoplasm=0.6, nucleus=0.4)


def test_a_lower_mask_threshold_gives_larger_cells(blobs: Predictor):
    blurred = blobs.settings.predict.model_copy(
        update={"mask_threshold": PerClass(cytoplasm=0.2, nucleus=0.5)}
    )
    wider = Predictor(blobs.model, settings=blobs.settings.model_copy(update={"predict": blurred}))
    before, after = blobs.predict(PAIR, 0.37), wider.predict(PAIR, 0.37)
    assert (after.of(CYTOPLASM).areas > before.of(CYTOPLASM).areas).all()
    assert np.array_equal(after.of(NUCLEUS).areas, before.of(NUCLEUS).areas)
