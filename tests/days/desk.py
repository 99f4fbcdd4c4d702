"""A desk at which somebody spends a day with irnet: commands, and what they look for in the answers."""

import csv
import json
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from irnet.cli import main
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.server.app import create_app
from irnet.server.store import Review
from irnet.synthetic import generate

MPP = 0.37


@dataclass
class Answer:
    """How a command ended and what it said."""

    line: str
    code: int
    said: str


@dataclass
class Desk:
    """Commands run in `folder`, one after the other. What they say is kept in `answers`."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture  # pytest takes warnings off the screen
    answers: list[Answer] = field(default_factory=list)

    def run(self, line: str, *looked_for: str, code: int = 0) -> str:
        """Run a command, written as in a shell. It ends with `code` and says all that is looked for."""
        self.caplog.clear()
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line)[1:])
        said = self.capsys.readouterr()
        answer = Answer(
            line, int(ended.value.code or 0), " ".join((said.out + said.err + self.caplog.text).split())
        )
        self.answers.append(answer)

        assert answer.code == code, answer
        assert "Traceback" not in answer.said, answer
        missed = [text for text in looked_for if text not in answer.said]
        assert not missed, f"{answer} does not say {missed}"
        return answer.said

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table."""
        with (self.folder / name).open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    def text(self, name: str) -> str:
        """What a file holds."""
        return (self.folder / name).read_text(encoding="utf-8")

    def json(self, name: str) -> Any:
        """What a JSON file holds."""
        return json.loads(self.text(name))

    @contextmanager
    def viewer(self, folder: str) -> Iterator[httpx.Client]:
        """The viewer over a folder, to be asked as its page asks."""
        app = create_app(Review(self.folder / folder))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)

        here = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with httpx.Client(base_url=here, headers={"origin": here}, timeout=30) as client:
            yield client
        server.should_exit = True
        thread.join(10)

    def draw_field(self, name: str, seed: int, *, mpp: float = MPP, count: int = 4) -> Entry:
        """A generated field as an image file, and what is on it."""
        image, content = generate(seed, size=(220, 220), mpp=mpp, count=count)
        path = self.folder / name
        write_atomic(path, to_png(np.asarray(image)))
        return Entry(name=path.name, path=path, content=content, patient=f"p{seed}")

    def draw_set(self, name: str, fields: int = 3) -> list[Entry]:
        """A data set of generated fields, each of a patient of its own."""
        entries = [self.draw_field(f"{name}/images/p{seed}_a.png", seed) for seed in range(fields)]
        write_coco(self.folder / name / "annotations.json", entries)
        return entries
