"""Names of categories in users' files to labels."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from irnet.cells import EVERY_CLASS, LABEL_NAMES
from irnet.errors import InputError

DROPPED = -1  # the user said that these annotations are none of our business
_TARGETS = {name: label for label, name in LABEL_NAMES.items()} | {"ignore": EVERY_CLASS, "drop": DROPPED}


def parse_mapping(text: str) -> dict[str, str]:
    """Categories renamed by the user.

    >>> parse_mapping("Cell=cytoplasm, nuclei=nucleus")
    {'Cell': 'cytoplasm', 'nuclei': 'nucleus'}
    """
    mapping = {}
    for pair in text.split(","):
        name, equals, target = (part.strip() for part in pair.partition("="))
        if not (name and equals) or target not in _TARGETS:
            raise InputError(
                f"--map {pair.strip()!r}: write NAME=TARGET with TARGET one of {', '.join(_TARGETS)}, "
                "for example --map 'Cell=cytoplasm,nuclei=nucleus'"
            )
        mapping[name] = target
    return mapping


def plain(name: str) -> str:
    """A category's name without what makes no difference: case, spaces around it, more than one inside."""
    return " ".join(name.split()).lower()


def label_of(name: str, mapping: Mapping[str, str] | None = None) -> int:
    """CYTOPLASM, NUCLEUS, EVERY_CLASS or DROPPED for a category's name, see `plain`. InputError."""
    known = {ours: ours for ours in _TARGETS if ours != "drop"}
    known |= {plain(theirs): ours for theirs, ours in (mapping or {}).items()}
    target = known.get(plain(name))
    if target not in _TARGETS:
        raise InputError(
            f"unknown category {name!r}: say what it is with --map '{name}=cytoplasm' (or nucleus, drop) of "
            "irnet data check --fix, data convert or import-predictions"
        )
    return _TARGETS[target]


def known_classes(names: Iterable[str], mapping: Mapping[str, str] | None = None) -> frozenset[int]:
    """CYTOPLASM, NUCLEUS or both, as far as names of categories mean them; unknown names mean nothing.

    >>> known_classes(["Nucleus", "debris"])
    frozenset({2})
    """
    labels = set[int]()
    for name in names:
        with suppress(InputError):
            labels.add(label_of(name, mapping))
    return frozenset(labels & LABEL_NAMES.keys())
