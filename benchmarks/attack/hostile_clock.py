"""Seconds of the processor: a machine that others use too has no other clock."""

import os
from pathlib import Path


def cpu(pid: int | None) -> float:
    """What a process has had; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def childrens_cpu() -> float:
    """What ended children of this process had."""
    times = os.times()
    return times.children_user + times.children_system
