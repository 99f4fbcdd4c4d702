"""Users' names of categories."""

import pytest

from irnet.cells import CYTOPLASM, EVERY_CLASS, NUCLEUS
from irnet.data.categories import DROPPED, label_of, parse_mapping
from irnet.errors import InputError


def test_our_names_need_no_mapping_and_no_case() -> None:
    assert [label_of(name) for name in ("cytoplasm", " Nucleus", "IGNORE")] == [
        CYTOPLASM,
        NUCLEUS,
        EVERY_CLASS,
    ]


def test_a_mapping_renames() -> None:
    mapping = parse_mapping("Cell=cytoplasm,nuclei = nucleus, debris=drop,smudge=ignore")
    found = [label_of(name, mapping) for name in ("cell", "Nuclei", "debris", "smudge", "nucleus")]
    assert found == [CYTOPLASM, NUCLEUS, DROPPED, EVERY_CLASS, NUCLEUS]


def test_a_mapping_may_exchange_our_names() -> None:
    mapping = parse_mapping("nucleus=cytoplasm")
    assert label_of("nucleus", mapping) == CYTOPLASM


@pytest.mark.parametrize("name", ["cell", "nuclei", "drop", ""])
def test_other_names_are_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(InputError, match=f"--map '{name}=cytoplasm'"):
        label_of(name)


@pytest.mark.parametrize("text", ["", "Cell", "Cell=", "=nucleus", "Cell=cell", "Cell=cytoplasm,,"])
def test_a_mapping_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="NAME=TARGET"):
        parse_mapping(text)
