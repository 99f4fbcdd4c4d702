"""The examples for clusters do here what they do there, as far as their programs are installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_slides import write_pyramid
from oracle import detect_slowly, dump, scene_12

from irnet.inference.windows import WINDOWS
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, run_slides

EXAMPLES = Path(__file__).parents[2] / "examples"
SCENE = scene_12()
IRNET = f"""#!{sys.executable}
import sys
sys.path[:0] = {[path for path in sys.path if path]!r}
from oracle import scene_12
from irnet.cli import main
from irnet.verbs import slide_run

slide_run.open_network = lambda plan, options: scene_12().detect  # a slide of which all cells are known
main(sys.argv[1:] + ["--window", "256"] * (sys.argv[2] == "plan"))
"""
SBATCH = """#!/bin/sh
setsid sh "$1" > /dev/null 2>&1 &
echo "Submitted batch job $!"
"""
pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a slide, and a command irnet that knows its cells."""
    (tmp_path / "slides").mkdir()
    write_pyramid(tmp_path / "slides" / "smear.tif", SCENE.image(1.48), mpp=0.25, compression=None)
    command(tmp_path, "irnet", IRNET)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def command(place: Path, name: str, text: str) -> None:
    path = place / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def plan(place: Path, out: str, halo: int = 128) -> Path:
    slide = place / "slides" / "smear.tif"
    return plan_slides([slide], place / out, SlideOptions(window=(256, halo))).out


def whole(place: Path, halo: int = 128) -> list[str]:
    """What cells.db holds where one process does all."""
    out = plan(place, "whole", halo)
    run_slides(out, open_detector=lambda _: SCENE.detect)
    finish_slides(out)
    return dump(out)


def program(name: str) -> str:
    if found := shutil.which(name):
        return found
    pytest.skip(f"{name} is not installed")


def job(task: int, first: int) -> dict[str, str]:
    """The environment of one of three jobs of an array."""
    said = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_COUNT": 3}
    return {**os.environ, **{name: str(value) for name, value in said.items()}}


def test_an_array_of_slurm(place: Path) -> None:
    script, out = str(EXAMPLES / "slurm" / "array.sh"), plan(place, "batch")
    for task in (2, 0, 1):
        subprocess.run(["bash", script, str(out)], env=job(task, 0), check=True)
    subprocess.run(["bash", script, str(out), "finish"], check=True)
    assert dump(out) == whole(place)

    command(place, "irnet", "#!/bin/sh\necho $@")
    said = subprocess.run(["bash", script, "a b"], env=job(3, 1), check=True, capture_output=True, text=True)
    assert said.stdout == "slide run a b --shard 3/3\n"


def test_workers_of_dask_in_jobs_of_slurm(place: Path) -> None:
    """sbatch is a stand-in that runs the script of a job at once; of Slurm itself nothing is tried."""
    pytest.importorskip("dask_jobqueue")
    from irnet.verbs.slide_dask import run_on_scheduler

    command(place, "sbatch", SBATCH)
    command(place, "scancel", '#!/bin/sh\nkill -- "-$1"\n')
    file, out = place / "dask.json", plan(place, "batch")
    script = [sys.executable, str(EXAMPLES / "slurm" / "dask_workers.py"), str(file), "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    jobs = subprocess.Popen(script, cwd=place, env=environment)
    try:
        until = time.monotonic() + 300  # of a machine that others use
        while not file.exists():
            assert jobs.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        assert run_on_scheduler(out, RunOptions(), str(file), detect_slowly).exit_code == 0
    finally:
        jobs.terminate()
        jobs.wait()
    finish_slides(out)
    assert dump(out) == whole(place)


def test_a_workflow_of_snakemake(place: Path) -> None:
    snakemake = [program("snakemake"), "-s", str(EXAMPLES / "snakemake" / "Snakefile"), "--cores", "1"]
    settings = ["--config", "slides=slides", "out=batch", "shards=3"]
    subprocess.run([*snakemake, *settings], cwd=place, check=True)
    assert dump(place / "batch") == whole(place, WINDOWS[0][1])


def test_a_workflow_of_nextflow(place: Path) -> None:
    flow = [program("nextflow"), "run", str(EXAMPLES / "nextflow" / "main.nf")]
    settings = ["--slides", str(place / "slides" / "*"), "--out", str(place / "batch"), "--shards", "3"]
    subprocess.run([*flow, *settings], cwd=place, check=True)
    assert dump(place / "batch") == whole(place, WINDOWS[0][1])
