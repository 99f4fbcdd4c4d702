"""The paper's figures and the settings of each row."""

import pytest

from irnet.config import load_recipe
from irnet.errors import InputError
from irnet.metrics.statistics import relative_gain
from irnet.study.rows import END_TO_END, FIGURES, TABLE1, TABLE2, choose_rows

ROWS = {row.key: row for row in (*TABLE1, *TABLE2)}


def gains(key: str, control: str) -> list[float]:
    """Relative gains of a row over another in the paper's figures, in per cent."""
    shares = [relative_gain(ROWS[key].paper[name], ROWS[control].paper[name]) for name in FIGURES]
    return [round(100 * share, 2) for share in shares if share is not None]


def test_the_papers_text_follows_from_its_table():
    assert gains("irnet", "maskrcnn") == [4.97, 6.33, 12.5, 5.03]
    assert gains("irnet-no-irm", "maskrcnn")[2:] == [9.03, 3.23]
    assert gains("irnet-no-drm", "maskrcnn")[:2] == [2.19, 5.84]


def test_the_slip_of_the_papers_text():
    assert gains("irnet", "irnet-no-irm")[:2] == [4.33, 2.88]  # which it calls gains over DF + RL
    assert gains("irnet", "irnet-df-rl")[:2] == [1.24, 2.4]


def test_the_tables_share_their_rows():
    assert [row.key for row in TABLE2 if row in TABLE1] == ["irnet-no-irm", "irnet"]
    assert len(ROWS) == len({row.title for row in ROWS.values()}) == 10


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.key not in ("jomls", "cspnet")])
def test_each_row_is_a_recipe_of_its_own(row):
    settings = load_recipe("default", row.overrides).model
    parts = {
        "DF": "df" in settings.irm.inputs,
        "MSK": "msk" in settings.irm.inputs,
        "RL": settings.irm.relation,
    }
    if row.parts:
        assert row.parts == tuple(name for name, on in parts.items() if on)
    assert settings.irm.enabled == (row.key not in ("maskrcnn", "irnet-no-irm", END_TO_END.key))
    assert settings.drm.end_to_end == (row == END_TO_END)
    assert settings.drm.enabled == (row.key not in ("maskrcnn", "irnet-no-drm"))


def test_rows_are_chosen_by_key():
    assert choose_rows(TABLE2, None) == TABLE2
    assert END_TO_END not in choose_rows(TABLE1, None)
    assert choose_rows(TABLE1, END_TO_END.key) == (END_TO_END,)
    with pytest.raises(InputError, match="choose from jomls, cspnet"):
        choose_rows(TABLE1, "irnet,cellpose")
