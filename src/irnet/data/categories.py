"""Names of categories in users' files to labels."""

from collections.abc import Mapping

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
            f"unknown category {name!r}: say what it is with --map '{name}=cytoplasm' (or nucleus, drop)"
        )
    return _TARGETS[target]
