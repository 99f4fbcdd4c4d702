"""How much memory there is for this process and how much is left, where the system says it."""

import os
from collections.abc import Iterator
from pathlib import Path

from irnet.errors import InputError

_MEMINFO, _CGROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_SMALL = 2**29  # bytes that are not worth the question


def check_room(
    needed: int,
    what: str,
    to: str = "decode",
    remedy: str = "cut it into fields, or use a machine with more",
) -> None:
    """Raise InputError where less than `needed` bytes are left. Only Linux says; elsewhere it passes.

    The message says what needs them, what for ("decode"), and the remedy.
    """
    if needed <= _SMALL:
        return
    left = available()
    if left is not None and needed > left:
        raise InputError(
            f"{what} needs {needed / 1e9:.1f} GB of memory to {to}, {left / 1e9:.1f} GB are left: {remedy}"
        )


def available() -> int | None:
    """Bytes left for this process, by the system and by its control groups (v2); None where neither says."""
    left = [number for number in (_of_system(), *_of_groups()) if number is not None]
    return min(left, default=None)


def _of_system() -> int | None:
    found = _field(_MEMINFO, "MemAvailable:")
    return None if found is None else found * 1024  # it counts in kB


def allowed() -> int | None:
    """Bytes that this process may use, of the machine and by its control groups; None where unknown."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    first = _CGROUPS / "memory" / "memory.limit_in_bytes"  # v1: of a container, at its root
    limits = [_text(file).strip() for file in (first, *(folder / "memory.max" for folder in _own_groups()))]
    return min([total, *(int(limit) for limit in limits if limit.isdecimal())])


def _own_groups() -> Iterator[Path]:
    """The control group of this process and those that it is part of (v2)."""
    path = _text(_OWN_CGROUP).partition("0::/")[2].split("\n")[0]
    group = _CGROUPS / path
    return (folder for folder in (group, *group.parents) if folder.is_relative_to(_CGROUPS))


def _of_groups() -> list[int]:
    found = []
    for folder in _own_groups():
        limit, used = _text(folder / "memory.max").strip(), _text(folder / "memory.current").strip()
        if limit.isdecimal() and used.isdecimal():
            cached = _field(folder / "memory.stat", "inactive_file") or 0  # given back at once
            found.append(max(0, int(limit) - int(used) + cached))
    return found


def _field(file: Path, name: str) -> int | None:
    """The number after a name, in a file of names and numbers."""
    rows = (line.split() for line in _text(file).splitlines())
    return next((int(row[1]) for row in rows if len(row) > 1 and row[0] == name), None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
