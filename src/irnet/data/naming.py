"""Names of images in what is written of them: that of the file, after its folders where two share one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from irnet.data.files import clean_name


def name_images(files: Sequence[Path]) -> list[str]:
    """A name for each image, no two alike, regardless of the case: as many of its folders as that takes.

    What `safe_join` would not take back, such as a backslash, becomes `_`.

    >>> name_images([Path("/s/a/x.png"), Path("/s/b/x.png"), Path("/s/b/y.png")])
    ['a/x.png', 'b/x.png', 'y.png']
    """
    parts = [list(map(clean_name, _parts(file))) for file in files]
    names, depth = [each[-1] for each in parts], 1
    while doubled := _doubled(names):
        if depth >= max(len(parts[place]) for place in doubled):  # they differ in case or in what was cleaned
            return _numbered(names, parts, doubled)
        depth += 1
        for place in doubled:
            names[place] = "/".join(parts[place][-depth:])
    return names


def _numbered(names: list[str], parts: Sequence[Sequence[str]], doubled: set[int]) -> list[str]:
    """The names, those of `doubled` images told apart by their place, without the folders that they share."""
    folders = zip(*(parts[place][:-1] for place in doubled), strict=False)
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, folders))
    for first in (shared, 0):
        numbered = [
            f"{place + 1}/{'/'.join(parts[place][first:])}" if place in doubled else name
            for place, name in enumerate(names)
        ]
        if not _doubled(numbered):
            break
    return numbered


def _parts(file: Path) -> tuple[str, ...]:
    path = Path(os.path.abspath(file))  # a link keeps its own name
    return path.parts[1:] if path.anchor else path.parts


def _doubled(names: Sequence[str]) -> set[int]:
    count = Counter(name.lower() for name in names)
    return {place for place, name in enumerate(names) if count[name.lower()] > 1}
