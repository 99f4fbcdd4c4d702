"""Files that check themselves, and survive a full disk and a kill at the worst moment."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from irnet.errors import InputError
from irnet.inference.tensors import digest_of, read_meta, read_tensors, write_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7), "empty": torch.zeros(0, 4)}


def test_what_is_written_is_read(tmp_path: Path):
    digest = write_tensors(tmp_path / "x.safetensors", TENSORS, {"note": 'a "quoted" µm', "step": 3})
    tensors, meta = read_tensors(tmp_path / "x.safetensors")
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    assert (meta["note"], meta["step"]) == ('a "quoted" µm', 3)
    assert digest_of(tmp_path / "x.safetensors") == digest


def test_equal_content_gives_equal_files(tmp_path: Path):
    for name in "ab":
        write_tensors(tmp_path / name, TENSORS, {"step": 3, "other": 4})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_any_flipped_byte_is_found(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS, {"step": 3})
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        with pytest.raises(InputError, match="x"):
            read_tensors(path)


@pytest.mark.parametrize("content", [b"", b"12345678", b"PK\x03\x04" + b"0" * 100, b"\xff" * 64])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match="not a weights file"):
        read_tensors(tmp_path / "x")


def test_a_file_cut_short_and_a_missing_one_are_refused(tmp_path: Path):
    path = tmp_path / "x"
    write_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged"):
        read_tensors(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_tensors(tmp_path / "none")


def test_the_old_file_survives_a_full_disk(tmp_path: Path):
    write_tensors(tmp_path / "x", TENSORS, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match="File too large"):
            write_tensors(tmp_path / "x", {"a": torch.zeros(10_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_tensors(tmp_path / "x")[1]["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


KILLED_BEFORE_RENAME = """
import os, signal, sys
from pathlib import Path
import torch
from irnet.inference.tensors import write_tensors
write_tensors(Path(sys.argv[1]), {"a": torch.zeros(3)}, {"step": 1})
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_tensors(Path(sys.argv[1]), {"a": torch.ones(3)}, {"step": 2})
"""


def test_the_old_file_survives_a_kill_between_write_and_rename(tmp_path: Path):
    run = subprocess.run([sys.executable, "-c", KILLED_BEFORE_RENAME, str(tmp_path / "x")], env=os.environ)
    assert run.returncode == -signal.SIGKILL
    tensors, meta = read_tensors(tmp_path / "x")
    assert meta["step"] == 1
    assert not tensors["a"].any()


@pytest.mark.parametrize("rest", ['"format": {}}', '"format": 1', '"kind": 1}', '"kind": ' + "[" * 100_000])
def test_a_header_of_another_make_is_refused(tmp_path: Path, rest: str):
    path, text = tmp_path / "odd.safetensors", f'{{"sha256": "{"0" * 64}", {rest}'
    blob = safetensors.torch.save({"a": torch.zeros(1)}, metadata={"irnet": text})
    digest = hashlib.sha256(blob).hexdigest().encode()
    path.write_bytes(blob.replace(b"0" * 64, digest))
    with pytest.raises(InputError, match=r"odd\.safetensors"):
        read_meta(path)
