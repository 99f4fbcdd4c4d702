"""Schedulers of Dask, by address, by file or of this machine; the one door to Dask (extra `cluster`)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from irnet.data.coco.document import parse
from irnet.errors import InputError
from irnet.verbs.slide_workers import environment
from irnet.wording import install_extra

try:
    from distributed import Client, Future, LocalCluster
except ImportError as error:
    raise InputError(f"--scheduler needs Dask ({error}): {install_extra('cluster')}") from error

__all__ = ["Client", "Future", "connected"]

CONNECT = 10.0  # s that a scheduler has to answer
_FORMS = "give tcp://HOST:PORT, local:N (N from 1 to 99) or the file of dask scheduler --scheduler-file"


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of a scheduler. Raises InputError where none answers."""
    if scheduler.startswith("local:"):
        count = _count(scheduler)
        with (
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",  # any free port: 8787 is another run's, and Dask would warn
                scheduler_kwargs={"dashboard": False},
                env=environment(count),
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return

    address = _address(scheduler)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it says is said here
    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no scheduler of Dask answers ({error})") from None
    with client:
        yield client


def _count(scheduler: str) -> int:
    """How many processes local:N asks for. Raises InputError."""
    found = re.fullmatch(r"local:(\d{1,2})", scheduler)
    if found is None or not int(found[1]):
        raise InputError(f"--scheduler {scheduler}: {_FORMS}")
    return int(found[1])


def _address(scheduler: str) -> str:
    """The address of a scheduler. Raises InputError for what is neither that nor the file of one."""
    path = Path(scheduler)
    if path.is_file():
        row = parse(path)
        if isinstance(row, dict) and isinstance(row.get("address"), str):
            return row["address"]
        raise InputError(f"{path}: not the file of a scheduler, as dask scheduler --scheduler-file writes it")
    if re.fullmatch(r"(\w+://)?[^/\s]+:\d+", scheduler):
        return scheduler
    raise InputError(f"--scheduler {scheduler}: {_FORMS}")
