"""Windows on the workers of Dask: the same blocks, and a word where Dask would stand still."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import oracle
import pytest
from made_slides import write_pyramid
from oracle import detect_or_die, detect_slowly, dump, scene_12, suppressing_masks

from irnet.errors import InputError
from irnet.progress import listening
from irnet.slides.plan import Plan
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, run_slides
from irnet.verbs.slide_status import status_of

pytest.importorskip("distributed")
from irnet.verbs import dask_client, slide_dask
from irnet.verbs.slide_dask import run_on_scheduler

pytestmark = pytest.mark.slow
SCENE = scene_12()


class Said:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.stages, self.lines = [], []

    def changed(self) -> None: ...

    def tell(self, text: str, *, error: bool) -> None:
        self.lines.append(text)


@pytest.fixture
def said() -> Iterator[Said]:
    with listening(Said()) as told:
        yield told


@pytest.fixture(autouse=True)
def _oracle_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(oracle.__file__).parent), *sys.path]))


def planned(folder: Path) -> Plan:
    folder.mkdir(exist_ok=True)
    slide = write_pyramid(folder / "smear.tif", SCENE.image(1.48), mpp=0.25, compression=None)
    return suppressing_masks(plan_slides([slide], folder / "out", SlideOptions(window=(256, 128))))


def whole(folder: Path) -> list[str]:
    """What cells.db of one process holds."""
    plan = planned(folder)
    run_slides(plan.out, open_detector=lambda _: SCENE.detect)
    finish_slides(plan.out)
    return dump(plan.out)


@contextmanager
def site(folder: Path, *workers: str) -> Iterator[tuple[Path, list[subprocess.Popen]]]:
    """A scheduler, its file, and workers that nobody starts again; each is given its memory limit."""
    folder.mkdir(exist_ok=True)  # none of them makes it for the file of another
    file, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    known = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [[*dask, "scheduler", "--port", "0", "--host", "127.0.0.1", *known]]
    for number, limit in enumerate(workers):
        own = ["--nthreads", "1", "--no-nanny", "--memory-limit", limit]
        commands.append(
            [*dask, "worker", *known, *own, "--name", str(number), "--local-directory", str(folder)]
        )
    processes = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        while not file.exists():
            assert processes[0].poll() is None, "the scheduler has ended"
            time.sleep(0.1)
        yield file, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def once(plan: Plan, blocks: int, then: Callable[[], object]) -> threading.Thread:
    """Do something once so many blocks are there."""

    def wait() -> None:
        while len([*plan.out.glob("slides/*/blocks/*/*.safetensors")]) < blocks:
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_any_mixture_gives_the_same_and_a_worker_may_be_killed(tmp_path: Path, said: Said) -> None:
    plan = planned(tmp_path / "mixed")
    ran = run_slides(plan.out, RunOptions(shard=(2, 5)), lambda _: SCENE.detect)
    damaged = next(plan.out.glob("slides/*/blocks/*/*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with site(tmp_path, "0", "0") as (file, processes):
        killing = once(plan, 6, processes[1].kill)
        mixed = run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
        killing.join(5)
    assert (mixed.exit_code, mixed.before, mixed.done) == (0, ran.done - 1, 16 - ran.done + 1)
    assert any("is gone" in line for line in said.lines)
    assert not [*plan.out.glob(".*")]
    finish_slides(plan.out)
    assert dump(plan.out) == whole(tmp_path / "whole")


def test_nobody_left_and_a_scheduler_that_is_gone_end_the_run(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_dask, "SAID", 0.5)
    monkeypatch.setattr(slide_dask, "GIVEN_UP", 15.0)
    plan = planned(tmp_path)
    with site(tmp_path, "0") as (file, processes):
        once(plan, 2, processes[1].kill)
        ran = run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
        assert (ran.exit_code, 0 < ran.done < 16) == (3, True)
        assert "the scheduler has none" in ran.stopped
        assert f"irnet slide run {plan.out} --scheduler {file}" in ran.stopped
        assert any("no worker can work" in line for line in said.lines)

    with site(tmp_path / "again", "0") as (file, processes):
        once(plan, len(status_of(plan, "smear").done) + 2, processes[0].kill)
        ran = run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
        assert (ran.exit_code, "the scheduler is gone" in ran.stopped) == (3, True)


def test_a_paused_worker_is_told_with_its_memory(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_dask, "SAID", 0.5)
    monkeypatch.setattr(slide_dask, "GIVEN_UP", 15.0)
    plan = planned(tmp_path)
    with site(tmp_path, "60MB") as (file, _):
        ran = run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
    assert (ran.exit_code, "paused" in ran.stopped, "of 0.06" in ran.stopped) == (3, True, True)
    assert any("is paused by Dask" in line for line in said.lines)


def test_a_worker_that_sees_another_folder_or_has_another_version_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path)
    with site(tmp_path, "0") as (file, _):
        monkeypatch.setattr(slide_dask.irnet, "__version__", "0.0.0")
        with pytest.raises(InputError, match=r"irnet \S+ is there, and 0.0.0 here: install one version"):
            run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
        monkeypatch.undo()

        @contextmanager
        def nowhere(folder: Path) -> Iterator[str]:
            yield str(folder / "unseen")

        monkeypatch.setattr(slide_dask, "_probed", nowhere)
        with pytest.raises(InputError, match="share it with all workers"):
            run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)


def test_a_window_that_ends_its_worker_is_an_error_in_the_end(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    ran = run_on_scheduler(plan.out, RunOptions(), "local:2", detect_or_die)
    assert (ran.exit_code, ran.done, len(ran.errors)) == (3, 15, 1)
    assert "lost 3 times" in ran.errors[0]
    assert [row["tries"] for row in status_of(plan, "smear").errors] == [3]


def test_a_slide_that_is_gone_is_told_once_and_the_others_run(tmp_path: Path, said: Said) -> None:
    slides = [tmp_path / f"{name}.tif" for name in ("a", "b")]
    for slide in slides:
        write_pyramid(slide, SCENE.image(1.48), mpp=0.25, compression=None, description=slide.stem)
    plan = suppressing_masks(plan_slides(slides, tmp_path / "out", SlideOptions(window=(256, 128))))
    slides[0].unlink()
    ran = run_on_scheduler(plan.out, RunOptions(), "local:2", detect_slowly)
    assert (ran.exit_code, ran.done, ran.errors, len(ran.left_out)) == (3, 16, [], 1)
    assert len([line for line in said.lines if "a.tif: no such file" in line]) == 1

    slides[1].unlink()
    with pytest.raises(InputError, match="no such file"):
        run_on_scheduler(plan.out, RunOptions(only=("a",)), "local:1", detect_slowly)


def test_stopped_by_ctrl_c_it_goes_on(tmp_path: Path) -> None:
    plan, ended = planned(tmp_path), threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of xdist ignore it

    def press() -> None:
        while not ended.is_set():  # once more, as a user would: inside a destructor Python drops it
            os.kill(os.getpid(), signal.SIGINT)
            ended.wait(1)

    once(plan, 3, press)
    try:
        with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
            run_on_scheduler(plan.out, RunOptions(), "local:1", detect_slowly)
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    assert 3 <= len(status_of(plan, "smear").done) < 16


def test_two_clusters_of_one_machine_say_nothing_of_ports() -> None:
    with dask_client.connected("local:1") as one, dask_client.connected("local:1") as other:
        assert one.submit(os.getpid).result() != other.submit(os.getpid).result()


def test_what_is_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path)
    (tmp_path / "file.json").write_text("[]")
    monkeypatch.setattr(dask_client, "CONNECT", 0.5)
    for scheduler, said in (
        ("local:0", "N from 1 to 99"),
        ("nowhere.json", "give tcp://HOST:PORT"),
        (str(tmp_path / "file.json"), "not the file of a scheduler"),
        ("tcp://127.0.0.1:9", "no scheduler of Dask answers"),
    ):
        with pytest.raises(InputError, match=said):
            run_on_scheduler(plan.out, RunOptions(), scheduler)


def test_without_dask_the_extra_is_named(tmp_path: Path) -> None:
    script = "import sys; sys.modules['distributed'] = None; from irnet.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "slide", "run", str(tmp_path), "--scheduler", "local:1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, '".[cluster]"' in ran.stderr) == (2, True)
