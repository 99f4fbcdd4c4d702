"""Files of a folder by the names that other programs give them.

An annotation tool writes the name that an image had for it: with folders of another machine, as an address,
with backslashes. Its last parts are what counts here: of `C:\\images\\p1\\a.png` the longest of
`images/p1/a.png`, `p1/a.png` and `a.png` that the folder holds. A name never leads out of the folder.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from irnet.data.files import safe_join
from irnet.data.listing import walk
from irnet.errors import InputError

MAX_PARTS = 64  # of a name
_LOCAL_FILE = "?d="  # Label Studio: /data/local-files/?d=p1/a.png
_UPLOADED = re.compile(
    r"(?:upload/\d+/[0-9a-f]+|(?:^|/)[0-9a-f]{8})-(?=[^/]+$)"
)  # Label Studio: 1f2e3d4c-a.png


class Names:
    """Names of files, relative to a folder, with / between folders."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_last: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._by_last[_last(name)].append(name)

    def holds(self, name: str) -> bool:
        """Whether the name is one of these."""
        return name in self._by_last.get(_last(name), [])

    def under(self, name: str) -> list[str]:
        """Names that end in `/name`."""
        return [other for other in self._by_last.get(_last(name), []) if other.endswith(f"/{name}")]

    def find(self, name: str) -> str | None:
        """What `name`, of another program, is called here; None for nothing. InputError where two fit."""
        spelled = list(_spellings(name))
        if spelled and self.holds(whole := "/".join(spelled[0])):
            return whole
        deepest = max(map(len, spelled), default=0)
        if deepest > MAX_PARTS:  # every end of it is looked for: time grows with the square
            raise InputError(
                f"{name[:80]!r}...: a name of {deepest} folders: name the file relative to its own"
            )

        for length in range(deepest, 0, -1):
            tails = {
                "/".join(parts[-length:]): length == len(parts) for parts in spelled if len(parts) >= length
            }
            found = {tail for tail in tails if self.holds(tail)}
            found |= {other for tail, whole in tails.items() if whole for other in self.under(tail)}
            if len(found) > 1:
                first, second = sorted(found)[:2]
                raise InputError(f"{name!r} may be {first} or {second}: write its folder into the name")
            if found:
                return found.pop()
        return None


def by_stem(names: Iterable[str]) -> dict[str, str]:
    """Names by what is left without their suffix, where that means one file."""
    stems = defaultdict[str, list[str]](list)
    for name in names:
        stems[without_suffix(name)].append(name)
    return {stem: called[0] for stem, called in stems.items() if len(called) == 1}


def without_suffix(name: str) -> str:
    """A name without its suffix.

    >>> without_suffix("p.1/a.b.png")
    'p.1/a.b'
    """
    return PurePosixPath(name).with_suffix("").as_posix()


class ImageFolder(Names):
    """The files of a folder; `deep`: a bare name may also mean a file in a folder of it."""

    def __init__(self, root: Path, *, deep: bool) -> None:
        super().__init__([])
        self.root, self.deep = root, deep

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            return safe_join(self.root, name).is_file()
        except InputError:
            return False

    def under(self, name: str) -> list[str]:
        """Files in folders of the folder that end in `/name`."""
        return self._listed.under(name) if self.deep else []

    def place(self, name: str) -> tuple[str, Path]:
        """The name that a file has here, and its path; whether it is there is not said. Raises InputError."""
        found = self.find(name) or name
        return found.replace("\\", "/"), safe_join(self.root, found)

    @cached_property
    def _listed(self) -> Names:
        return Names(file.relative_to(self.root).as_posix() for file in walk(self.root))


def _spellings(name: str) -> Iterator[list[str]]:
    """What a name may mean, as parts of a path: as it stands first."""
    texts = [name]
    if _LOCAL_FILE in name:
        texts.append(name.partition(_LOCAL_FILE)[2])
    texts += [text.partition("?")[0] for text in texts if "?" in text]
    texts += [unquote(text) for text in texts if "%" in text]
    texts = [text.replace("\\", "/") for text in texts]
    texts += [_UPLOADED.sub("/", text) for text in texts if _UPLOADED.search(text)]
    forms = [unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")]
    for text in dict.fromkeys([*texts, *forms]):
        if parts := _parts(text):
            yield parts


def _parts(text: str) -> list[str]:
    """The parts of a path without `.`, and `..` gone with what it takes away."""
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _last(name: str) -> str:
    return name.rpartition("/")[2]
