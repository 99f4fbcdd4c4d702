"""MATLAB files that crash, hang or overfill their reader: this process goes on."""

import math
import os
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from irnet.data import matlab, matlab_child
from irnet.data.matlab import open_hdf5, read_mat
from irnet.errors import InputError

MASK = np.eye(5, dtype=np.uint8)


def cell_array(items: list) -> np.ndarray:
    array = np.empty((len(items), 1), dtype=object)
    for i, item in enumerate(items):
        array[i, 0] = item
    return array


def mat(path: Path) -> Path:
    nested = cell_array([cell_array([MASK, MASK > 0]), cell_array([])])
    savemat(path, {"a": nested, "b": MASK, "c": cell_array(["text", MASK.astype(float), MASK.astype(">u2")])})
    return path


def references(path: Path, shape: tuple[int, ...], count: int = 2, **options) -> Path:
    with h5py.File(path, "w") as file:
        item = file.create_dataset("x", shape, "u1", **options)
        held = np.empty((1, count), dtype=h5py.ref_dtype)
        held[:] = item.ref
        file.create_dataset("all", data=held)
    return path


def outcome(path: Path) -> dict | str:
    try:
        return read_mat(path)
    except InputError as error:
        return str(error)


def stub(path: Path, body: str, monkeypatch) -> None:
    """A reader that does what the C libraries do on some files."""
    path.write_text(body)
    monkeypatch.setattr(matlab_child, "__file__", str(path))


@pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")
@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT"])
def test_a_stop_of_the_whole_group_is_left_to_the_parent(tmp_path: Path, monkeypatch, stop: str) -> None:
    kill = f"import os, signal; os.kill(os.getpid(), signal.{stop})"
    stub(tmp_path / "told.py", f"{kill}; print('{{\"end\": 1}}')", monkeypatch)
    assert outcome(tmp_path / "a.mat") == {}


def test_cell_arrays_come_as_lists(tmp_path: Path) -> None:
    found = read_mat(mat(tmp_path / "a.mat"))
    assert sorted(found) == ["a", "c"]
    (first, second), empty = found["a"]
    assert np.array_equal(first, MASK)
    assert np.array_equal(second, MASK)
    assert empty == []
    assert found["c"][:2] == [None, None]
    assert found["c"][2].dtype == np.uint16


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_are_an_error_or_harmless(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(mat(tmp_path / "a.mat").read_bytes())
    for place in rng.integers(128, len(content), 3):
        content[place] ^= 1 << rng.integers(8)
    (tmp_path / "a.mat").write_bytes(content)
    found = outcome(tmp_path / "a.mat")
    assert isinstance(found, dict) or "a.mat" in found


def test_a_reader_that_crashes_is_an_error(tmp_path: Path, monkeypatch) -> None:
    stub(tmp_path / "crash.py", "import os; os.abort()", monkeypatch)
    with pytest.raises(InputError, match=r"a\.mat: it is damaged: its reader crashed"):
        read_mat(mat(tmp_path / "a.mat"))


def test_a_reader_that_hangs_is_ended(tmp_path: Path, monkeypatch) -> None:
    stub(tmp_path / "hang.py", "import time; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(matlab, "PATIENCE", 0.5)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"a\.mat: no answer"):
        read_mat(mat(tmp_path / "a.mat"))
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("said", ["[]", "{}", "no json", '{"name": "a"}\\n{"array": [1], "dtype": "|O8"}'])
def test_a_reader_out_of_its_mind_is_an_error(tmp_path: Path, monkeypatch, said: str) -> None:
    stub(tmp_path / "mad.py", f"print('''{said}''')", monkeypatch)
    with pytest.raises(InputError, match=r"a\.mat: "):
        read_mat(mat(tmp_path / "a.mat"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems hold no process to a limit")
def test_what_does_not_fit_into_the_limit_is_refused(tmp_path: Path) -> None:
    path = references(tmp_path / "b.mat", (2**14, 2**14, 8), chunks=(2**10, 2**10, 8), compression="gzip")
    with open_hdf5(path, "all") as (count, items):
        assert count == 2
        with pytest.raises(InputError, match="more than 64 MiB"):
            next(items)


def test_the_largest_item_fits_into_the_limit(tmp_path: Path) -> None:
    side = math.isqrt(matlab_child.MAX_ARRAY)
    path = references(tmp_path / "a.mat", (side, side), chunks=(2**10, 2**10), compression="gzip")
    with open_hdf5(path, "all") as (_, items):
        assert next(items).nbytes == matlab_child.MAX_ARRAY


def test_too_many_references_are_refused(tmp_path: Path) -> None:
    path = references(tmp_path / "a.mat", (5, 5), count=matlab_child.MAX_CELLS + 1)
    with pytest.raises(InputError, match=r"a\.mat: a cell array of 100,001 items"), open_hdf5(path, "all"):
        pass


def test_items_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    with open_hdf5(references(tmp_path / "a.mat", (4, 5), count=3), "all") as (count, items):
        assert count == 3
        assert next(items).shape == (5, 4)  # as MATLAB has it
