"""Elements of an XML text from outside, one after the other: no document type, so no entities to expand."""

from dataclasses import dataclass, field
from xml.parsers import expat

from irnet.errors import InputError

MAX_CHARACTERS, MAX_ELEMENTS = 2**26, 2**20


@dataclass
class Element:
    """An element without its place in the tree."""

    name: str  # without its prefix
    attributes: dict[str, str]
    text: str = field(default="")  # that begins right after it


def read_elements(text: str) -> list[Element]:
    """The elements in the order in which they begin.

    Raises InputError for a document type and for more than MAX_ELEMENTS, expat.ExpatError for no XML.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"XML of more than {MAX_CHARACTERS:,} characters")
    found: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(found) >= MAX_ELEMENTS:
            raise InputError(f"XML of more than {MAX_ELEMENTS:,} elements")
        found.append(Element(name.rpartition(":")[2], attributes))

    def add(characters: str) -> None:
        if found and len(found[-1].text) < 200:  # names and numbers; the rest is not asked for
            found[-1].text += characters

    def refuse(*_: object) -> None:
        raise InputError("XML with a document type")

    parser = expat.ParserCreate("utf-8")  # regardless of its declaration: it was decoded already
    parser.StartElementHandler, parser.CharacterDataHandler = start, add
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(text.strip().rstrip("\0").encode("utf-8", "replace"), True)
    return found
