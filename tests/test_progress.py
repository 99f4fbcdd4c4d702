"""What is told of long work, and to whom."""

import pytest

from irnet.progress import Stage, each, is_heard, listening, stage, tell


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.changes: list[list[str]] = []
        self.lines: list[tuple[str, bool]] = []

    def changed(self) -> None:
        self.changes.append([one.what for one in self.stages])

    def tell(self, text: str, *, error: bool) -> None:
        self.lines.append((text, error))


def test_stages_nest_and_say_how_far_they_are() -> None:
    told, places = Told(), []
    with listening(told):
        for name in each(["a", "b"], "segmenting", str):
            for _ in each(range(3), "window"):
                places.append([(one.what, one.done, one.total, one.item) for one in told.stages])
            tell(f"{name} is done")
    assert places[4] == [("segmenting", 1, 2, "b"), ("window", 1, 3, "")]
    assert told.lines == [("a is done", False), ("b is done", False)]
    assert told.changes[:3] == [["segmenting"], ["segmenting", "window"], ["segmenting"]]
    assert told.changes[-1] == told.stages == []


def test_a_stage_that_fails_or_is_left_early_is_over() -> None:
    told = Told()
    with listening(told):
        with pytest.raises(ZeroDivisionError), stage("dividing"):
            _ = 1 / 0
        for _ in each([1, 2], "counting"):
            break
    assert told.stages == []


def test_a_generator_may_say_how_many_there_are() -> None:
    told = Told()
    with listening(told):
        for _ in each(iter("ab"), "reading", total=2):
            assert told.stages[0].total == 2


def test_where_nobody_listens_nothing_is_told() -> None:
    assert list(each("ab", "reading")) == ["a", "b"]
    tell("to nobody")
    assert not is_heard()
    with listening(Told()) as told:
        assert is_heard()
    assert (told.lines, is_heard()) == ([], False)
