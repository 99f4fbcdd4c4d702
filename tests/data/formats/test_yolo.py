"""YOLO text as Ultralytics writes it, and lines that are wrong."""

from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.formats.yolo import find_tail, read_yolo
from irnet.errors import InputError

SHAPE = (40, 80)
MAPPING = {"0": "cytoplasm", "1": "nucleus", "2": "drop", "3": "ignore"}
LEFT = "0 0 0 0.5 0 0.5 0.5 0 0.5"  # x 0..40, y 0..20
RIGHT = "0 0.25 0 0.75 0 0.75 0.5 0.25 0.5"  # x 20..60
INNER = "1 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2"  # x 8..16, y 4..8


def write(folder: Path, *lines: str) -> Path:
    path = folder / "a.txt"
    path.write_text("\n".join(lines))
    return path


def test_outlines_become_masks_and_overlaps_stay(tmp_path: Path) -> None:
    found = read_yolo(write(tmp_path, LEFT, RIGHT, "", INNER, ""), SHAPE, mapping=MAPPING)
    cells = found.cells
    assert (found.scored, found.left_out) == (False, 0)
    assert cells.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS]
    assert cells.boxes.tolist() == [[0, 0, 40, 20], [20, 0, 60, 20], [8, 4, 16, 8]]
    assert cells.intersections(cells)[0, 1] == 20 * 20


def test_a_last_odd_number_is_the_confidence(tmp_path: Path) -> None:
    path = write(tmp_path, f"{LEFT} 0.9", f"{INNER} 0.25")
    found = read_yolo(path, SHAPE, mapping=MAPPING)
    cells = found.cells
    assert found.scored is True
    assert cells.scores.tolist() == [0.9, 0.25]
    assert cells.areas.tolist() == [800, 32]


def test_classes_may_be_dropped_and_slivers_are_left_out(tmp_path: Path) -> None:
    sliver = "0 0.5 0.5 0.500001 0.5 0.5 0.500001"
    found = read_yolo(write(tmp_path, "2" + LEFT[1:], sliver, LEFT), SHAPE, mapping=MAPPING)
    assert (found.cells.areas.tolist(), found.left_out) == ([800], 1)


def test_outlines_of_fewer_than_three_corners_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "0 0.9", "0 0.5 0.5 0.8", "0 0.5 0.5 0.5 0.6 0.7", f"{LEFT} 0.6")
    found = read_yolo(path, SHAPE, mapping=MAPPING)
    assert (found.cells.areas.tolist(), found.cells.scores.tolist()) == ([800], [0.6])
    assert (found.scored, found.left_out) == (True, 3)


@pytest.mark.parametrize(
    ("tails", "scores"),
    [
        ((" 0.9 1", " 0.8 2"), [0.9, 0.8]),
        ((" 0.9 7", " 0.8 0"), [0.9, 0.8]),
        ((" 1", " 2"), [1, 1]),
        ((" 1", " 1"), [1, 1]),
    ],
)
def test_a_whole_number_on_every_line_is_a_track(tmp_path: Path, tails: tuple, scores: list) -> None:
    path = write(tmp_path, LEFT + tails[0], RIGHT + tails[1])
    found = read_yolo(path, SHAPE, mapping=MAPPING)
    assert found.cells.areas.tolist() == [800, 800]
    assert (found.cells.scores.tolist(), found.scored) == (scores, "0." in tails[0])


def test_all_files_tell_together_what_lines_end_in(tmp_path: Path) -> None:
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text(f"{LEFT} 0.9 1")
    second.write_text(f"{LEFT} 0.9 2")
    assert find_tail([first, second]) == "score and track"
    second.write_text(f"{LEFT} 0.9 0.5")
    assert find_tail([first, second]) == "score or none"
    first.write_text(f"{LEFT} 1")
    second.write_text(f"{LEFT} 0.97")
    assert find_tail([first, second]) == "score or none"


@pytest.mark.parametrize("line", [f"{LEFT} 0.9 1", "0 0.5 0.5 0.2 0.2 0.9 1"])
def test_an_end_that_may_be_a_vertex_or_a_track_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"a\.txt, line 1: .*a confidence and a track, or a vertex"):
        read_yolo(write(tmp_path, line), SHAPE, mapping=MAPPING)


def test_an_outline_may_end_at_the_border(tmp_path: Path) -> None:
    found = read_yolo(write(tmp_path, "0 0 0.5 0.5 0.5 0.5 1 0 1"), SHAPE, mapping=MAPPING)
    assert (found.cells.areas.tolist(), found.scored) == ([800], False)


@pytest.mark.parametrize("tail", ["", " 0.9", " 0.9 2"])
def test_boxes_are_refused(tmp_path: Path, tail: str) -> None:
    with pytest.raises(InputError, match=r"a\.txt: .* boxes, not outlines"):
        read_yolo(write(tmp_path, f"0 0.1 0.1 0.2 0.2{tail}"), SHAPE, mapping=MAPPING)


def test_a_file_without_lines_finds_nothing(tmp_path: Path) -> None:
    found = read_yolo(write(tmp_path), SHAPE, mapping=MAPPING)
    assert (len(found.cells), found.cells.image_shape, found.scored) == (0, SHAPE, None)


def test_what_leaves_the_frame_a_little_is_cut(tmp_path: Path) -> None:
    found = read_yolo(write(tmp_path, "0 -0.02 0 0.5 0 0.5 1.01 -0.02 1.01"), SHAPE, mapping=MAPPING)
    assert np.array_equal(found.cells.boxes, [[0, 0, 40, 40]])


BAD = {
    "0 nan 0 0.5 0 0.5 0.5 0 0.5": "'nan' is not a number",
    "0 0 0 1e999 0 0.5 0.5 0 0.5": "'1e999' is not a number",
    "0 0 0 0.5 0 0.5 x 0 0.5": "'x' is not a number",
    "0 0 0 40 0 40 20 0 20": "from 0 to 1, not 40",
    "0 0 0 0.9 0 0.9 0.5 -0.05 0.5": "from 0 to 1, not -0.05",
    "cell 0 0 0.5 0 0.5 0.5": "whole number, not 'cell'",
    "-1 0 0 0.5 0 0.5 0.5": "whole number",
    "7 0 0 0.5 0 0.5 0.5": "--map '7=cytoplasm'",
    "3 0 0 0.5 0 0.5 0.5": "say drop",
    f"{LEFT} 1.5": "confidence must be from 0 to 1",
}


@pytest.mark.parametrize("line", BAD)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=BAD[line]) as caught:
        read_yolo(write(tmp_path, INNER, line), SHAPE, mapping=MAPPING)
    assert "a.txt, line 2" in str(caught.value)


def test_confidence_on_some_lines_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="on all or on none"):
        read_yolo(write(tmp_path, LEFT, f"{RIGHT} 0.5"), SHAPE, mapping=MAPPING)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x01" * 9)
    with pytest.raises(InputError, match=r"a\.txt: cannot be read as text"):
        read_yolo(tmp_path / "a.txt", SHAPE, mapping=MAPPING)
    with pytest.raises(InputError, match=r"b\.txt: cannot be read"):
        read_yolo(tmp_path / "b.txt", SHAPE, mapping=MAPPING)


def test_a_file_of_frames_full_of_cells_costs_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irnet.data.room.MASK_PIXELS", 2000)
    monkeypatch.setattr("irnet.data.room.INSTANCE_PIXELS", 0)
    with pytest.raises(InputError, match=r"line 3: .* more than 2,000 pixels"):
        read_yolo(write(tmp_path, LEFT, LEFT, LEFT), SHAPE, mapping=MAPPING)
