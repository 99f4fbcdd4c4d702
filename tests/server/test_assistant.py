"""The network behind the viewer: a process of its own, whose end costs nothing but one answer."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import toy_worker
from drawn import SHAPE, ring

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.config import load_recipe
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.models.build import build_model
from irnet.server import prompting
from irnet.server.app import create_app
from irnet.server.assistant import Assistant, Network, Question, described
from irnet.server.prompting import Prompting
from irnet.server.store import Review


def question(path: Path = Path("a.png"), **changes: object) -> Question:
    asked = Question(path, None, SHAPE, 0.37, None, CYTOPLASM, (50.0, 60.0), None, Cells.empty(SHAPE))
    return asked._replace(**changes)


@pytest.fixture
def assistant() -> Iterator[Assistant]:
    assistant = Assistant(Network(), target=toy_worker.answer)
    yield assistant
    assistant.close()


def test_a_worker_answers_one_question_after_the_other(assistant: Assistant) -> None:
    assert assistant.ask(question(point=(20.0, 30.0)))[0]["rings"] == [[20, 30, 29, 30, 20, 39]]
    worker = assistant._process
    with pytest.raises(InputError, match="nothing is drawn up there"):
        assistant.ask(question(point=(20.0, 1.0)))
    assert assistant.ask(question(point=(70.0, 30.0)))[0]["score"] == 0.5
    assert assistant._process is worker

    assistant.close()
    assert not worker.is_alive()


def test_a_worker_that_crashes_is_replaced(assistant: Assistant) -> None:
    with pytest.raises(InputError, match="nothing that was edited is lost"):
        assistant.ask(question(point=(1.0, 30.0)))
    assert assistant.ask(question(point=(20.0, 30.0)))

    assistant._process.kill()
    assistant._process.join()
    assert assistant.ask(question(point=(20.0, 30.0)))


def test_a_mask_is_sent_as_the_outline_of_its_largest_piece() -> None:
    masks = np.zeros((1, 40, 60), bool)
    masks[0, 5:30, 5:40] = True
    masks[0, 10:20, 10:20] = False
    masks[0, 35:38, 50:55] = True
    (sent,) = described(Cells.from_dense(masks, [1], scores=[0.7]))
    assert sent["score"] == 0.7
    assert len(sent["rings"]) == 1
    x, y = np.reshape(sent["rings"][0], (-1, 2)).T
    assert (x.min(), y.min(), x.max(), y.max()) == (5, 5, 40, 30)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What weights are loaded from; a network that knows nothing comes."""
    loaded: list[object] = []

    def load(path: object, **_: object) -> Predictor:
        settings = load_recipe("tiny")
        loaded.append(path)
        model = build_model(settings.model, settings.loss, settings.predict, pretrained=False)
        return Predictor(model, settings=settings)

    monkeypatch.setattr(Predictor, "load", load)
    return loaded


def test_a_network_is_loaded_once_and_images_are_kept(found: Path, untrained: list, monkeypatch) -> None:
    encoded: list[object] = []
    encode = Predictor.encode
    monkeypatch.setattr(Predictor, "encode", lambda self, *a, **k: encoded.append(k) or encode(self, *a, **k))
    monkeypatch.setattr(prompting, "KEPT", 1)
    worker = Prompting("some weights", device="cpu", engine="torch")
    path = found.parent / "smears" / "a.png"

    drawn = worker.answer(question(path, point=None, box=(20.0, 30.0, 80.0, 90.0)))
    assert len(drawn) == 1
    assert drawn.labels[0] == CYTOPLASM
    known = Cells.from_dense(drawn.to_dense(), [CYTOPLASM])
    for one in worker.answer(question(path, known=known)):
        assert one.iou(known)[0, 0] <= 0.75
    assert len(worker.answer(question(path, point=None))) == 0
    assert (untrained, len(encoded)) == (["some weights"], 1)

    worker.answer(question(path, mpp=None, scale=0.5, point=None))
    assert encoded[-1] == {"scale": 0.5}
    worker.answer(question(path, point=None))
    assert len(encoded) == 3


def test_an_image_that_is_not_the_one_shown_is_refused(found: Path, untrained: list) -> None:
    worker = Prompting(None, device="cpu", engine="torch")
    with pytest.raises(InputError, match="find the image that was segmented"):
        worker.answer(question(found.parent / "smears" / "a.png", shape=(99, 99)))


class Noting(Assistant):
    """Notes what it is asked, and draws a disc."""

    def __init__(self) -> None:
        super().__init__(Network())
        self.asked: list[Question] = []

    def ask(self, question: Question) -> list[dict]:
        self.asked.append(question)
        return [{"rings": [ring(120, 90, 15)], "score": 0.4}]


@pytest.fixture
def noting(review: Review, serving: Callable) -> Iterator[tuple[Noting, httpx.Client]]:
    noting = Noting()
    with (
        serving(create_app(review, assistant=noting)) as url,
        httpx.Client(base_url=url, headers={"origin": url}, timeout=30) as client,
    ):
        yield noting, client


def test_a_prompt_goes_to_the_worker_with_what_is_there(noting: tuple[Noting, httpx.Client]) -> None:
    worker, client = noting
    assert client.get("/api/session").json()["assisted"]
    answer = client.post("/api/images/0/prompt", json={"label": 1, "point": [65, 60]}).json()
    assert answer["found"][0]["score"] == 0.4

    (asked,) = worker.asked
    assert (asked.path.name, asked.shape, asked.mpp, asked.label) == ("a.png", SHAPE, 0.25, CYTOPLASM)
    assert asked.point == (65, 60)
    assert asked.known.labels.tolist() == [CYTOPLASM, CYTOPLASM]  # those whose boxes hold the point

    client.post("/api/images/1/prompt", json={"label": 2, "box": [1, 2, 30, 40]})
    assert (worker.asked[1].label, worker.asked[1].box) == (NUCLEUS, (1, 2, 30, 40))
    assert len(worker.asked[1].known) == 0


@pytest.mark.parametrize(
    "asked",
    [{}, {"label": 3}, {"label": 1, "point": [1]}, {"label": 1, "box": [1, 2, 3]}, {"label": 1, "a": 1}],
)
def test_other_prompts_are_refused(noting: tuple[Noting, httpx.Client], asked: dict) -> None:
    assert noting[1].post("/api/images/0/prompt", json=asked).status_code == 422
    assert noting[1].post("/api/images/7/prompt", json={"label": 1}).status_code == 404


def test_without_a_network_prompts_are_refused(client: httpx.Client) -> None:
    assert not client.get("/api/session").json()["assisted"]
    refused = client.post("/api/images/0/prompt", json={"label": 1, "point": [5, 5]})
    assert refused.status_code == 404
    assert "--assist" in refused.json()["detail"]


def test_the_origin_of_a_mask_is_in_the_file(noting: tuple[Noting, httpx.Client], found: Path) -> None:
    _, client = noting
    edits = (
        {"op": "add", "label": 1, "rings": [ring(120, 90, 15)], "origin": "assisted"},
        {"op": "add", "label": 2, "rings": [ring(120, 90, 5)]},
        {"op": "reshape", "id": 1, "how": "replace", "rings": [ring(50, 60, 25)]},
        {"op": "reshape", "id": 11, "how": "replace", "rings": [ring(120, 90, 14)]},
    )
    for revision, edit in enumerate(edits):
        told = client.post("/api/images/0/edits", json={"revision": revision, "edit": edit})
        assert told.status_code == 200, told.text

    client.post("/api/export", json={})
    rows = {row["id"]: row for row in json.loads((found / "corrected.json").read_text())["annotations"]}
    assert {key: row["origin"] for key, row in rows.items() if key > 10} == {11: "assisted", 12: "drawn"}
    assert {row["origin"] for key, row in rows.items() if key <= 10} == {"predicted"}
    assert rows[12]["cell_id"] == 11  # paired at once
