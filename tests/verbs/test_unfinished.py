"""A run of predict that is stopped anywhere goes on: no image twice, nothing mixed, the same files."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Cells
from irnet.data.coco.found import read_found
from irnet.data.file_names import UNFINISHED
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.inference.scale import OWN, Scale
from irnet.models.pasting import Found
from irnet.verbs import predict_files as module
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.predict_result import PredictResult
from irnet.verbs.unfinished import Task, Unfinished

COUNT = 4


class Stub:
    """A method that needs no network: the dark part of an image is a cell, the darkest its nucleus."""

    name, scored, source, batch = "stub", True, None, 1
    scores = dict.fromkeys(LABEL_NAMES, 0.5)

    def __init__(self, weights: str = "one", wait: float = 0.0) -> None:
        self.weights, self.wait = weights, wait
        self.calls, self.scale = 0, OWN
        self.stop_at: int | None = None
        self.stop: Callable[[], object] = lambda: None

    def __call__(self, image: np.ndarray, mpp: float | None = None) -> Cells:
        return self.find(image, mpp).cells

    def check(self, *, mpp: float | None = None, score: float | None = None) -> None:
        """All values mean something."""

    def scale_of(self, images: Iterable[np.ndarray]) -> Scale:
        assert len(list(images)) == COUNT
        return self.scale

    def find(
        self,
        image: np.ndarray,
        mpp: float | None = None,
        *,
        scale: Scale | None = None,
        seen: Found | None = None,
    ) -> ImageDetections:
        self.calls += 1
        if self.calls == self.stop_at:
            self.stop()
        time.sleep(self.wait)
        grey = image.mean(axis=2)
        masks = np.array([grey < 200, grey < 100])
        parents = [-1, 0]
        cells = Cells.from_dense(masks, [CYTOPLASM, NUCLEUS], scores=[0.9, 0.8], parents=parents, mpp=mpp)
        return ImageDetections(cells, scale.zoom if scale else 1.0, ("looked at",))

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        return cells

    def origin(self) -> dict[str, Any]:
        return {"method": self.name, "scored": True, "model": None, "model_sha256": self.weights}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(module, "open_method", lambda *_, **__: stub)
    monkeypatch.setattr(module, "versions", dict)  # torch is among them where another test met it
    return stub


@pytest.fixture
def smears(tmp_path: Path) -> Path:
    return draw(tmp_path / "smears")


def draw(folder: Path, shift: int = 0) -> Path:
    folder.mkdir()
    for number in range(COUNT):
        image = np.full((40, 60, 3), 240, np.uint8)
        image[5:30, 5 : 20 + number + shift], image[10:20, 8:14] = 150, 50
        PIL.Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, run.json without what may differ: date and seconds."""
    files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    if "run.json" in files:
        run = json.loads(files["run.json"])
        del run["date"]
        for image in run["images"]:
            del image["seconds"]
        files["run.json"] = json.dumps(run).encode()
    return files


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", range(1, COUNT + 1))
def test_each_image_is_segmented_once_and_the_files_are_the_same(
    stub: Stub, smears: Path, tmp_path: Path, at: int
) -> None:
    predict_files([smears], tmp_path / "whole", PredictOptions(mpp=0.25))
    out = tmp_path / "out"
    stub.calls, stub.stop_at, stub.stop = 0, at, interrupt
    kept = f"^stopped; {at - 1} of {COUNT} images are done and kept in .*: the same command goes on"
    with pytest.raises(KeyboardInterrupt, match="no image was done, nothing is kept" if at == 1 else kept):
        predict_files([smears], out, PredictOptions(mpp=0.25))
    assert out.exists() == (at > 1)
    report = predict_files([smears], out, PredictOptions(mpp=0.25))
    assert stub.calls == COUNT + 1  # the one that was interrupted twice
    assert contents(out) == contents(tmp_path / "whole")
    assert (report.before, report.exit_code, len(report.images)) == (at - 1, 0, COUNT)
    assert any("done before the run was stopped" in line for line in report.lines()) == (at > 1)


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"score": 0.3}, r"scores \{'cytoplasm': 0.5, 'nucleus': 0.5\} there, \{'cytoplasm': 0.3"),
    ({"mpp": 0.5}, "mpp 0.25 there, 0.5 here"),
    ({"mpp": None, "scale": 1}, "mpp 0.25 there, None here; scale None there, 1 here"),
    ({"page": 1}, "page None there, 1 here"),
    ({"save": ["csv"]}, r"save \['coco', 'overlay', 'csv'\] there, \['csv'\] here"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_other_settings_are_refused_by_name(
    stub: Stub, smears: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    stop_after_two(stub, [smears], tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match=message) as refused:
        predict_files([smears], tmp_path / "out", PredictOptions(**{"mpp": 0.25} | change))
    assert str(tmp_path / "out" / UNFINISHED) in str(refused.value)
    assert contents(tmp_path / "out") == before


def test_another_model_version_or_list_of_images_is_refused(
    stub: Stub, smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "out", draw(tmp_path / "other")
    stop_after_two(stub, [smears], out)
    with pytest.raises(InputError, match=r"1 image here alone, such as .*other/0\.png"):
        predict_files([smears, other / "0.png"], out, PredictOptions(mpp=0.25))
    with pytest.raises(InputError, match=r"3 images there alone, such as .*smears/1\.png"):
        predict_files([smears / "0.png"], out, PredictOptions(mpp=0.25))
    stub.weights = "two"
    with pytest.raises(InputError, match="model_sha256 one there, two here"):
        predict_files([smears], out, PredictOptions(mpp=0.25))
    stub.weights = "one"
    monkeypatch.setattr(module, "versions", lambda: {"irnet": "0"})
    with pytest.raises(InputError, match=r"versions .* there, \{'irnet': '0'\} here"):
        predict_files([smears], out, PredictOptions(mpp=0.25))


def stop_after_two(stub: Stub, paths: list[Path], out: Path) -> None:
    stub.calls, stub.stop_at, stub.stop = 0, 3, interrupt
    with pytest.raises(KeyboardInterrupt):
        predict_files(paths, out, PredictOptions(mpp=0.25))
    stub.calls, stub.stop_at = 0, None


def test_an_image_that_changed_or_failed_is_segmented_anew(stub: Stub, smears: Path, tmp_path: Path) -> None:
    good = (smears / "1.png").read_bytes()
    (smears / "1.png").write_bytes(good[:60])
    stub.stop_at, stub.stop = 3, interrupt  # 1.png does not get so far
    with pytest.raises(KeyboardInterrupt):
        predict_files([smears], tmp_path / "out", PredictOptions(mpp=0.25))
    (smears / "1.png").write_bytes(good)
    (smears / "0.png").write_bytes(good)
    stub.calls, stub.stop_at = 0, None
    report = predict_files([smears], tmp_path / "out", PredictOptions(mpp=0.25))
    assert (stub.calls, report.before, report.errors) == (3, 1, [])
    predict_files([smears], tmp_path / "whole", PredictOptions(mpp=0.25))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_damaged_record_is_made_anew(stub: Stub, smears: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stop_after_two(stub, [smears], out)
    (out / UNFINISHED / "000001.json").write_text("{")
    (out / UNFINISHED / "overlays" / "1.png").write_bytes(b"")
    assert predict_files([smears], out, PredictOptions(mpp=0.25)).before == 0
    predict_files([smears], tmp_path / "whole", PredictOptions(mpp=0.25))
    assert contents(out) == contents(tmp_path / "whole")


def test_what_holds_for_all_images_is_kept(tmp_path: Path) -> None:
    tasks = [Task(1, tmp_path / "a.png", "a.png", "a.png")]
    begun = Unfinished(tmp_path, {"mpp": None}, tasks)
    assert "scale" not in begun.facts
    begun.remember("scale", {"zoom": 0.5})
    assert begun.holds
    again = Unfinished(tmp_path, {"mpp": None}, tasks)
    assert again.facts == {"scale": {"zoom": 0.5}}
    again.discard()
    assert not Unfinished(tmp_path, {"mpp": None}, tasks).holds


def test_one_scale_holds_for_a_run_that_goes_on(stub: Stub, smears: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stub.scale = Scale(0.5, True, 4, 40, 30.0, ("estimated",))
    stub.stop_at, stub.stop = 2, interrupt
    with pytest.raises(KeyboardInterrupt):
        predict_files([smears], out)
    stub.scale, stub.stop_at = Scale(2.0), None
    report = predict_files([smears], out)
    run = json.loads((out / "run.json").read_text())
    assert ({image["zoom"] for image in run["images"]}, run["scale"]["nuclei"]) == ({0.5}, 40)
    assert report.notes == ("estimated",)


def test_a_full_disk_keeps_what_is_done(
    stub: Stub, smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, full = Unfinished.add, InputError("cannot be written (No space left on device)")

    def fill(self: Unfinished, task: Task, result: Any) -> None:
        if task.number == 3:
            raise full
        add(self, task, result)

    monkeypatch.setattr(Unfinished, "add", fill)
    with pytest.raises(InputError, match=r"No space left on device\); 2 of 4 images are done and kept"):
        predict_files([smears], tmp_path / "out", PredictOptions(mpp=0.25))


# Killed at any moment


def crash_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that dies just before its `step`th change on disk. Whether it came so far."""
    child = os.fork()
    if not child:
        left = step

        def counted(change: Callable[..., object]) -> Callable[..., object]:
            def changed(*args: Any, **kwargs: Any) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return change(*args, **kwargs)

            return changed

        for name in ("replace", "unlink", "rmdir", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_anywhere_nothing_is_mixed_and_the_run_goes_on(
    stub: Stub, smears: Path, tmp_path: Path
) -> None:
    other = draw(tmp_path / "earlier", shift=9)
    earlier = [other / name for name in ("1.png", "2.png")]
    later = [smears / name for name in ("0.png", "1.png")]
    old, new = tmp_path / "old", tmp_path / "new"
    predict_files(earlier, old, PredictOptions(mpp=0.25))
    predict_files(later, new, PredictOptions(mpp=0.25))
    told = {"old": contents(old), "new": contents(new)}
    seen: list[str] = []
    for step in range(200):
        out = tmp_path / f"out-{step}"
        shutil.copytree(old, out)
        crashed = crash_at(step, lambda: predict_files(later, out, PredictOptions(mpp=0.25)))  # noqa: B023
        seen.append(what_readers_meet(out, told))
        predict_files(later, out, PredictOptions(mpp=0.25))
        assert contents(out) == told["new"], step
        shutil.rmtree(out)
        if not crashed:
            break
    order = [state for place, state in enumerate(seen) if state not in seen[:place]]
    assert order in (["old", "nothing", "new"], ["old", "new"])
    assert seen[-1] == "new"
    assert len(seen) > 20


def what_readers_meet(out: Path, told: dict[str, dict[str, bytes]]) -> str:
    try:
        entries = read_found(out)
    except InputError:
        return "nothing"
    run = contents(out)["run.json"]
    name = next(name for name, files in told.items() if files["run.json"] == run)
    assert (out / "predictions.json").read_bytes() == told[name]["predictions.json"]
    assert [entry.name for entry in entries] == [image["name"] for image in json.loads(run)["images"]]
    return name


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[3])
import test_unfinished as here
here.module.open_method = lambda *_, **__: here.Stub(wait=0.05)
here.module.versions = dict
print("ready", flush=True)
here.predict_files([sys.argv[1]], sys.argv[2], here.PredictOptions(mpp=0.25))
"""


def test_killed_at_random_moments_the_run_goes_on(stub: Stub, smears: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    moments, out = random.Random(seed), tmp_path / "out"
    command = [sys.executable, "-c", SCRIPT, str(smears), str(out), str(Path(__file__).parent)]
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate()
    predict_files([smears], out, PredictOptions(mpp=0.25))
    predict_files([smears], tmp_path / "whole", PredictOptions(mpp=0.25))
    assert contents(out) == contents(tmp_path / "whole"), f"seed {seed}"


def test_two_runs_at_once_do_not_mix(stub: Stub, smears: Path, tmp_path: Path) -> None:
    reports: list[PredictResult] = []

    def another() -> None:
        with pytest.raises(InputError, match=r"irnet predict .*is writing there"):
            predict_files([smears], tmp_path / "out", PredictOptions(mpp=0.5))
        reports.append(predict_files([smears], tmp_path / "other", PredictOptions(mpp=0.5)))

    stub.stop_at, stub.stop = 2, another
    predict_files([smears], tmp_path / "out", PredictOptions(mpp=0.25))
    assert len(reports) == 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["mpp"] == 0.25


def test_drafts_that_a_killed_run_left_are_removed(stub: Stub, smears: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    draft = out / "overlays" / ".0123456789abcdef.tmp"
    draft.parent.mkdir(parents=True)
    draft.write_text("half")
    (out / ".0123456789abcdef.tmp").write_text("half")
    (out / ".mine.tmp").write_text("kept")
    predict_files([smears], out, PredictOptions(mpp=0.25))
    assert [f.name for f in out.rglob("*.tmp")] == [".mine.tmp"]
