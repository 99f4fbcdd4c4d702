"""Damaged and malicious files: each is read or refused by name, none crashes, hangs or eats the memory.

The campaign is that of `python benchmarks/attack`, cut short; it runs in a process of its own, so that a
crash of a decoder is a failed test and not the end of all tests. What fails says how to repeat it.
"""

import contextlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_campaign import GOOD, Result, bombs, damaged, flaws, run, variants
from hostile_scene import Scene, Thing
from hostile_targets import targets
from hostile_texts import as_polygon, coco

from irnet.data.checks.check import check
from irnet.data.coco.coco import read_coco
from irnet.errors import InputError

INPUTS = 40  # of each kind; what one is made of follows from its kind and its number
MEGABYTES = 400  # a small file may say, and be, a picture of many pixels


@pytest.fixture(scope="module")
def attacked() -> dict[str, list[Result]]:
    """What became of the inputs of each kind: all in one process, which imports everything once."""
    jobs = [*damaged(range(INPUTS)), *variants([0]), *flaws([0]), *bombs()]
    results: dict[str, list[Result]] = defaultdict(list)
    for job, result in zip(jobs, run(jobs), strict=True):
        results[job.kind].append(result)
    return results


def all_good(results: list[Result]) -> list[Result]:
    """The results, of which none is a fault."""
    failed = [f"--repeat '{r.job}': {r.outcome}: {r.detail}" for r in results if r.outcome not in GOOD]
    assert failed == []
    return results


@pytest.mark.slow
def test_damaged_files_are_read_or_refused_by_name(attacked: dict[str, list[Result]]) -> None:
    results = all_good(attacked["damaged"])
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        outcomes[result.job.name][result.outcome] += 1
    assert outcomes.keys() == targets().keys()
    assert outcomes.pop("data check") == {"read": INPUTS}  # what is wrong stands in its findings
    read, refused = (sum(count[outcome] for count in outcomes.values()) for outcome in GOOD)
    assert min(read, refused) > 0.2 * len(results)
    assert [str(result.job) for result in results if result.megabytes > MEGABYTES] == []


@pytest.mark.slow
def test_a_scene_is_the_same_however_it_is_written(attacked: dict[str, list[Result]]) -> None:
    results = all_good(attacked["variant"])
    assert sum(result.outcome == "read" for result in results) > 0.8 * len(results)


@pytest.mark.slow
def test_files_that_mislead_are_refused_or_told_of(attacked: dict[str, list[Result]]) -> None:
    assert {result.outcome for result in all_good(attacked["flaw"])} == set(GOOD)


@pytest.mark.slow
def test_bombs_take_neither_time_nor_memory(attacked: dict[str, list[Result]]) -> None:
    assert len(all_good(attacked["bomb"])) == len(bombs())


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """See that an InputError names the file."""
    try:
        yield
    except InputError as error:
        if path.name not in str(error):
            raise AssertionError(f"file not named: {error}") from error
        raise


@pytest.mark.parametrize("name", ["a" * 10_000, "a/" * 2000 + "b", "\u202egnp.a", "con", "é\u0301.png"])
def test_strange_names_are_read_or_refused(tmp_path: Path, name: str) -> None:
    coco(as_polygon)(tmp_path, Scene((Thing(1, 20, ((20, 40),) * 10),)))
    path = tmp_path / "annotations.json"
    data = json.loads(path.read_text())
    data["images"][0]["file_name"] = name
    path.write_text(json.dumps(data))
    assert all(path.name in finding.line() for finding in check([path]))
    begun = time.process_time()
    with contextlib.suppress(InputError), naming_file(path):
        assert read_coco(path)[0].name == name
    assert time.process_time() - begun < 2
