"""Does the data keep up with the network? Times of a field, a crop, the feed and a training step of a recipe.

    python benchmarks/training.py --set train.batch=2 --set train.workers=1 --csv training.csv
    python benchmarks/training.py --device cuda --rounds 20

Steps of all variants take turns on one batch, so that a busy machine slows all of them; the median
of the rounds is printed. On a CPU a step counts CPU seconds of one thread, on a GPU wall seconds.
"""

import argparse
import csv
import statistics
import time
from itertools import islice, product
from pathlib import Path

import torch

from irnet.config import Settings, load_recipe
from irnet.inference.devices import choose_device
from irnet.models.build import build_model
from irnet.training.feed import BLOCK, Batch, Feed
from irnet.training.generated import GeneratedFields
from irnet.training.source import Source
from irnet.training.sources import open_source
from irnet.training.steps import optimise, read_steps

FIELDS = 8
MEMORY = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--recipe", default="release")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=2, help="blocks of the feed that are timed")
    parser.add_argument("--data", default=None, help="data set, where the recipe does not draw it")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--source", action="store_true", help="fields and crops alone")
    arguments = parser.parse_args()
    settings = load_recipe(arguments.recipe, [*arguments.set, "model.trunk_sha256="])
    source = open_source(settings, arguments.data)
    rows = time_source(source)
    if arguments.source:
        return show(rows)
    batch, fed = time_feed(settings, source, arguments.blocks)
    rows += fed + time_steps(settings, batch, choose_device(arguments.device), arguments.rounds)
    show(rows)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("what", "value", "unit"), *rows])


Row = tuple[str, float, str]


def show(rows: list[Row]) -> None:
    """Print what was measured."""
    for name, value, unit in rows:
        print(f"{name:<44} {value:10.4f} {unit}")


def time_source(source: Source) -> list[Row]:
    """CPU time of a field and of a crop, in this process."""
    rows: list[Row] = []
    if isinstance(source.crops.source, GeneratedFields):
        begun = time.process_time()
        for number in range(FIELDS):
            source.crops.source.draw(number)
        rows.append(("field drawn", (time.process_time() - begun) / FIELDS, "CPU s"))
    count = FIELDS * source.reuse
    begun = time.process_time()
    for number in range(count):
        source.crops[number]
    return [*rows, ("crop, its share of a field included", (time.process_time() - begun) / count, "CPU s")]


def time_feed(settings: Settings, source: Source, blocks: int) -> tuple[Batch, list[Row]]:
    """Crops a second of whole blocks, after what the worker processes prepared in advance is used up."""
    s = settings.train
    batches = Feed(source.crops, batch=s.batch, reuse=source.reuse, workers=s.workers).batches()
    begun = time.perf_counter()
    batch = next(batches)
    first = time.perf_counter() - begun
    block = BLOCK * source.reuse  # passes
    ahead = -(-2 * max(1, s.workers) // BLOCK) * block
    for _ in islice(batches, ahead - 1):
        pass
    begun = time.perf_counter()
    for _ in islice(batches, blocks * block):
        pass
    rate = blocks * block * s.batch / (time.perf_counter() - begun)
    return batch, [("first batch", first, "s"), (f"feed, {s.workers} workers", rate, "crops/s")]


def time_steps(settings: Settings, batch: Batch, device: torch.device, rounds: int) -> list[Row]:
    """Seconds of a step in each precision and memory format."""
    clock = time.perf_counter
    if device.type == "cpu":
        torch.set_num_threads(1)
        clock = time.process_time
    variants = list(product(("fp32", "bf16"), MEMORY))
    networks = {}
    for precision, memory in variants:
        torch.manual_seed(0)
        model = build_model(settings.model, settings.loss, settings.predict)
        model.to(device, memory_format=MEMORY[memory]).train()
        networks[precision, memory] = model, torch.optim.AdamW(model.parameters(), lr=1e-5)
    times: dict[tuple[str, str], list[float]] = {variant: [] for variant in variants}
    for round_ in range(rounds + 1):
        for variant, (model, optimizer) in networks.items():
            begun = clock()
            list(
                read_steps(
                    [optimise(model, optimizer, [batch], device=device, precision=variant[0], clip=5.0)]
                )
            )
            if round_:  # the first warms up
                times[variant].append(clock() - begun)
    rows = []
    for (precision, memory), taken in times.items():
        seconds = statistics.median(taken)
        rows.append((f"step, {precision}, {memory}", seconds, "s"))
        rows.append((f"images, {precision}, {memory}", len(batch.ids) / seconds, "crops/s"))
    return rows


if __name__ == "__main__":
    main()
