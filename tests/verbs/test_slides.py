"""Slides from plan to table: the cells of the whole slide, whoever computes what, whatever goes wrong."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from made_slides import write_pyramid
from oracle import LARGEST, REACH, Scene, as_set, dump, suppressing_masks

from irnet.cells import Cells
from irnet.cli.display import showing
from irnet.errors import InputError
from irnet.geometry.masks import decode, unpack
from irnet.inference.slide_blocks import BlockFolder
from irnet.inference.weights import BUNDLED
from irnet.slides.layout import Layout
from irnet.slides.plan import Plan
from irnet.slides.readers.slide import Slide
from irnet.slides.windows import Window
from irnet.verbs import slide_windows, slide_workers
from irnet.verbs.failures import LeftOut
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, planned_weights, run_slides
from irnet.verbs.slide_status import status_of
from irnet.verbs.slide_workers import run_workers

HALO = 128  # at least LARGEST / 2 + REACH
WINDOW = (256, HALO)
assert LARGEST / 2 + REACH <= HALO


def planned(folder: Path, scene: Scene, px: float = 1.48, window: tuple[int, int] = WINDOW) -> Plan:
    """A plan of a scene, read through a pyramid of TIFF."""
    slide = write_pyramid(folder / "smear.tif", scene.image(px), mpp=0.37 / px, compression=None)
    return suppressing_masks(plan_slides([slide], folder / "out", SlideOptions(window=window)))


def found(plan: Plan) -> Cells:
    """What cells.db holds."""
    with closing(sqlite3.connect(plan.folder(plan.names[0]) / "cells.db")) as store:
        rows = store.execute("SELECT x1, y1, x2, y2, mask, label, score FROM cell ORDER BY id").fetchall()
        size = json.loads(store.execute("SELECT value FROM meta WHERE key = 'shape'").fetchone()[0])
    masks = [
        decode(unpack(mask.decode()), (y2 - y1, x2 - x1), (0, 0, x2 - x1, y2 - y1))[0]
        for x1, y1, x2, y2, mask, _, _ in rows
    ]
    offsets = np.array([row[:2] for row in rows]).reshape(-1, 2)
    labels, scores = [row[5] for row in rows], [row[6] for row in rows]
    return Cells.build(masks, offsets, labels, tuple(size), scores=scores)


@pytest.mark.parametrize(("seed", "px"), [(1, 1.0), (2, 1.48), (3, 2.9)])
def test_windows_give_what_the_whole_slide_gives(tmp_path: Path, seed: int, px: float) -> None:
    scene = Scene(seed, (1000, 1300), 400)
    plan = planned(tmp_path, scene, px)
    assert run_slides(plan.out, open_detector=lambda _: scene.detect).exit_code == 0
    rows = finish_slides(plan.out).rows
    cells = found(plan)
    assert as_set(cells) == scene.answer()
    assert rows[0]["cells"] + rows[0]["nuclei"] == len(cells) > 300


def test_a_halo_that_is_too_small_is_not_enough(tmp_path: Path) -> None:
    scene = Scene(4, (900, 900), 300)
    plan = planned(tmp_path, scene, window=(256, 64))
    run_slides(plan.out, open_detector=lambda _: scene.detect)
    finish_slides(plan.out)
    assert as_set(found(plan)) != scene.answer()


def test_shards_and_orders_give_one_answer(tmp_path: Path) -> None:
    scene = Scene(5, (700, 900), 300)
    plan = planned(tmp_path, scene)
    run_slides(plan.out, open_detector=lambda _: scene.detect)
    finish_slides(plan.out)
    whole = dump(plan.out)

    (tmp_path / "again").mkdir()
    again = planned(tmp_path / "again", scene)
    for part in (3, 1, 2):
        with pytest.raises(InputError, match="irnet slide run"):
            finish_slides(again.out)
        assert run_slides(again.out, RunOptions(shard=(part, 3)), lambda _: scene.detect).done > 0
    finish_slides(again.out)
    assert dump(again.out) == whole
    assert run_slides(again.out, open_detector=lambda _: scene.detect).done == 0


def test_a_window_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    scene = Scene(6, (700, 900), 200)
    plan = planned(tmp_path, scene)
    calls = []

    def fail_at_third(pixels: np.ndarray, mpp: float) -> Cells:
        calls.append(mpp)
        if len(calls) == 3:
            raise RuntimeError("out of luck")
        return scene.detect(pixels, mpp)

    ran = run_slides(plan.out, open_detector=lambda _: fail_at_third)
    assert (ran.exit_code, len(ran.errors)) == (3, 1)
    status = status_of(plan, plan.names[0])
    assert (status.failed, status.missing, status.errors[0]["tries"]) == (1, 0, 1)
    assert "out of luck" in status.errors[0]["reason"]

    with pytest.raises(InputError, match="1 window not done"):
        finish_slides(plan.out)
    assert finish_slides(plan.out, partial=True).exit_code == 3
    assert run_slides(plan.out, open_detector=lambda _: scene.detect).done == 1
    assert status_of(plan, plan.names[0]).failed == 0
    finish_slides(plan.out)
    assert as_set(found(plan)) == scene.answer()


def test_a_window_that_is_worked_on_has_not_failed(tmp_path: Path) -> None:
    plan = planned(tmp_path, Scene(6, (700, 900), 100))
    slide = plan.slide("smear")
    keys = [plan.key(slide, window) for window in slide.windows().values()]
    folder = BlockFolder(plan.folder("smear"))
    folder.leave(keys[0], folder.begin(keys[0], 0))
    assert folder.error(keys[0]) is None

    folder.begin(keys[1], 1)
    status = status_of(plan, "smear")
    assert (status.failed, status.missing, status.begun) == (0, len(keys), 1)
    folder.begin(keys[1], 1)
    folder.begin(keys[1], 1)  # its process ended each time
    status = status_of(plan, "smear")
    assert (status.failed, status.missing) == (1, len(keys) - 1)


def test_a_damaged_tile_costs_its_windows_alone(tmp_path: Path) -> None:
    import tifffile

    scene = Scene(7, (900, 1200), 200)
    slide = write_pyramid(tmp_path / "smear.tif", scene.image(1.0), mpp=0.37, levels=1)
    plan = suppressing_masks(plan_slides([slide], tmp_path / "out", SlideOptions(window=WINDOW, every=True)))
    with tifffile.TiffFile(slide) as file:
        place = file.pages[0].aspage().dataoffsets[0]
    with open(slide, "r+b") as file:
        file.seek(place + 20)
        kept = file.read(100)
        file.seek(place + 20)
        file.write(bytes(100))
    _plan_anew(plan, slide)

    ran = run_slides(plan.out, open_detector=lambda _: scene.detect)
    assert ran.exit_code == 3
    assert 0 < len(ran.errors) < ran.done
    assert all("damaged at" in error for error in ran.errors)
    assert len(kept) == 100


def _plan_anew(plan: Plan, slide: Path) -> None:
    """The plan for a file that has changed."""
    from dataclasses import replace

    from irnet.slides.key import slide_key

    plan.write([replace(plan.slide(plan.names[0]), key=slide_key([slide]))])


def test_a_flipped_bit_in_a_block_is_computed_again(tmp_path: Path) -> None:
    scene = Scene(8, (700, 700), 200)
    plan = planned(tmp_path, scene)
    run_slides(plan.out, open_detector=lambda _: scene.detect)
    finish_slides(plan.out)
    before = dump(plan.out)

    blocks = sorted(plan.out.glob("slides/*/blocks/*/*.safetensors"))
    content = bytearray(blocks[1].read_bytes())
    content[-5] ^= 16
    blocks[1].write_bytes(content)
    with pytest.raises(InputError, match="damaged: irnet slide run computes it again"):
        finish_slides(plan.out)
    assert run_slides(plan.out, open_detector=lambda _: scene.detect).done == 1
    finish_slides(plan.out)
    assert dump(plan.out) == before


def test_blocks_of_another_slide_or_plan_are_no_blocks_of_this_one(tmp_path: Path) -> None:
    scene = Scene(9, (500, 500), 50)
    plan = planned(tmp_path, scene)
    with pytest.raises(InputError, match="another plan"):
        plan_slides([tmp_path / "smear.tif"], plan.out, SlideOptions(window=(320, HALO)))
    (tmp_path / "smear.tif").rename(tmp_path / "moved.tif")
    with pytest.raises(InputError, match="no such file: put the slide back, or repeat its plan"):
        run_slides(plan.out, open_detector=lambda _: scene.detect)
    write_pyramid(tmp_path / "smear.tif", Scene(10, (500, 500), 50).image(1.48), compression=None)
    with pytest.raises(InputError, match="not the file that was planned"):
        run_slides(plan.out, open_detector=lambda _: scene.detect)
    for junk in (b"", b"junk" * 99, b"II*\0" + b"junk" * 99):
        (tmp_path / "smear.tif").write_bytes(junk)
        with pytest.raises(
            InputError, match=r"smear\.tif: not read as the slide.*put the slide back"
        ) as told:
            run_slides(plan.out, open_detector=lambda _: scene.detect)
        assert "image" not in str(told.value)


def three_slides(folder: Path) -> tuple[Scene, Plan]:
    """A plan of three slides, of which the first will be gone and the second another."""
    scene = Scene(14, (500, 500), 50)
    slides = [folder / f"{name}.tif" for name in ("a", "b", "c")]
    for slide in slides:
        write_pyramid(slide, scene.image(1.0), mpp=0.37, compression=None, description=slide.stem)
    return scene, suppressing_masks(plan_slides(slides, folder / "out", SlideOptions(window=WINDOW)))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_slides_that_are_gone_or_changed_are_told_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    scene, plan = three_slides(tmp_path)
    windows = len(plan.slide("c").windows())
    (tmp_path / "a.tif").rename(tmp_path / "moved.tif")
    (tmp_path / "b.tif").write_bytes(b"junk")
    seen = []

    def command(own: RunOptions) -> list[str]:
        seen.append([*own.only])
        script = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parents[1] / "slides")]!r}
from oracle import Scene
from irnet.verbs.slide_run import RunOptions, run_slides
run_slides({str(plan.out)!r}, {own!r}, lambda _: Scene(14, (500, 500), 50).detect)
"""
        return [sys.executable, "-c", script]

    with showing():
        if workers == 1:
            ran = run_slides(plan.out, open_detector=lambda _: scene.detect)
        else:
            ran = run_workers(plan.out, RunOptions(), workers, command)
    assert all(names == ["c"] for names in seen)
    assert (ran.exit_code, ran.done, ran.errors, len(ran.left_out)) == (3, windows, [], 2)
    said = capsys.readouterr().err
    assert "a.tif: no such file: put the slide back" in said
    assert "b.tif: not read as the slide that was planned" in said
    assert run_slides(plan.out, RunOptions(shard=(2, 2)), lambda _: scene.detect).exit_code == 3

    (tmp_path / "c.tif").unlink()
    again = run_slides(plan.out, open_detector=lambda _: scene.detect)  # c is done
    assert (again.exit_code, again.before) == (3, windows)
    with pytest.raises(InputError, match=r"none of the 2 slides is left: .*a\.tif: no such file"):
        run_slides(plan.out, RunOptions(only=("a", "b")), lambda _: scene.detect)
    with pytest.raises(InputError, match="none of the 2 slides is left"):
        run_workers(plan.out, RunOptions(only=("a", "b")), 2)


def test_damaged_plans_and_blocks_of_a_slide_leave_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, plan = three_slides(tmp_path)
    run_slides(plan.out, open_detector=lambda _: scene.detect)
    block = next(plan.folder("b").glob("blocks/*/*"))
    block.write_bytes(block.read_bytes()[:-1])
    (plan.folder("a") / "plan.json").write_text("{}")
    with showing():
        done = finish_slides(plan.out)
    assert (done.exit_code, [row["slide"] for row in done.rows], len(done.left_out)) == (3, ["c"], 2)
    said = capsys.readouterr().err
    assert "plan.json: damaged, or not a plan" in said
    assert "damaged: irnet slide run computes it again" in said
    assert "2 slides left out" in [*done.lines()]

    again = run_slides(plan.out, open_detector=lambda _: scene.detect)
    assert (again.exit_code, again.done, len(again.left_out)) == (3, 1, 1)


def test_predict_plans_what_it_can_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    scene, plan = three_slides(tmp_path)
    slides, options = [tmp_path / f"{name}.tif" for name in ("a", "b", "c")], SlideOptions(window=WINDOW)
    out = tmp_path / "new"
    kept = slides[1].read_bytes()
    slides[1].write_bytes(b"junk")
    left_out = LeftOut(3)
    assert plan_slides(slides, out, options, left_out).names == ("a", "c")
    assert "b.tif" in left_out.reasons[0]

    slides[1].write_bytes(kept)
    assert plan_slides(slides, out, options, LeftOut(3)).names == ("a", "b", "c")
    slides[0].unlink()
    slides[1].write_bytes(slides[2].read_bytes())
    left_out = LeftOut(3)
    again = plan_slides(slides, out, options, left_out)
    assert (again.names, left_out.reasons) == (plan.names, [])
    assert again.slide("b").key == plan.slide("b").key
    assert run_slides(out, open_detector=lambda _: scene.detect).exit_code == 3
    with pytest.raises(InputError, match="another plan"):
        plan_slides(slides, out, SlideOptions(window=(320, HALO)), LeftOut(3))
    with pytest.raises(InputError, match="none of the 2 slides is left"):
        plan_slides([tmp_path / "x.tif", tmp_path / "y.tif"], tmp_path / "none", options, LeftOut(2))
    assert not (tmp_path / "none" / "slides.json").exists()


def test_what_is_no_plan_and_options_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="irnet slide plan"):
        run_slides(tmp_path)
    plan = planned(tmp_path, Scene(11, (500, 500), 20))
    for options, said in (
        (RunOptions(shard=(3, 2)), "shard 3/2: give 1/2 to 2/2"),
        (RunOptions(shard=(1, 0)), "shard 1/0: give i/n"),
        (RunOptions(only=("other",)), "no slide 'other'"),
    ):
        with pytest.raises(InputError, match=said):
            run_slides(plan.out, options)
        with pytest.raises(InputError, match=said):
            run_workers(plan.out, options, 2)
    with pytest.raises(InputError, match="no window is done"):
        finish_slides(plan.out, partial=True)
    assert not (plan.out / "slides.csv").exists()
    (plan.out / "slides.json").write_text("{}")
    with pytest.raises(InputError, match="damaged, or not a plan"):
        run_slides(plan.out)


def test_a_plan_is_made_again_where_slide_and_weights_lie_elsewhere_and_in_another_version(
    tmp_path: Path,
) -> None:
    scene = Scene(12, (300, 300), 5)
    slide = write_pyramid(tmp_path / "smear.tif", scene.image(1.0), mpp=0.37, compression=None)
    options = SlideOptions(window=WINDOW)
    plan = plan_slides([slide], tmp_path / "out", options)
    done = run_slides(plan.out, open_detector=lambda _: scene.detect).done

    gone = {**plan.network, "model": str(tmp_path / "gone.safetensors")}
    Plan(plan.out, plan.names, gone).write([plan.slide("smear")])
    assert planned_weights(Plan.read(plan.out)) == BUNDLED
    other = {**gone, "sha256": "0" * 64}
    with pytest.raises(InputError, match=r"gone\.safetensors: not the weights.*--model"):
        planned_weights(Plan(plan.out, plan.names, other))

    (tmp_path / "moved").mkdir()
    slide = slide.rename(tmp_path / "moved" / slide.name)
    plan = plan_slides([slide], tmp_path / "out", options)
    assert (plan.slide("smear").path, plan.network["model"]) == (str(slide), str(BUNDLED))

    path = plan.folder("smear") / "plan.json"
    row = json.loads(path.read_text())
    del row["bubbles"], row["sha256"]
    row["sha256"] = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(row))
    with pytest.raises(
        InputError, match=r"of another version of irnet \(no 'bubbles'\): repeat irnet slide plan"
    ):
        run_slides(plan.out)
    plan_slides([slide], tmp_path / "out", options)
    assert run_slides(plan.out, open_detector=lambda _: scene.detect).before == done


def test_slides_and_images_have_folders_of_their_own(tmp_path: Path) -> None:
    plan = planned(tmp_path, Scene(13, (300, 300), 5))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "predictions.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds whole slides.*another folder"):
        predict_files([tmp_path / "smear.tif"], plan.out, PredictOptions())
    with pytest.raises(InputError, match=r"holds predictions of images.*another folder"):
        plan_slides([tmp_path / "smear.tif"], tmp_path / "images")
    assert not (tmp_path / "images" / "slides").exists()


def test_a_slide_is_named_by_a_path_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (".", "..", "/"):
        with pytest.raises(InputError, match="a folder: name the files"):
            plan_slides([path], tmp_path / "out")


@pytest.mark.parametrize("name", ["slides.json", "slides/smear/plan.json"])
def test_a_damaged_plan_is_told_and_made_again(tmp_path: Path, name: str) -> None:
    scene = Scene(11, (300, 300), 5)
    slide = write_pyramid(tmp_path / "smear.tif", scene.image(1.0), mpp=0.37, compression=None)
    plan = plan_slides([slide], tmp_path / "out", SlideOptions(window=WINDOW))
    done = run_slides(plan.out, open_detector=lambda _: scene.detect).done
    path = plan.out / name
    whole, draw = path.read_bytes(), np.random.default_rng(3)

    damaged = [b"", b"{}", b"[]", b"null", b"[1]", b"\xff\xfe", whole[: len(whole) // 2], whole + b"}"]
    damaged += [whole.replace(b"0.", b"1.", 1), whole.replace(b'"', b"", 1), bytes(len(whole))]
    for place in draw.integers(0, len(whole), 40).tolist():
        damaged.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for content in damaged:
        path.write_bytes(content)
        for look in (run_slides, finish_slides, lambda out: status_of(Plan.read(out), "smear")):
            with pytest.raises(InputError, match=r"irnet slide plan SLIDE -o|is not read here: plan again"):
                look(plan.out)

    path.write_bytes(damaged[6])
    assert plan_slides([slide], plan.out, SlideOptions(window=WINDOW)) == plan
    assert path.read_bytes() == whole
    again = run_slides(plan.out, open_detector=lambda _: scene.detect)
    assert (again.done, again.before) == (0, done)
    (plan.out / "slides" / "smear" / "plan.json").unlink()
    with pytest.raises(InputError, match="No such file"):
        run_slides(plan.out)


def test_a_slide_that_is_named_twice_is_planned_once(tmp_path: Path) -> None:
    plan = planned(tmp_path, Scene(11, (300, 300), 5))
    slide = tmp_path / "smear.tif"
    again = plan_slides([slide, tmp_path / "." / "smear.tif", str(slide)], tmp_path / "twice")
    assert again.names == plan.names == ("smear",)


RUNNER = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from oracle import Scene
from irnet.verbs.slide_run import RunOptions, run_slides

scene = Scene(12, (800, 1000), 300)

def slowly(pixels, mpp):
    time.sleep(0.05)
    return scene.detect(pixels, mpp)

if {limit}:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
run_slides(Path(sys.argv[1]), RunOptions(shard=({part}, {parts})), lambda _: slowly)
"""


def start(out: Path, part: int = 1, parts: int = 1, limit: int = 0) -> subprocess.Popen:
    """A process that runs a plan of scene 12."""
    paths = [str(Path(__file__).parents[1] / "slides")]
    script = RUNNER.format(paths=paths, part=part, parts=parts, limit=limit)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(out)], stderr=subprocess.DEVNULL, env=os.environ
    )


@pytest.mark.slow
def test_killed_out_of_disk_or_twice_at_once_the_answer_is_one(tmp_path: Path) -> None:
    scene = Scene(12, (800, 1000), 300)
    plan = planned(tmp_path, scene)
    run_slides(plan.out, open_detector=lambda _: scene.detect)
    finish_slides(plan.out)
    whole, count = dump(plan.out), len(plan.slide("smear").windows())

    (tmp_path / "killed").mkdir()
    killed = planned(tmp_path / "killed", scene)
    draw = np.random.default_rng(0)
    for round_ in range(3):
        process = start(killed.out)
        wanted = min(count - 1, 3 * (round_ + 1))
        while process.poll() is None and len([*killed.out.glob("slides/*/blocks/*/*")]) < wanted:
            time.sleep(float(draw.uniform(0.001, 0.02)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = len(status_of(killed, "smear").done)
    assert 0 < done < count
    assert start(killed.out, limit=2000).wait() != 0  # no block fits
    both = [start(killed.out), start(killed.out), start(killed.out, 1, 2)]
    assert [process.wait() for process in both] == [0, 0, 0]
    finish_slides(killed.out)
    assert dump(killed.out) == whole
    folder = BlockFolder(killed.folder("smear"))
    assert all(folder.has(key) for key in status_of(killed, "smear").done.values())


WORKER = """
import sys
sys.path[:0] = {paths!r}
import os, signal
from pathlib import Path
from oracle import Scene
from irnet.slides.layout import Layout
from irnet.verbs.slide_run import RunOptions, run_slides

scene, marks, seen = Scene(12, (800, 1000), 300), Path({marks!r}), []

def detect(pixels, mpp):
    cells = scene.detect(pixels, mpp)
    seen.append(cells)
    once = marks / str({part})
    if {mode!r} in ("once", "stop") and len(seen) == 3 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL if {mode!r} == "once" else signal.SIGSTOP)
    if {mode!r} == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    if {mode!r} == "always" and len(cells) == {crowd}:
        os.kill(os.getpid(), signal.SIGKILL)
    if {mode!r} == "broken":
        os.kill(os.getpid(), signal.SIGSEGV)
    return cells

def cut_out(layout, slide, window):
    if {mode!r} == "unreadable" and window.core[:2] == (256, 256):
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(layout, slide, window)

whole, Layout.cut_out = Layout.cut_out, cut_out
options = RunOptions(shard=({part}, {parts}), most_tries={tries})
sys.exit(run_slides(Path({out!r}), options, lambda _: detect).exit_code)
"""


def commands(out: Path, marks: Path, mode: str, crowd: int = -1):
    """What workers run: an oracle that ends its process."""

    def command(own: RunOptions) -> list[str]:
        (part, parts), tries = own.shard, own.most_tries
        paths = [str(Path(__file__).parents[1] / "slides")]
        said = {"paths": paths, "marks": str(marks), "out": str(out), "mode": mode, "crowd": crowd}
        return [sys.executable, "-c", WORKER.format(part=part, parts=parts, tries=tries, **said)]

    return command


@pytest.mark.slow
def test_workers_that_die_are_started_again(tmp_path: Path) -> None:
    scene = Scene(12, (800, 1000), 300)
    plan = planned(tmp_path, scene)
    ran = run_workers(plan.out, RunOptions(), 2, commands(plan.out, tmp_path, "once"))
    assert (ran.exit_code, ran.done) == (0, len(plan.slide("smear").windows()))
    assert sorted(mark.name for mark in tmp_path.glob("[12]")) == ["1", "2"]
    finish_slides(plan.out)
    assert as_set(found(plan)) == scene.answer()


@pytest.mark.slow
def test_a_window_that_ends_its_process_is_an_error_in_the_end(tmp_path: Path) -> None:
    scene = Scene(12, (800, 1000), 300)
    plan = planned(tmp_path, scene)
    numbers = []
    run_slides(
        plan.out,
        RunOptions(shard=(2, 3)),
        lambda _: lambda *given: numbers.append(scene.detect(*given)) or numbers[-1],
    )
    crowd = max(map(len, numbers))
    for block in plan.out.glob("slides/*/blocks/*/*"):
        block.unlink()

    ran = run_workers(plan.out, RunOptions(), 2, commands(plan.out, tmp_path, "always", crowd))
    assert ran.exit_code == 3
    assert 1 <= len(ran.errors) < ran.done
    assert all("a process ended" in error for error in ran.errors)
    assert {row["tries"] for row in status_of(plan, "smear").errors} == {3}


@pytest.mark.slow
def test_workers_that_cannot_work_stop_with_the_reason(tmp_path: Path) -> None:
    plan = planned(tmp_path, Scene(12, (800, 1000), 300))
    with pytest.raises(InputError, match=r"died \(signal SIGSEGV\), 4 times in a row"):
        run_workers(plan.out, RunOptions(), 1, commands(plan.out, tmp_path, "broken"))
    (tmp_path / "smear.tif").unlink()
    with pytest.raises(InputError, match="no such file"):
        run_workers(plan.out, RunOptions(), 2)


@pytest.mark.slow
def test_workers_that_are_stopped_or_hang_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slide_windows, "LEAST_PATIENCE", 12.0)
    scene = Scene(12, (800, 1000), 300)
    plan = planned(tmp_path, scene)
    with showing():
        ran = run_workers(plan.out, RunOptions(), 2, commands(plan.out, tmp_path, "stop"))
    assert (ran.exit_code, ran.done) == (0, len(plan.slide("smear").windows()))
    assert sorted(mark.name for mark in tmp_path.glob("[12]")) == ["1", "2"]
    said = capsys.readouterr().err
    assert said.count("a worker gave no window for 12 s (stopped, 0.") == 2
    assert said.count("GB of memory; smear, window") == 2
    finish_slides(plan.out)
    assert as_set(found(plan)) == scene.answer()

    monkeypatch.setattr(slide_workers, "MOST_DEATHS", 2)
    (tmp_path / "again").mkdir()
    again = planned(tmp_path / "again", scene)
    with pytest.raises(InputError, match=r"a worker gave no window for 12 s \(stopped.*, 2 times in a row"):
        run_workers(again.out, RunOptions(), 1, commands(again.out, tmp_path, "hang"))


def test_each_worker_has_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path, Scene(11, (500, 500), 20))
    monkeypatch.setattr(slide_workers, "gpus", lambda: 2)
    given = []

    def command(own: RunOptions) -> list[str]:
        given.append(own.device)
        return [sys.executable, "-c", ""]

    for options in (RunOptions(), RunOptions(device="cuda:1"), RunOptions(engine="openvino")):
        run_workers(plan.out, options, 3, command)
    assert given == ["cuda:0", "cuda:1", "cuda:0"] + ["cuda:1"] * 3 + ["auto"] * 3


def test_the_next_window_is_read_while_the_network_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(6, (700, 900), 200)
    plan = planned(tmp_path, scene)
    frames, looked, arrived = [], [], threading.Semaphore(0)
    cut_out = Layout.cut_out

    def cut_and_tell(layout: Layout, slide: Slide, window: Window) -> np.ndarray:
        frames.append(window.frame)
        pixels = cut_out(layout, slide, window)
        arrived.release()
        return pixels

    def detect(pixels: np.ndarray, mpp: float) -> Cells:
        looked.append(pixels.shape)
        for _ in range(1 + (len(looked) == 1) if len(looked) < count else 0):
            assert arrived.acquire(timeout=20)  # after the first one: that of the next window
        assert len(frames) <= len(looked) + 1
        return scene.detect(pixels, mpp)

    monkeypatch.setattr(Layout, "cut_out", cut_and_tell)
    count = len(plan.slide("smear").windows())
    assert run_slides(plan.out, open_detector=lambda _: detect).exit_code == 0
    assert frames == [window.frame for window in plan.slide("smear").windows().values()]
    finish_slides(plan.out)
    assert as_set(found(plan)) == scene.answer()


@pytest.mark.slow
def test_a_window_that_ends_the_process_that_reads_it_is_the_only_error(tmp_path: Path) -> None:
    scene = Scene(12, (800, 1000), 300)
    plan = planned(tmp_path, scene)
    ran = run_workers(plan.out, RunOptions(), 2, commands(plan.out, tmp_path, "unreadable"))
    assert (ran.exit_code, len(ran.errors), ran.done) == (3, 1, len(plan.slide("smear").windows()) - 1)
