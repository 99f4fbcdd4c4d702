"""JOMLS as a segmenter: images in, cells out."""

import subprocess
import sys

import numpy as np
import pytest
from discs import disc, iou, photograph

from irnet.baselines.jomls import JOMLS
from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.metrics import score_image
from irnet.synthetic import generate

SHAPE = (150, 190)
CENTRES = [(75, 70), (75, 120)]
DISCS = [disc(SHAPE, centre, 40) for centre in CENTRES]
NUCLEI = [disc(SHAPE, centre, 9) for centre in CENTRES]
PAIR = photograph(DISCS, NUCLEI)


@pytest.fixture(scope="module")
def pair() -> Cells:
    return JOMLS()(PAIR, 0.37)


def test_two_overlapping_discs_are_found_whole(pair: Cells) -> None:
    assert pair.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS]
    assert (pair.scores == 1).all()
    assert pair.mpp == 0.37
    dense = pair.to_dense()
    order = np.argsort(pair.boxes[:2, 0])
    for index, truth in zip(order, DISCS, strict=True):
        assert iou(dense[index], truth) > 0.94
    assert np.count_nonzero(dense[0] & dense[1]) == pytest.approx((DISCS[0] & DISCS[1]).sum(), rel=0.15)


def test_a_nucleus_knows_its_cell(pair: Cells) -> None:
    assert sorted(pair.parents.tolist()) == [NO_PARENT, NO_PARENT, 0, 1]
    shared = pair.intersections(pair)
    for nucleus in (2, 3):
        assert shared[nucleus, pair.parents[nucleus]] == pair.areas[nucleus]


def test_two_runs_are_equal(pair: Cells) -> None:
    again = JOMLS()(PAIR, 0.37)
    assert again.to_rle() == pair.to_rle()


def test_without_a_scale_the_image_is_taken_as_it_is(pair: Cells) -> None:
    assert JOMLS()(PAIR).to_rle() == pair.to_rle()


def test_an_image_of_half_the_pixel_size_has_the_same_cells(pair: Cells) -> None:
    larger = np.kron(PAIR, np.ones((2, 2, 1), dtype=np.uint8))
    cells = JOMLS()(larger, 0.185)
    assert cells.image_shape == (300, 380)
    assert cells.areas == pytest.approx(4 * pair.areas, rel=0.05)
    assert cells.boxes == pytest.approx(2 * pair.boxes, abs=5)


def test_a_darker_camera_sees_the_same_cells(pair: Cells) -> None:
    cells = JOMLS()((PAIR * 0.8).astype(np.uint8), 0.37)
    assert cells.iou(pair).max(axis=1).min() > 0.85


def test_with_one_nucleus_the_clump_is_the_cell() -> None:
    (cell,) = JOMLS()(photograph(DISCS, NUCLEI[:1]), 0.37).of(CYTOPLASM).to_dense()
    assert iou(cell, DISCS[0] | DISCS[1]) > 0.94


def test_a_clump_without_a_nucleus_is_dropped() -> None:
    far = [disc((150, 330), (75, 60), 40), disc((150, 330), (75, 250), 40)]
    cells = JOMLS()(photograph(far, [disc((150, 330), (75, 60), 9)]), 0.37)
    assert cells.labels.tolist() == [CYTOPLASM, NUCLEUS]
    assert iou(cells.to_dense()[0], far[0]) > 0.93


@pytest.mark.parametrize("shape", [(120, 140), (3, 5), (1, 1), (40, 2)])
def test_an_empty_image_has_no_cells(shape: tuple[int, int]) -> None:
    blank = np.full((*shape, 3), 230, dtype=np.uint8)
    cells = JOMLS()(blank, 0.37)
    assert len(cells) == 0
    assert cells.image_shape == shape


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_have_no_cells(level: int) -> None:
    assert len(JOMLS()(np.full((60, 60, 3), level, dtype=np.uint8))) == 0


def test_noise_has_no_cells() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    assert len(JOMLS()(noise)) == 0


def test_fitted_on_other_images_it_finds_the_same(pair: Cells) -> None:
    fitted = JOMLS.fit([(PAIR, 0.37), (photograph(DISCS[:1], NUCLEI[:1]), 0.37)])
    cells = fitted(PAIR, 0.37)
    assert cells.iou(pair).max(axis=1).min() > 0.95
    assert fitted.gaussians is not None
    assert fitted.gaussians.means.shape == (2, 3)


def test_images_without_cells_teach_nothing() -> None:
    with pytest.raises(InputError, match="give images with cells"):
        JOMLS.fit([(np.full((60, 60, 3), 230, dtype=np.uint8), 0.37)])


@pytest.mark.parametrize(
    ("image", "mpp", "message"),
    [
        (np.zeros((8, 8), dtype=np.uint8), None, r"\(H, W, 3\)"),
        (np.zeros((8, 8, 3)), None, "uint8"),
        (np.zeros((0, 8, 3), dtype=np.uint8), None, r"\(H, W, 3\)"),
        (np.zeros((8, 8, 3), dtype=np.uint8), 0.0, "out of range"),
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray, mpp: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        JOMLS()(image, mpp)


def test_most_cells_of_generated_smears_are_found() -> None:
    found = truths = 0.0
    for seed in range(1, 9):
        image, truth = generate(seed, size=(360, 360), mpp=0.37, layout="sparse", palette="grey")
        recall = score_image(truth, JOMLS()(image, 0.37)).classes[CYTOPLASM].ratios["recall"]
        found, truths = found + recall.numerator, truths + recall.denominator
    assert truths > 20
    assert found / truths > 0.5


def test_torch_stays_out() -> None:
    code = "import sys, irnet.baselines.jomls; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("missing", ["numba", "cv2"])
def test_a_missing_extra_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from irnet.errors import InputError\n"
        "try:\n    import irnet.baselines.jomls\n"
        "except InputError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install ".[jomls]"' in said.stdout
