"""The routes: a review over HTTP, answers that name what is wrong, and a server that is killed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from drawn import ring

from irnet.errors import InputError
from irnet.server.serve import address, serve
from irnet.server.store import Review


def post(client: httpx.Client, revision: int, **edit: object) -> httpx.Response:
    return client.post("/api/images/0/edits", json={"revision": revision, "edit": edit})


def test_a_session_says_what_is_under_review(client: httpx.Client) -> None:
    session = client.get("/api/session").json()
    assert session["name"] == "found"
    assert session["scores"] == {"1": 0.5, "2": 0.4}
    assert [(image["name"], image["width"], image["height"]) for image in session["images"]] == [
        ("a.png", 160, 120),
        ("b.png", 160, 120),
    ]


def test_an_image_its_measures_and_its_tile(client: httpx.Client) -> None:
    image = client.get("/api/images/1").json()
    assert [(one["id"], one["label"], one["cell"]) for one in image["instances"]] == [
        (6, 1, None),
        (7, 2, 6),
        (8, 1, None),
        (9, 2, 8),
        (10, 2, None),
    ]
    assert image["missing"] == {"outlines": 5, "measures": 5}
    made = client.post("/api/images/1/work", json={}).json()
    assert made["missing"] == {"outlines": 0, "measures": 0}
    assert [key for key, _ in made["rings"]] == [6, 7, 8, 9, 10]
    areas = {key: row["area_px"] for key, row in made["measures"]}
    assert areas[6] == pytest.approx(3.14 * 30**2, rel=0.02)
    tile = client.get("/api/images/1/tiles/0/0/0")
    assert tile.headers["content-type"] == "image/jpeg"
    assert client.get("/api/images/1/tiles/0/1/0").status_code == 404


def test_an_image_with_marked_points_is_shown_and_edited(found: Path, request: pytest.FixtureRequest) -> None:
    document = json.loads((found / "predictions.json").read_text())
    point = {"id": 99, "image_id": document["images"][0]["id"], "category_id": 2, "keypoints": [30, 20, 2]}
    (found / "predictions.json").write_text(json.dumps(document | {"annotations": [point]}))

    client: httpx.Client = request.getfixturevalue("client")
    assert client.get("/api/images/0").json()["instances"] == []
    client.post("/api/images/0/work", json={})
    assert post(client, 0, op="add", label=1, rings=[ring(138, 22, 18)]).json()["revision"] == 1
    assert client.post("/api/images/0/work", json={}).json()["missing"] == {"outlines": 0, "measures": 0}


def test_edit_undo_redo_and_export(client: httpx.Client, found: Path) -> None:
    client.get("/api/images/0")
    client.post("/api/images/0/work", json={})
    told = post(client, 0, op="add", label=1, rings=[ring(138, 22, 18)]).json()
    assert (told["revision"], told["undo"], told["redo"], told["touched"]) == (1, 1, 0, [11, 5])
    assert {one["id"]: one["cell"] for one in told["changed"]} == {11: None, 5: 11}
    told = client.post("/api/images/0/undo", json={"revision": 1}).json()
    assert (told["gone"], told["undo"], told["redo"]) == ([11], 0, 1)
    told = client.post("/api/images/0/redo", json={"revision": 2}).json()
    assert [one["id"] for one in told["changed"]] == [5, 11]
    assert client.post("/api/images/0/redo", json={"revision": 3}).json()["detail"] == "nothing to redo"
    written = client.post("/api/export", json={"scores": {"1": 0.5}}).json()
    assert written == {"path": str(found / "corrected.json"), "images": 2, "notes": []}
    assert len(json.loads((found / "corrected.json").read_text())["annotations"]) == 11


def test_scores_just_above_the_threshold_that_nobody_accepted_are_counted(client: httpx.Client) -> None:
    assert [image["doubtful"] for image in client.get("/api/session").json()["images"]] == [1, 1]  # .6
    told = post(client, 0, op="accept", ids=[3], accepted=True).json()
    assert told["doubtful"] == 0


def test_an_edit_of_something_older_is_refused(client: httpx.Client) -> None:
    assert post(client, 0, op="delete", ids=[1]).status_code == 200
    answer = post(client, 0, op="delete", ids=[2])
    assert answer.status_code == 409
    assert "another window" in answer.json()["detail"]


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "add", "label": 3, "rings": [ring(9, 9, 5)]},
        {"op": "add", "label": 1, "rings": []},
        {"op": "add", "label": 1, "rings": [[1, 2, 3, 4]]},
        {"op": "add", "label": 1, "rings": [[0.0] * 20_002]},
        {"op": "add", "label": 1, "rings": [ring(9, 9, 5)] * 1_001},
        {"op": "delete", "ids": [True]},
        {"op": "delete", "ids": [1], "more": 1},
        {"op": "burn"},
        {"op": "reshape", "id": 1, "how": "cut", "rings": [[0, 0, 1, 1, "NaN", 1]]},
    ],
)
def test_what_no_page_asks_for_is_refused(client: httpx.Client, review: Review, edit: dict) -> None:
    assert post(client, 0, **edit).status_code == 422
    assert review.fields[0].revision == 0


def test_numbers_that_json_does_not_know_are_refused(client: httpx.Client) -> None:
    body = '{"revision": 0, "edit": {"op": "add", "label": 1, "rings": [[0, 0, NaN, 1, 9, 9]]}}'
    headers = {"content-type": "application/json"}
    assert client.post("/api/images/0/edits", content=body, headers=headers).status_code == 422


def test_a_disk_that_is_full_is_told_and_changes_nothing(
    client: httpx.Client, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        answer = post(client, 0, op="delete", ids=[1])
    assert answer.status_code == 507
    assert "No space" in answer.json()["detail"]
    assert 1 in review.fields[0].parsed()


def test_killing_the_server_loses_no_edit(found: Path) -> None:
    command = [sys.executable, "-m", "irnet", "view", str(found), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        opened = re.findall(r"http://127\.0\.0\.1:\d+/\S+", said)[0]
        url = opened.split("/?")[0]
        edit = {"revision": 0, "edit": {"op": "delete", "ids": [1]}}
        with httpx.Client(timeout=30, headers={"origin": url}) as client:
            client.get(opened)  # the token for a cookie
            answer = client.post(f"{url}/api/images/0/edits", json=edit)
        process.send_signal(signal.SIGKILL)
    assert answer.status_code == 200
    assert 1 not in Review(found).fields[0].parsed()


def test_images_that_moved_are_found_with_data(found: Path) -> None:
    (found.parent / "smears").rename(found.parent / "moved")
    assert Review(found, data=found.parent / "moved").paths[0].is_file()
    assert not Review(found).paths[0].is_file()


def test_a_port_in_use_and_a_folder_without_predictions_are_told(client: httpx.Client, found: Path) -> None:
    port = client.base_url.port
    assert port is not None
    with pytest.raises(InputError, match=f"--port {port}: .*choose another"):
        serve(found, host="127.0.0.1", port=port, announce=str)
    with pytest.raises(InputError, match="no such file or folder"):
        serve(found / "nothing", host="127.0.0.1", port=0, announce=str)


@pytest.mark.parametrize(
    ("host", "token", "url"),
    [
        ("127.0.0.1", "secret", "http://127.0.0.1:8642/?token=secret"),
        ("::1", "secret", "http://[::1]:8642/?token=secret"),
    ],
)
def test_the_address_to_open(host: str, token: str, url: str) -> None:
    assert address(host, 8642, token) == url
