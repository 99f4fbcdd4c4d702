"""irnet under attack: damaged files, scenes written in every way, bombs, processes killed at random moments.

    python benchmarks/attack OUT [--inputs 20000] [--kills 200] [--first 0]

OUT keeps what became of each input (`inputs.jsonl`) and of each kill (`kills.jsonl`): the same command goes
on where it was stopped. What an input is follows from its kind, name and number, counted from `--first`, as
kills are; `--repeat` runs one again.
Needs `pip install ".[dev]"`; the kills need Linux and the bundled weights.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from hostile_campaign import BAD, GOOD, Job, Result, bombs, damaged, flaws, run, variants
from hostile_kills import VERBS, kill


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="a number that no run began at: new inputs")
    parser.add_argument("--repeat", help="one input alone, such as damaged/labelme/17")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    if options.repeat:
        kind, rest = options.repeat.split("/", 1)
        name, number = rest.rsplit("/", 1)
        print(*run([Job(kind, name, int(number))]))
        return
    results = attack(plan(options.inputs, options.first), options.out / "inputs.jsonl")
    print(inputs_table(results))
    kills = kill_all(range(options.first, options.first + options.kills), options.out / "kills.jsonl")
    print(kills_table(kills))


def plan(count: int, first: int = 0) -> list[Job]:
    """So many inputs: every bomb and flaw, a twentieth written in every way, the rest damaged."""
    scenes = max(1, count // 20 // len(variants([0])))
    others = bombs() + flaws(range(first, first + 4)) + variants(range(first, first + scenes))
    jobs: list[Job] = []
    number = first
    while len(jobs) < count - len(others):
        jobs += damaged([number])
        number += 1
    return (jobs[: max(0, count - len(others))] + others)[:count]


def attack(jobs: Sequence[Job], log: Path) -> list[Result]:
    """The results of all, those of an earlier run taken from the log."""
    results = {(result := Result(Job(*row[0]), *row[1:])).job: result for row in _rows(log)}
    with open(log, "a") as file:
        for result in run([job for job in jobs if job not in results]):
            results[result.job] = result
            file.write(json.dumps(result) + "\n")
            file.flush()
            if result.outcome in BAD:
                print(f"--repeat '{result.job}': {result.outcome}: {result.detail}", flush=True)
    return [results[job] for job in jobs]


def inputs_table(results: Iterable[Result]) -> str:
    """What became of the inputs, by reader, and what they took at most."""
    rows: dict[str, list[Result]] = defaultdict(list)
    groups = {"variant": "scenes in every way", "flaw": "scenes in misleading files", "bomb": "bombs"}
    for result in results:
        name = result.job.name.split()[0]  # of one reader's kinds the first word
        rows[groups.get(result.job.kind, f"damaged: {name}")].append(result)
    rows["**all**"] = [result for each in list(rows.values()) for result in each]
    lines = [
        f"| reader | inputs | {' | '.join((*GOOD, *BAD))} | most s | most MB |",
        "|---" * (5 + len(GOOD + BAD)) + "|",
    ]
    for reader, each in rows.items():
        counts = [sum(result.outcome == outcome for result in each) for outcome in (*GOOD, *BAD)]
        seconds, megabytes = (max(values) for values in zip(*(result[3:] for result in each), strict=True))
        cells = [reader, len(each), *counts, f"{seconds:.2f}", f"{megabytes:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def kill_all(numbers: Sequence[int], log: Path) -> list[dict]:
    """What was wrong after each kill, those of an earlier run taken from the log."""
    done = [row for row in _rows(log) if row["number"] in numbers]
    known = {row["number"] for row in done}
    with open(log, "a") as file:
        for number in numbers:
            if number in known:
                continue
            row = kill(number)
            done.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            if row["wrong"]:
                print(f"kill {number}, {row['verb']}: {row['wrong']}", flush=True)
    return done


def kills_table(kills: Sequence[dict]) -> str:
    """How many processes were ended in their work, by verb and signal, and what was wrong afterwards."""
    lines = [
        "| verb | signal | processes | before it was done | edits acknowledged | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for verb, signal in product(VERBS, ("SIGKILL", "SIGTERM")):
        rows = [row for row in kills if (row["verb"], row["signal"]) == (verb, signal)]
        early, edits = sum(row["early"] for row in rows), sum(row["edits"] for row in rows)
        cells = (verb, signal, len(rows), early, edits, sum(bool(row["wrong"]) for row in rows))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _rows(log: Path) -> list:
    """The whole lines of a log."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


if __name__ == "__main__":
    main()
