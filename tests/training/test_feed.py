"""What pass p sees depends on (seed, p) alone."""

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch

from irnet.data.coco.coco import read_coco
from irnet.training.crops import CropDataset, InstanceRules
from irnet.training.feed import BLOCK, Feed


@pytest.fixture
def crops(circles: Path) -> CropDataset:
    return CropDataset(read_coco(circles), size=64, length=2**62, rules=InstanceRules(mask_size=8))


def ids(feed: Feed, count: int, start: int = 0) -> list[list[int]]:
    return [batch.ids.tolist() for batch in islice(feed.batches(start), count)]


def test_items_come_in_order(crops: CropDataset):
    assert ids(Feed(crops, batch=2), 3) == [[0, 1], [2, 3], [4, 5]]


def test_crops_of_one_image_lie_a_block_of_passes_apart(crops: CropDataset):
    passes = ids(Feed(crops, batch=2, reuse=3), 2 * 3 * BLOCK)
    place = {item: number for number, batch in enumerate(passes) for item in batch}
    assert sorted(place) == list(range(len(place)))  # every crop once
    for image in range(0, len(place), 3):
        assert [place[image + crop] - place[image] for crop in range(3)] == [0, BLOCK, 2 * BLOCK]


@pytest.mark.parametrize("reuse", [1, 3])
@pytest.mark.parametrize("start", [1, 8, 30])
def test_a_feed_can_start_anywhere(crops: CropDataset, reuse: int, start: int):
    feed = Feed(crops, batch=1, reuse=reuse)
    assert ids(feed, 5, start) == ids(feed, start + 5)[start:]


def test_ranks_share_the_items_out(crops: CropDataset):
    parts = [ids(Feed(crops, batch=2, reuse=2, rank=rank, ranks=3), 2 * BLOCK) for rank in range(3)]
    items = [item for part in parts for batch in part for item in batch]
    assert sorted(items) == list(range(3 * 2 * BLOCK * 2))


def test_batches_hold_what_the_items_hold(crops: CropDataset):
    batch = next(Feed(crops, batch=2).batches(2))
    assert batch.ids.tolist() == [4, 5]
    for place, found in enumerate(batch.to(torch.device("cpu")).targets()):
        image, target = crops[4 + place]
        assert torch.equal(batch.images[place], image)
        assert found.keys() == target.keys()
        assert all(torch.equal(found[name], target[name]) for name in target)


BUSY = """
import sys, time
from multiprocessing import active_children
from pathlib import Path
from irnet.training.feed import Feed
from toy_run import Asleep

begun = Path(sys.argv[1])
batches = Feed(Asleep(begun), batch=1, workers=1).batches()
(worker,) = active_children()
while not begun.exists() and worker.is_alive():
    time.sleep(0.1)
del batches
worker.join(30)
print(begun.exists(), worker.exitcode)
worker.kill()
"""


@pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")
def test_workers_that_are_busy_end_with_the_feed(tmp_path: Path):
    command, here = [sys.executable, "-c", BUSY, str(tmp_path / "begun")], Path(__file__).parent
    ran = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    assert ran.stdout == f"True {-signal.SIGKILL}\n", ran.stderr
