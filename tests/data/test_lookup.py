"""Images found by the names that annotation tools write."""

from pathlib import Path

import pytest

from irnet.data.lookup import ImageFolder, Names
from irnet.errors import InputError

FILES = ("a.png", "p1/b.png", "p2/b.png", "p1/c.png", "e f.png", "ü.png", "d%20e.png", "d e.png")


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    for name in FILES:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "secret.png").touch()
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    return ImageFolder(tmp_path / "images", deep=True)


MEANT = {
    "images/a.png": "a.png",
    "images\\a.png": "a.png",
    "./a.png": "a.png",
    "p9/../a.png": "a.png",
    "C:\\Users\\x\\a.png": "a.png",
    "\\\\server\\share\\p1\\b.png": "p1/b.png",
    "..\\..\\media\\upload\\4\\a.png": "a.png",
    "/data/local-files/?d=images/p2/b.png": "p2/b.png",
    "/data/local-files/?d=images%2Fp2%2Fb.png": "p2/b.png",
    "/data/upload/1/1f2e3d4c-a.png": "a.png",
    "upload/1/abc-a.png": "a.png",
    "1f2e3d4c-a.png": "a.png",
    "file:///C:/x/e%20f.png": "e f.png",
    "https://host/x/a.png?signature=1": "a.png",
    "u\u0308.png": "ü.png",
    "c.png": "p1/c.png",
    "d%20e.png": "d%20e.png",
}


@pytest.mark.parametrize("name", MEANT)
def test_a_name_means_the_file_of_its_longest_tail(folder: ImageFolder, name: str) -> None:
    assert folder.find(name) == MEANT[name]
    assert Names(FILES).find(name) == MEANT[name]


@pytest.mark.parametrize("name", ["", "..", "b/a", "p3/c.png", "../secret.png", "secret.png", "x/link.png"])
def test_what_the_folder_does_not_hold_is_not_found(folder: ImageFolder, name: str) -> None:
    assert folder.find(name) is None


@pytest.mark.parametrize("name", ["b.png", "x/d%20e.png"])
def test_two_files_that_fit_are_refused(folder: ImageFolder, name: str) -> None:
    with pytest.raises(InputError, match=r"may be .* or .*: write its folder into the name"):
        folder.find(name)


def test_files_in_folders_beside_the_annotations_are_not_guessed(folder: ImageFolder) -> None:
    assert ImageFolder(folder.root, deep=False).find("c.png") is None


def test_a_missing_file_keeps_its_name_but_never_leaves_the_folder(folder: ImageFolder) -> None:
    assert folder.place("p1\\none.png") == ("p1/none.png", folder.root / "p1" / "none.png")
    with pytest.raises(InputError, match="leaves its folder"):
        folder.place("../none.png")
