"""Fields: deterministic, true, of the sizes and densities of real ones."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Content
from irnet.errors import InputError
from irnet.synthetic import Patient, generate
from irnet.synthetic.kinds import KINDS
from irnet.synthetic.layout import Placement, Plan
from irnet.synthetic.smear import _draw_blurs
from irnet.synthetic.stain import STRENGTHS, Density

SIZE = (220, 260)
PRINT_DIGEST = """
import hashlib
from irnet.synthetic import generate
picture, truth = generate(7, size=(220, 260), mpp=0.37, layout="dense", palette="pap")
print(hashlib.sha256(picture.tobytes() + str(truth.cells.to_rle()).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def fields() -> list[tuple[np.ndarray, Content]]:
    return [
        generate(seed, size=SIZE, mpp=0.37, layout="dense", palette=palette, count=9)
        for seed, palette in enumerate([*STRENGTHS, *STRENGTHS])
    ]


def test_a_seed_gives_the_same_field_in_every_process():
    picture, truth = generate(7, size=SIZE, mpp=0.37, layout="dense", palette="pap")
    here = hashlib.sha256(picture.tobytes() + str(truth.cells.to_rle()).encode()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here


def test_another_seed_gives_another_field(fields: list[tuple[np.ndarray, Content]]):
    assert len({picture.tobytes() for picture, _ in fields}) == len(fields)


def test_pictures_are_rgb_bytes_of_the_size_asked_for(fields: list[tuple[np.ndarray, Content]]):
    assert all(picture.shape == (*SIZE, 3) and picture.dtype == np.uint8 for picture, _ in fields)
    assert all(truth.cells.image_shape == SIZE and truth.cells.mpp == 0.37 for _, truth in fields)


def test_nuclei_lie_inside_their_cells(fields: list[tuple[np.ndarray, Content]]):
    linked = 0
    for _, truth in fields:
        cells = truth.cells
        shared = cells.intersections(cells)
        for index in np.flatnonzero(cells.parents != NO_PARENT):
            parent = cells.parents[index]
            assert cells.labels[index] == NUCLEUS
            assert cells.labels[parent] == CYTOPLASM
            assert shared[index, parent] == cells.areas[index]
            linked += 1
    assert linked > 30


def test_every_instance_has_a_kind(fields: list[tuple[np.ndarray, Content]]):
    known = {kind.name for kind in KINDS} | {"bare"}
    for _, truth in fields:
        assert len(truth.kinds) == len(truth.cells)
        assert set(truth.kinds) <= known
        bare = np.array(truth.kinds) == "bare"
        assert (truth.cells.parents[bare] == NO_PARENT).all()
        assert (truth.cells.labels[bare] == NUCLEUS).all()


def test_masks_are_whole_where_cells_overlap(fields: list[tuple[np.ndarray, Content]]):
    overlaps = 0
    for _, truth in fields:
        cytoplasms = truth.cells.of(CYTOPLASM)
        overlaps += np.count_nonzero(np.triu(cytoplasms.intersections(cytoplasms), 1))
    assert overlaps > 30


def test_opaque_cells_are_the_same_and_hide_what_lies_under_them():
    stacked = {"size": SIZE, "mpp": 0.37, "layout": "heaped", "palette": "grey", "count": 2}
    (clear, truth), (opaque, same) = (generate(3, **stacked, opaque=hides) for hides in (False, True))
    assert same.cells.to_rle() == truth.cells.to_rle()

    below, above = truth.cells.of(CYTOPLASM).to_dense()
    inside = binary_erosion(below & above, iterations=8)
    assert np.count_nonzero(inside) > 500
    assert opaque[inside].mean() > clear[inside].mean() + 10
    apart = ~binary_dilation(above, iterations=8)
    assert np.abs(opaque[apart].astype(int) - clear[apart]).mean() < 1


def test_where_a_cell_hides_others_nothing_of_them_is_left():
    density = Density((20, 30), grey=False)
    density.add(np.ones((20, 30), np.float32), (0, 0), np.ones(3, np.float32))
    density.hide(np.ones((16, 16), bool), (-6, 8))  # partly outside the field
    assert np.allclose(density.values[:, 12:, :6], 0)
    assert np.allclose(density.values[:, :, 14:], 1)


def test_distractors_lie_in_the_frame(fields: list[tuple[np.ndarray, Content]]):
    found = [distractor for _, truth in fields for distractor in truth.distractors]
    assert {"white_cell", "speck"} <= {distractor.kind for distractor in found}
    for distractor in found:
        x1, y1, x2, y2 = distractor.box
        assert 0 <= x1 < x2 <= SIZE[1]
        assert 0 <= y1 < y2 <= SIZE[0]


def test_a_field_without_cells_is_background():
    picture, truth = generate(3, size=(64, 96), count=0, palette="grey")
    assert not [kind for kind in truth.kinds if kind != "bare"]
    assert np.median(picture) > 200


def test_grey_pictures_are_grey():
    picture, _ = generate(1, size=(64, 64), palette="grey")
    assert (picture == picture[..., :1]).all()


def test_fields_of_a_patient_share_its_background():
    patient = Patient.draw(11, "pap")
    pictures = [generate(seed, size=(256, 256), count=0, patient=patient)[0] for seed in (1, 2)]
    levels = [np.median(picture, axis=(0, 1)) for picture in pictures]
    assert np.abs(levels[0] - levels[1]).max() <= 3


def test_abnormal_smears_have_more_of_the_cells_that_only_they_add():
    added = np.array(["dysplastic" in kind.name or "carcinoma" in kind.name for kind in KINDS])
    shares = {
        abnormal: np.mean([Patient.draw(seed, "pap", abnormal).shares[added].sum() for seed in range(60)])
        for abnormal in (0.0, 1.0)
    }
    assert shares[0.0] < 0.05 < 0.15 < shares[1.0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "piled"}, "cps, dense, heaped, crowded, sparse"),
        ({"palette": "sepia"}, "pap, pale, vivid, strong, grey"),
        ({"mpp": 20.0}, "0.05 to 2"),
        ({"seed": -1}, "seed and count begin at 0"),
        ({"count": -1}, "seed and count begin at 0"),
        ({"size": (0, 32)}, "sizes at 1 px"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong: dict, message: str):
    with pytest.raises(InputError, match=message):
        generate(**{"seed": 0, "size": (32, 32)} | wrong)


def test_densities_and_sizes_are_those_of_real_grey_fields():
    """EDF fields: one cytoplasm .04 to .18 (median .084), nuclei in all .27 to .57 (median .43), 8.4 um."""
    cytoplasm, nuclei, diameters = [], [], []
    for seed in range(80):
        picture, truth = generate(seed + 50, size=(300, 300), mpp=0.37, layout="sparse", palette="grey")
        grey = picture[..., 0].astype(float)
        density = np.log10(np.percentile(grey, 95) / np.maximum(grey, 1))
        cells = truth.cells
        depth = cells.of(CYTOPLASM).to_dense().sum(axis=0)
        inside = cells.of(NUCLEUS).to_dense().any(axis=0)
        for mask in cells.of(CYTOPLASM).to_dense():
            cytoplasm.append(
                np.median(density[mask & (depth == 1) & ~inside]) if (mask & (depth == 1)).any() else 0
            )
        for index in np.flatnonzero(np.isin(truth.kinds, ["intermediate"]) & (cells.labels == NUCLEUS)):
            mask = cells.select([int(index)]).to_dense()[0]
            nuclei.append(np.median(density[mask]))
            diameters.append(2 * np.sqrt(mask.sum() / np.pi) * 0.37)
    assert 0.06 < np.median(cytoplasm) < 0.13
    assert 0.33 < np.median(nuclei) < 0.50
    assert 7.4 < np.median(diameters) < 9.4


def test_densities_are_those_of_real_conventional_fields():
    """CRIC, 2227 nuclei: their surroundings .07 to .57 (median .23), they themselves .29 to 1.10 (.66)."""
    cytoplasm, nuclei = [], []
    for seed in range(40):
        picture, truth = generate(seed, size=(400, 400), mpp=0.37, layout="dense", palette="strong")
        white = np.percentile(picture.reshape(-1, 3), 97, axis=0)
        density = np.log10(white / np.maximum(picture, 1)).clip(0).mean(axis=2)
        inside = truth.cells.of(NUCLEUS).to_dense()
        for mask in truth.cells.of(CYTOPLASM).to_dense():
            cytoplasm.append(np.median(density[mask & ~inside.any(axis=0)]))
        nuclei += [np.median(density[mask]) for mask in inside]
    assert 0.15 < np.median(cytoplasm) < 0.35
    assert 0.45 < np.median(nuclei) < 0.85


def test_white_cells_lie_by_the_hundred_on_bare_ground():
    """Real smears hold 50 to 300 of them, most of them near no cell; where few lie, many lie on cells."""
    numbers, free = [], []
    for seed in range(24):
        _, truth = generate(seed, size=(600, 600), mpp=0.37, layout="sparse", palette="pap")
        boxes = np.array([d.box for d in truth.distractors if d.kind == "white_cell"]).reshape(-1, 4)
        covered = truth.cells.of(CYTOPLASM).to_dense().any(axis=0)
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int).clip(0, 599)
        numbers.append(len(boxes))
        free += (~covered[centres[:, 1], centres[:, 0]]).tolist()
    assert np.percentile(numbers, 25) < 15 < 60 < np.percentile(numbers, 90)
    assert np.mean(free) > 0.6


def test_red_cells_lie_in_sheets_and_are_no_cells():
    dirt = replace(Patient.draw(0, "strong").dirt, red_sheets=0.5, red_cells=0.0)
    patient = replace(Patient.draw(0, "strong"), dirt=dirt)
    _, truth = generate(1, size=(400, 400), mpp=0.37, count=0, layout="heaped", patient=patient)
    boxes = np.array([d.box for d in truth.distractors if d.kind == "red_cell"])
    assert len(boxes) > 10
    assert boxes.min() >= 0
    assert boxes.max() <= 400
    diameters = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) * 0.37
    assert 4 < np.percentile(diameters, 75) < 40
    assert not len(truth.cells.of(CYTOPLASM))


def test_veils_threads_and_drops_change_the_picture_alone():
    clean = Patient.draw(2, "strong")
    bare = replace(clean.dirt, veils=0.0, threads=0.0, holes=0.0)
    laden = replace(clean.dirt, veils=3.0, threads=0.3, holes=20.0)
    fields = [
        generate(3, size=(300, 300), layout="sparse", count=4, patient=replace(clean, dirt=dirt))
        for dirt in (bare, laden)
    ]
    (without, truth), (with_veils, same) = fields
    assert with_veils.mean() < without.mean() - 2
    assert truth.cells.to_rle() == same.cells.to_rle()


def test_a_group_lies_out_of_focus_together():
    cells = [Placement(KINDS[1], (10.0 * n, 0.0), 60.0) for n in range(40)]
    camera = replace(Patient.draw(0, "strong").camera, depth=0.0, deep=1.0)
    blurs = list(_draw_blurs(np.random.default_rng(4), Plan(cells, []), camera, 0.37))
    soft = np.flatnonzero(blurs)
    assert 2 < len(soft) < 40
    assert len(soft) == np.ptp(soft) + 1  # neighbours
    assert not any(_draw_blurs(np.random.default_rng(4), Plan(cells, []), replace(camera, deep=0.0), 0.37))
