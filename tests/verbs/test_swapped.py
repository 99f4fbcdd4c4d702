"""Arguments in the wrong order are told, right ones are not."""

from pathlib import Path

import pytest

from irnet.errors import InputError
from irnet.verbs.swapped import refuse_swapped


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    for file in ("set/annotations.json", "found/predictions.json", "run/best.safetensors", "found/run.json"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("{}")
    names = ("set", "set/annotations.json", "found", "found/predictions.json", "run")
    return {name: str(tmp_path / name) for name in names} | {"bundled": "bundled"}


@pytest.mark.parametrize("data", ["found", "found/predictions.json", "run", "bundled"])
@pytest.mark.parametrize("source", ["set", "set/annotations.json"])
def test_annotations_before_what_is_scored_are_refused(
    places: dict[str, str], source: str, data: str
) -> None:
    with pytest.raises(InputError) as refused:
        refuse_swapped("evaluate", places[source], places[data])
    assert f"irnet evaluate {places[data]} {places[source]}" in str(refused.value)
    refuse_swapped("evaluate", places[data], places[source])


def test_two_sets_or_two_findings_are_not_refused(places: dict[str, str]) -> None:
    for name in ("set", "found"):
        refuse_swapped("evaluate", places[name], places[name])
