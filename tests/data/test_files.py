"""Atomic writes, names that stay inside, hashes."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from irnet.data.files import check_writable, safe_join, sha256, write_atomic
from irnet.errors import InputError


def test_bytes_are_written_and_missing_folders_made(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.bin", b"cells")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"cells"


def test_a_callable_writes_to_the_open_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "b.bin", lambda file: file.write(b"cells"))
    assert (tmp_path / "b.bin").read_bytes() == b"cells"


def test_a_failing_writer_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "b.bin"
    path.write_bytes(b"old")

    def fail(file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["b.bin"]


def test_a_kill_between_write_and_rename_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "b.bin"
    path.write_bytes(b"old")

    def killed(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_place_that_is_full_or_refuses_is_named(tmp_path: Path, monkeypatch) -> None:
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.a\.bin: cannot be written \(File exists\)"):
        write_atomic(tmp_path / "file" / "a.bin", b"cells")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"a\.bin: cannot be written \(No space left on device\): .*room"):
        write_atomic(tmp_path / "a.bin", b"cells")
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_tried_out_without_making_it(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(InputError, match=r"cannot be written \(Not a directory\): name another"):
            check_writable(folder)


ESCAPES = [
    "../secret.png",
    "a/../../secret.png",
    "a/b/../../../secret.png",
    "..",
    "..\\secret.png",
    "a\\..\\..\\secret.png",
    "a/..\\secret.png",
    "/etc/passwd",
    "//server/share/secret.png",
    "\\\\server\\share\\secret.png",
    "\\secret.png",
    "C:\\secret.png",
    "c:secret.png",
    "z:/secret.png",
    "a\x00.png",
    "\x00",
    "a\n.png",
    "",
    "   ",
    "./../secret.png",
    "\ud800.png",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leaves_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        safe_join(tmp_path / "images", name)


@pytest.mark.parametrize(
    "name", ["a.png", "a/b.png", "a\\b.png", "ü ..png", "...png", "a..b/c.png", "./a.png"]
)
def test_honest_names_stay(tmp_path: Path, name: str) -> None:
    assert safe_join(tmp_path, name).is_relative_to(tmp_path)


def test_links_out_of_the_folder_are_refused_and_links_inside_are_not(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (images / "real.png").write_bytes(b"x")
    (images / "out.png").symlink_to(tmp_path / "secret.png")
    (images / "folder").symlink_to(tmp_path)
    (images / "in.png").symlink_to(images / "real.png")
    (images / "loop.png").symlink_to(images / "loop.png")
    for name in ("out.png", "folder/secret.png"):
        with pytest.raises(InputError, match="links"):
            safe_join(images, name)
    with pytest.raises(InputError, match="not a file name"):
        safe_join(images, "loop.png")
    assert safe_join(images, "in.png").read_bytes() == b"x"


def test_a_folder_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "images").symlink_to(tmp_path / "store")
    assert safe_join(tmp_path / "images", "a.png") == tmp_path / "images" / "a.png"


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"cells")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"cells").hexdigest()
