"""Predictions of two small fields, drawn here, and a server over them that listens on loopback."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from drawn import DISCS, SHAPE, disc
from fastapi import FastAPI

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.files import sha256, write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.server.app import create_app
from irnet.server.connection import Connection
from irnet.server.store import Review


@pytest.fixture
def found(tmp_path: Path) -> Path:
    """A folder as `irnet predict` leaves it, its images elsewhere."""
    masks = np.array([disc(x, y, radius) for x, y, radius, *_ in DISCS])
    labels, parents, scores = zip(*(row[3:] for row in DISCS), strict=True)
    cells = Cells.from_dense(masks, labels, parents=parents, scores=scores, mpp=0.25)
    rng = np.random.default_rng(0)
    entries = []
    for name in ("a.png", "b.png"):
        image = np.full((*SHAPE, 3), 230, np.uint8) - rng.integers(0, 8, (*SHAPE, 1), dtype=np.uint8)
        image[masks[labels == np.array(CYTOPLASM)].any(axis=0)] -= 60
        write_atomic(tmp_path / "smears" / name, to_png(image))
        entries.append(Entry(name=name, path=tmp_path / "smears" / name, content=Content(cells=cells)))
    write_coco(tmp_path / "found" / "predictions.json", entries, scores=True)
    images = [{"name": e.name, "path": str(e.path), "sha256": sha256(e.path)} for e in entries]
    run = {"scores": {"cytoplasm": 0.5, "nucleus": 0.4}, "page": None, "images": images}
    write_atomic(tmp_path / "found" / "run.json", json.dumps(run).encode())
    return tmp_path / "found"


@pytest.fixture
def review(found: Path) -> Review:
    return Review(found)


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an application on a port of its own; gives its address."""
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", http=Connection)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def serving() -> Callable:
    return listening


@pytest.fixture
def client(review: Review) -> Iterator[httpx.Client]:
    """A client that says where its writes come from, as a browser does."""
    with (
        listening(create_app(review)) as url,
        httpx.Client(base_url=url, headers={"origin": url}, timeout=30) as client,
    ):
        yield client
