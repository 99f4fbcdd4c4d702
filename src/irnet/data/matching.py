"""Files of other tools and the images that they belong to: by stem, with the ending that the tool adds."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from irnet.errors import InputError

ENDINGS = ("_cp_masks", "_instanseg_prediction", ".stardist", "_labels", "_masks", "_mask", "")  # first wins


class Matching(NamedTuple):
    """Which file belongs to which image."""

    files: dict[str, Path]  # by name of the image
    missing: tuple[str, ...]  # names of the images without a file
    left_over: tuple[Path, ...]  # files of no image


def match_files(source: Path, names: Sequence[str], suffixes: Collection[str]) -> Matching:
    """The file, or those of a folder, that are called like the images `names`, regardless of their suffix.

    All have one ending after the image's stem, the first of ENDINGS that fits any: pictures that lie beside
    their `_cp_masks` are not taken for maps. Raises InputError when nothing fits or two files fit one image.
    """
    files = _list(source, suffixes)
    stems = _stems(names)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        by_stem[file.stem].append(file)
    ending = next((e for e in ENDINGS if any(stem + e in by_stem for stem in stems)), None)
    if ending is None:
        raise InputError(
            f"{source}: no file belongs to an image: there is {files[0].name}, for {names[0]} call it "
            f"{next(iter(stems))}{files[0].suffix}"
        )
    matched = {}
    for stem, name in stems.items():
        candidates = by_stem.get(stem + ending, [])
        if len(candidates) > 1:
            both = " and ".join(file.name for file in candidates)
            raise InputError(f"{source}: {both} both fit the image {name}: keep the maps in their own folder")
        if candidates:
            matched[name] = candidates[0]
    taken = set(matched.values())
    left_over = tuple(file for file in files if file not in taken and file.stem.endswith(ending))
    return Matching(matched, tuple(name for name in names if name not in matched), left_over)


def _list(source: Path, suffixes: Collection[str]) -> list[Path]:
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    places = sorted(source.iterdir()) if source.is_dir() else [source]
    files = [file for file in places if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    if not files:
        raise InputError(f"{source}: no file in it that ends in {' or '.join(sorted(suffixes))}")
    return files


def _stems(names: Sequence[str]) -> dict[str, str]:
    """Names of images by their stem. Raises InputError when two share one."""
    stems: dict[str, str] = {}
    for name in names:
        stem = Path(name).stem
        if (other := stems.setdefault(stem, name)) != name:
            raise InputError(f"the images {other} and {name} share the stem {stem}: rename one")
    return stems
