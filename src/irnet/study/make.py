"""What `irnet study WHAT` makes."""

from __future__ import annotations

from irnet.study.beyond import BEYOND, make_beyond
from irnet.study.fig3 import make_figure
from irnet.study.protocol import Say
from irnet.study.record import Study
from irnet.study.rows import choose_rows
from irnet.study.table1 import TABLE1
from irnet.study.table2 import TABLE2
from irnet.study.tables import Made, make_table

TABLES = {table.name: table for table in (TABLE1, TABLE2)}
ROWS = {table.name: table.rows for table in (TABLE1, TABLE2, BEYOND)} | {"fig3": TABLE1.rows}


def check_rows(what: str, keys: str | None) -> None:
    """Raise `InputError` for keys of no row, before a study is begun."""
    choose_rows(ROWS[what], keys)


def make(what: str, study: Study, *, keys: str | None, device: str, say: Say) -> Made:
    """Make a table or the figure in the study's folder. Raises what `jobs.run_rows` raises."""
    if what == "fig3":
        return make_figure(study, keys=keys, device=device, say=say)
    if what == "beyond":
        return make_beyond(study, keys=keys, device=device, say=say)
    return make_table(study, TABLES[what], keys=keys, device=device, say=say)
