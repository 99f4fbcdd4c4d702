"""What files hold of a summary: an earlier one is read and written byte by byte, damage is named."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.errors import InputError
from irnet.metrics import Summary, render_table, score_image, summarise

FILE = Path(__file__).with_name("summary.json")  # of `scores` below, before a summary had a type
VALUES: dict[str, Any] = json.loads(FILE.read_text())


@pytest.fixture
def scores(rectangles):
    """Two cells that overlap and a nucleus, in a field with mucus; then the same with a cell missed."""
    cells = Cells.concat(
        [
            rectangles([(0, 0, 20, 15), (10, 0, 30, 15)], scores=[0.9, 0.75]),
            rectangles([(2, 2, 8, 8), (45, 2, 50, 8)], label=NUCLEUS, scores=[0.5, 0.25]),
        ]
    )
    mucus = Distractor(kind="mucus", box=(40, 0, 60, 20))
    true = replace(cells.select([0, 1, 2]), parents=np.array([-1, -1, 0]))
    truth = Content(cells=true, distractors=(mucus,))
    cuts = {CYTOPLASM: 0.4, NUCLEUS: 0.125}
    return [score_image(truth, found, cuts) for found in (cells, cells.select([1, 2, 3]), cells.select([]))]


def damaged(place: str, value: Any) -> dict[str, Any]:
    """The values with another one at a place; None removes it."""
    values = copy.deepcopy(VALUES)
    *path, last = place.split("/")
    part = values
    for key in path:
        part = part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return values


def without_bounds(values: Any) -> Any:
    """The same with the ends of intervals, which hang on random numbers, left out; keys in order."""
    if isinstance(values, dict):
        return [(key, None if key in ("low", "high") else without_bounds(v)) for key, v in values.items()]
    return [without_bounds(value) for value in values] if isinstance(values, list) else values


def test_an_earlier_file_is_read_and_written_byte_by_byte():
    summary = Summary.from_json(VALUES)
    assert json.dumps(summary.to_json(), indent=1) == FILE.read_text()
    assert summary.classes["cytoplasm"].scores["recall"].pooled.found == "3 of 6"
    assert "mucus" in render_table(summary)


def test_what_is_written_today_has_the_same_keys_and_values(scores):
    values = summarise(scores, ["a", "b", "b"], samples=20).to_json()
    assert without_bounds(values) == without_bounds(VALUES)
    assert Summary.from_json(values).to_json() == values


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("images", None, r"images: Field required"),
        ("images", "many", r"images: Input should be a valid integer"),
        ("classes", [], r"classes: Input should be a valid dictionary"),
        ("classes/cytoplasm/ap/ap50", None, r"classes\.cytoplasm\.ap\.ap50: Field required"),
        ("classes/cytoplasm/scores/aji/pooled/low", "x", r"classes\.cytoplasm\.scores\.aji\.pooled\.low: "),
        ("classes/nucleus/by_degree/0-.2", None, r"classes\.nucleus\.by_degree: 0-\.2 is missing"),
        ("classes/nucleus/by_degree/0/f1", None, r"classes\.nucleus\.by_degree\.0: f1 is missing"),
        ("classes/nucleus/calibration/bins", [{"from": 0}], r"classes\.nucleus\.calibration\.bins\.0\.to"),
        ("classes/platelet", VALUES["classes"]["nucleus"], r"classes: platelet is no class"),
        ("links/link_recall", None, r"links: link_recall is missing"),
        ("evaluated", 3, r"evaluated: "),
        ("mistakes", {"cut": {"cytoplasm": {}}}, r"mistakes\.cut: nucleus is missing"),
        (
            "classes/nucleus/by_degree/0/f1/value",
            float("inf"),
            r"classes\.nucleus\.by_degree\.0\.f1\.value: ",
        ),
        ("classes/nucleus/lowest_score", True, r"classes\.nucleus\.lowest_score: "),
        ("bootstrap/level", 10**400, r"bootstrap\.level: "),
    ],
)
def test_damage_is_named(place: str, value: Any, told: str):
    with pytest.raises(InputError, match=rf"^{told}"):
        Summary.from_json(damaged(place, value))


@pytest.mark.parametrize("values", [[], {}, None, 3, "text"])
def test_what_is_no_object_of_that_kind_is_refused(values: Any):
    with pytest.raises(InputError, match=r": (Field required|Input should be)"):
        Summary.from_json(values)
