"""Numbers and phrases that a user reads, and the progress of work that takes long."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

RESEARCH_USE = "Research use only; not a diagnostic device; it measures cells, it does not grade them."
UNKNOWN = "–"
# How a formula begins for spreadsheets, in the wide forms of CJK fonts too, and such a text once marked.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
MAX_DIGITS = 15  # of the number of an instance: any program can hold it

Progress = Callable[[str, int, int], None]
"""Called with the name of each image, its number from 1 and how many there are."""


def name_instance(image: str, number: int) -> str:
    """The id of a cell or nucleus, the same wherever it is shown: its image and its number in it, from 0.

    >>> name_instance("p1/field 3.png", 17)
    'p1/field 3.png#17'
    """
    return f"{image}#{number}"


def parse_instance_name(text: str) -> tuple[str, int] | None:
    """Image ("" for none) and number of an id, None: it is none. What a name has before its last # is image.

    >>> parse_instance_name("a#1.png#17"), parse_instance_name("#17"), parse_instance_name("a.png")
    (('a#1.png', 17), ('', 17), None)
    """
    image, mark, digits = text.strip().rpartition("#")
    if not mark or not digits.isascii() or not digits.isdecimal() or len(digits) > MAX_DIGITS:
        return None
    return image, int(digits)


def for_spreadsheet(text: str) -> str:
    """Text that no spreadsheet takes for a formula: one that would be gets `'` before it, as OWASP advises.

    >>> for_spreadsheet("=1+1.png"), for_spreadsheet("a.png")
    ("'=1+1.png", 'a.png')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_spreadsheet(text: str) -> str:
    """What `for_spreadsheet` was given.

    >>> from_spreadsheet("'=1+1.png"), from_spreadsheet("'a.png")
    ('=1+1.png', "'a.png")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def number_of(number: int, noun: str) -> str:
    """A number of things.

    >>> number_of(1, "image"), number_of(0, "image"), number_of(2, "nucleus")
    ('1 image', '0 images', '2 nuclei')
    """
    plural = "nuclei" if noun == "nucleus" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def some_of(names: Sequence[str], most: int) -> str:
    """The first of many names, and how many more there are.

    >>> some_of(["a.png", "b.png", "c.png"], 2)
    'a.png, b.png and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def clock(seconds: float) -> str:
    """A length of time.

    >>> clock(75), clock(4000)
    ('1:15', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def number_and_noun(number: int, noun: str) -> tuple[str, str]:
    """A number and its things apart, for headlines.

    >>> number_and_noun(1, "cell"), number_and_noun(2, "nucleus")
    (('1', 'cell'), ('2', 'nuclei'))
    """
    digits, _, things = number_of(number, noun).partition(" ")
    return digits, things


def describe_point(name: str, chosen: Mapping[str, float], before: Mapping[str, float]) -> str:
    """The operating point of a class that was chosen, beside the one before.

    >>> describe_point("nucleus", {"score": 0.25}, {"score": 0.3})
    'nucleus: score 0.25 (was 0.3)'
    """
    values = (f"{field} {value:g} (was {before[field]:g})" for field, value in chosen.items())
    return f"{name}: {', '.join(values)}"


def size_of(size: int) -> str:
    """So many bytes for people.

    >>> size_of(1_230_000), size_of(40_100), size_of(10)
    ('1.2 MB', '40 kB', '1 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def command(*parts: object) -> str:
    """A command of irnet as a shell takes it, names with spaces quoted.

    >>> command("slide", "run", "my slides")
    "irnet slide run 'my slides'"
    """
    return shlex.join(["irnet", *map(str, parts)])


def install_extra(extra: str) -> str:
    """How to get what an extra of pyproject.toml brings: irnet is on no package index, so out of its clone.

    >>> install_extra("view")
    'pip install ".[view]" in the clone of irnet'
    """
    return f'pip install ".[{extra}]" in the clone of irnet'
