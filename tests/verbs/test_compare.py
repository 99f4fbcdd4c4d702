"""Two methods compared on annotated images."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import NUCLEUS, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import sha256
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.verbs.compare import compare
from irnet.verbs.evaluate import evaluate
from irnet.verbs.report import write_report


@pytest.fixture
def find(circles: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write predictions that are what `choose` leaves of the truth."""

    def write(name: str, choose: Callable[[Cells], Cells], numbers: bool = True, **info: object) -> Path:
        entries = []
        for entry in read_coco(circles):
            cells = choose(entry.content.cells)
            shown = tuple(range(100, 100 + len(cells))) if numbers else ()
            entries.append(replace(entry, content=Content(cells=cells, numbers=shown)))
        write_coco(tmp_path / name / "predictions.json", entries, scores=True, info=info)
        return tmp_path / name

    return write


def all_of(cells: Cells) -> Cells:
    return replace(cells, scores=cells.scores * 0.8)


def without_the_first(cells: Cells) -> Cells:
    return all_of(cells).select(slice(1, None))


def test_what_differs_is_written_beside_the_scores_of_each(
    find: Callable[..., Path], circles: Path, tmp_path: Path
) -> None:
    full, less = find("full", all_of), find("less", without_the_first)
    done = compare([full, less], circles, tmp_path / "out")
    out = tmp_path / "out"

    written = json.loads((out / "comparison.json").read_text())
    recall = written["classes"]["cytoplasm"]["recall"]["pooled"]
    assert recall["first"]["value"] == 1
    assert recall["difference"]["value"] == pytest.approx(recall["second"]["value"] - 1)
    assert written["first"]["source"] == str(full)
    lost = written["changes"]["found by A, missed by B"]
    assert lost["cytoplasm"] == sum(len(entry.content.cells) > 0 for entry in read_coco(circles))

    assert (out / "table.txt").read_text() == done.table
    assert done.table.startswith("A: full\nB: less\n")
    page = (out / "gallery.html").read_text()
    assert "Found by A, missed by B" in page
    assert "true #0, A #100, x" in page
    assert "IoU with the truth: A 1.00, B unmatched" in page
    assert page.count("data:image/jpeg") >= 4
    assert "<strong>-0." in page  # a difference that is clear

    for side, source in (("A", full), ("B", less)):
        evaluate(source, circles, tmp_path / side)
        for name in ("summary.json", "table.txt"):
            assert (out / side / name).read_bytes() == (tmp_path / side / name).read_bytes()
    assert write_report(out / "B").exit_code == 0
    with pytest.raises(InputError, match=r"a comparison of two methods, whose page is .*gallery\.html"):
        write_report(out)


def test_a_network_is_compared_with_finished_predictions(
    find: Callable[..., Path], blobs_installed: Predictor, circles: Path, tmp_path: Path
) -> None:
    done = compare(["bundled", find("full", all_of)], circles, tmp_path / "out")
    assert done.comparison.patients == 3
    assert done.comparison.classes["cytoplasm"]["recall"]["pooled"].second.value == 1


def test_pictures_that_are_gone_are_told(find: Callable[..., Path], circles: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved" / "annotations.json"
    moved.parent.mkdir()
    moved.write_bytes((circles / "annotations.json").read_bytes())
    compare([find("full", all_of), find("less", without_the_first)], moved, tmp_path / "out")
    page = (tmp_path / "out" / "gallery.html").read_text()
    assert "no picture: " in page
    assert "true #0, A #100, x" in page


def test_classes_that_one_does_not_look_for_are_left_out(
    find: Callable[..., Path], circles: Path, tmp_path: Path
) -> None:
    nuclei = tmp_path / "nuclei.json"
    entries = []
    for entry in read_coco(circles):
        content = Content(cells=all_of(entry.content.cells.of(NUCLEUS)), annotated=frozenset({NUCLEUS}))
        entries.append(replace(entry, content=content))
    write_coco(nuclei, entries, scores=True)
    done = compare([find("full", all_of), nuclei], circles, tmp_path / "out", exclude_border=True)
    assert list(done.comparison.classes) == ["nucleus"]
    assert done.comparison.links == {}

    page = write_report(tmp_path / "out" / "A").file.read_text()
    assert "cytoplasm" not in page[page.index("Every image") :]


def test_the_same_twice_a_third_and_swapped_arguments_are_refused(
    find: Callable[..., Path], circles: Path, tmp_path: Path
) -> None:
    full, less = find("full", all_of), find("less", without_the_first)
    with pytest.raises(InputError, match="named twice"):
        compare([full, full / "." / ""], circles, tmp_path / "out")
    with pytest.raises(InputError, match="named twice"):
        compare([full, full / "predictions.json"], circles, tmp_path / "out")
    with pytest.raises(InputError, match=f"go last, irnet evaluate {full} {less} {circles}"):
        compare([full, circles], less, tmp_path / "out")
    with pytest.raises(InputError, match="3 sources before the data set"):
        compare([full, less, full], circles, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scores_of_one_method_do_not_stay_beside_a_comparison(
    find: Callable[..., Path], circles: Path, tmp_path: Path
) -> None:
    full, less = find("full", all_of), find("less", without_the_first)
    evaluate(full, circles, tmp_path / "out")
    compare([full, less], circles, tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists()
    evaluate(full, circles, tmp_path / "out")
    assert not (tmp_path / "out" / "comparison.json").exists()
    assert "Mistakes" in (tmp_path / "out" / "gallery.html").read_text()


def test_the_report_of_scores_goes_with_them(
    find: Callable[..., Path], circles: Path, tmp_path: Path
) -> None:
    full, less, out = find("full", all_of), find("less", without_the_first), tmp_path / "out"
    for replace_scores in (lambda: evaluate(less, circles, out), lambda: compare([full, less], circles, out)):
        evaluate(full, circles, out)
        page = write_report(out).file
        assert page.is_file()
        replace_scores()
        assert not page.exists()


@pytest.fixture
def unscaled(circles: Path, tmp_path: Path) -> Path:
    """The same truth, of which nobody knows um per pixel."""
    entries = []
    for entry in read_coco(circles):
        cells = replace(entry.content.cells, mpp=None)
        entries.append(replace(entry, content=replace(entry.content, cells=cells)))
    write_coco(tmp_path / "unscaled" / "annotations.json", entries)
    return tmp_path / "unscaled"


@pytest.mark.parametrize(
    ("first", "second", "unit", "remarks"), [(0.1, None, "um", 0), (None, None, "px", 0), (0.1, 0.5, "px", 1)]
)
def test_outlines_of_both_are_held_to_one_scale(
    find: Callable[..., Path],
    unscaled: Path,
    tmp_path: Path,
    first: float | None,
    second: float | None,
    unit: str,
    remarks: int,
) -> None:
    def smaller(cells: Cells) -> Cells:
        return replace(all_of(cells), masks=tuple(shaved(mask) for mask in cells.masks))

    sources = [
        find(name, lambda cells, mpp=mpp: replace(smaller(cells), mpp=mpp))
        for name, mpp in (("first", first), ("second", second))
    ]
    done = compare(sources, unscaled, tmp_path / "out").comparison
    scores = done.classes["cytoplasm"]
    for name in ("boundary_iou", f"boundary_mean_{unit}"):
        part = scores[name]["pooled"]
        assert part.first.value is not None
        assert part.difference.value == 0
    assert len(done.remarks) == remarks
    assert ("um per pixel of A and B differ" in (tmp_path / "out" / "gallery.html").read_text()) == remarks


def shaved(mask: np.ndarray) -> np.ndarray:
    """A mask without its first column."""
    left = mask.copy()
    left[:, 0] = False
    return left


def test_precision_is_not_compared_where_one_side_was_cut(
    find: Callable[..., Path], blobs_installed: Predictor, circles: Path, tmp_path: Path
) -> None:
    kept = find("kept", all_of)
    digest = sha256(kept / "predictions.json")
    run = {"images": [], "scores": {"cytoplasm": 0.5}, "hashes": {"predictions.json": digest}}
    (kept / "run.json").write_text(json.dumps(run))

    done = compare([kept, "bundled"], circles, tmp_path / "out")
    assert "ap" not in done.comparison.classes["cytoplasm"]
    assert "mask AP" not in done.table
    assert "AP is left out: B has candidates of every score, A those alone that" in done.table
    assert "AP is left out" in (tmp_path / "out" / "gallery.html").read_text()
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["remarks"]

    both = compare([kept, find("full", all_of)], circles, tmp_path / "both").comparison
    assert both.remarks == ()
    assert both.classes["cytoplasm"]["ap"]["ap"].difference.value == 0
