"""Slides over HTTP: tiles, what lies in a box, tables by pages, one instance; nothing is changed."""

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile
from found_slides import found_slides
from PIL import Image

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.errors import InputError
from irnet.server import slide_scene
from irnet.server.serve import serve
from irnet.server.slide_app import SlideReview, create_slide_app
from irnet.slides.plan import Plan
from irnet.slides.reading import Store, open_store

PX = 1.48


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found_slides(tmp_path_factory.mktemp("slides"), "smear", "other").out


@pytest.fixture
def client(out: Path, serving: Callable) -> Iterator[httpx.Client]:
    review = SlideReview(out)
    with serving(create_slide_app(review)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client
    review.close()


@pytest.fixture
def store(out: Path) -> Iterator[Store]:
    with open_store(out / "slides" / "smear") as store:
        yield store


def test_the_session_says_what_there_is(client: httpx.Client, store: Store) -> None:
    assert "slide.js" in client.get("/").text
    session = client.get("/api/session").json()
    first = session["slides"][0]
    assert [each["name"] for each in session["slides"]] == ["smear", "other"]
    assert (first["width"], first["height"]) == (1776, 1332)
    assert (first["cells"], first["nuclei"]) == (store.meta.cells, store.meta.nuclei)
    assert first["mpp"] == pytest.approx(0.25, abs=1e-3)
    assert "nc_ratio" in session["sorts"]["1"]
    assert "nc_ratio" not in session["sorts"]["2"]
    counts = np.array(client.get("/api/slides/0/counts").json()["counts"])
    assert counts[:, 2:].sum(axis=0).tolist() == [store.meta.cells, store.meta.nuclei]


def test_tiles_show_the_slide(client: httpx.Client, out: Path) -> None:
    whole = tifffile.imread(out.parent / "smear.tif", key=0).astype(int)

    def tile(*place: int) -> np.ndarray:
        answer = client.get("/api/slides/0/tiles/{}/{}/{}".format(*place))
        assert answer.headers["content-type"] == "image/jpeg"
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)

    assert np.abs(tile(0, 1, 0) - whole[:512, 512:1024]).mean() < 3
    assert tile(0, 3, 2).shape == (1332 - 1024, 1776 - 1536, 3)
    assert tile(2, 0, 0).shape == (333, 444, 3)
    assert np.abs(tile(2, 0, 0) - whole.reshape(333, 4, 444, 4, 3).mean(axis=(1, 3))).mean() < 3
    for place in ("0/4/0", "0/0/3", "5/9/0", "-1/0/0", "0/-1/0", "99999999999/1/1"):
        assert client.get(f"/api/slides/0/tiles/{place}").status_code == 404, place


def test_what_lies_in_a_box(client: httpx.Client, store: Store) -> None:
    x1, y1, x2, y2 = 100, 100, 1700, 1250
    found = client.get("/api/slides/0/cells", params={"box": f"{x1},{y1},{x2},{y2}"}).json()["cells"]
    expected = store.within((x1 / PX, y1 / PX, x2 / PX, y2 / PX)).instances
    assert [each["id"] for each in found] == [one.id for one in expected]
    assert len(found) > 10
    for each, one in zip(found, expected, strict=True):
        np.testing.assert_allclose(each["box"], np.array(one.box) * PX, atol=0.06)
        np.testing.assert_allclose(np.reshape(each["rings"][0], (-1, 2)), one.rings(PX)[0][:-1], atol=0.06)
        assert each["cell"] == one.parent
    colours = {each["id"]: each["colour"] for each in found}
    linked = [each for each in found if each["cell"] in colours]
    assert linked
    assert all(each["colour"] == colours[each["cell"]] for each in linked)


def test_a_crowd_is_told_by_boxes_then_by_numbers(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = {"box": "0,0,1776,1332"}
    monkeypatch.setattr(slide_scene, "OUTLINED", 20)
    found = client.get("/api/slides/0/cells", params=everywhere).json()["cells"]
    assert {each["rings"] is None for each in found} == {True}
    monkeypatch.setattr(slide_scene, "BOXED", len(found) - 1)
    assert client.get("/api/slides/0/cells", params=everywhere).json()["cells"] is None
    monkeypatch.setattr(slide_scene, "BOXED", 3)
    assert client.get("/api/slides/0/cells", params=everywhere).json()["cells"] is None


def test_the_table_goes_by_pages(client: httpx.Client, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_scene, "PAGE", 10)
    for label, sort in ((CYTOPLASM, "nc_ratio"), (NUCLEUS, "od_mean")):
        asked, rows = {"label": label, "sort": sort, "falling": True}, []
        for offset in range(0, 60, 10):
            page = client.get("/api/slides/0/rows", params=asked | {"offset": offset}).json()
            assert len(page["cells"]) <= 10
            rows += page["cells"]
        expected = store.ranked(sort, label=label, limit=60)
        assert [row["id"] for row in rows] == [one.id for one in expected]
        assert page["total"] == store.count(sort, label=label)
        values = [row["measures"][sort] for row in rows]
        assert values == sorted(values, reverse=True)


def test_one_comes_with_what_belongs_to_it(client: httpx.Client, store: Store) -> None:
    nucleus = next(one for one in store.ranked("score", label=NUCLEUS) if one.parent is not None)
    family = client.get(f"/api/slides/0/cells/{nucleus.id}").json()["cells"]
    assert family[0]["id"] == nucleus.parent
    assert nucleus.id in [each["id"] for each in family[1:]]
    assert family == client.get(f"/api/slides/0/cells/{nucleus.parent}").json()["cells"]
    mine = next(each for each in family if each["id"] == nucleus.id)
    assert mine["rings"]
    assert mine["measures"]["area_um2"] == pytest.approx(nucleus.measures["area_um2"], rel=1e-3)
    assert "nuclei" in family[0]["measures"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cells?box=1,2,3", "four numbers"),
        ("cells?box=nan,0,1,1", "in or near"),
        ("cells?box=0,0,1e300,1", "in or near"),
        ("cells?box=a,b,c,d", "four numbers"),
        ("cells", "box"),
        ("cells/99999", "no cell or nucleus #99999"),
        ("cells/-1", "no cell or nucleus #-1"),
        ("cells/99999999999999999999999", "no cell or nucleus"),
        ("cells/-99999999999999999999999", "no cell or nucleus"),
        ("rows?label=1&sort=mask&falling=true&offset=0", "choose one of score"),
        ("rows?label=1&sort=score;--&falling=true&offset=0", "choose one of score"),
        ("rows?label=2&sort=nc_ratio&falling=true&offset=0", "choose one of score"),
        ("rows?label=3&sort=score&falling=true&offset=0", "label"),
        ("rows?label=1&sort=score&falling=true&offset=-1", "offset"),
        ("rows?label=1&sort=score&falling=true&offset=99999999999", "offset"),
    ],
)
def test_bad_questions_are_answered(client: httpx.Client, path: str, said: str) -> None:
    answer = client.get(f"/api/slides/0/{path}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert client.get("/api/slides/7/counts").status_code == 404
    assert client.get("/api/slides/-1/counts").status_code == 404


def test_it_is_guarded_and_changes_nothing(out: Path, serving: Callable) -> None:
    review = SlideReview(out)
    routes = ["/", "/api/session", "/api/slides/0/counts", "/api/slides/0/tiles/0/0/0", "/slide.js"]
    with serving(create_slide_app(review, token="t")) as url, httpx.Client(base_url=url) as client:
        assert {client.get(route).status_code for route in routes} == {401}
        assert client.get(routes[1], headers={"host": "elsewhere.example"}).status_code == 421
        assert client.get("/?token=t").status_code == 303
        assert {client.get(route).status_code for route in routes} == {200}
        assert "default-src 'none'" in client.get(routes[3]).headers["content-security-policy"]
        origin = {"origin": url, "content-length": "0"}
        assert {client.post(route, headers=origin).status_code for route in routes} == {405}
    review.close()


def test_a_slide_that_has_moved(out: Path, tmp_path: Path, serving: Callable) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(out, moved / "found")
    plan = Plan.read(moved / "found")
    plan.write([replace(plan.slide(name), path=str(moved / f"{name}.tif")) for name in plan.names])

    def answer(data: Path | None = None) -> httpx.Response:
        review = SlideReview(moved / "found", data=data)
        with serving(create_slide_app(review)) as url:
            assert httpx.get(f"{url}/api/slides/0/counts").status_code == 200
            tile = httpx.get(f"{url}/api/slides/0/tiles/0/0/0")
        review.close()
        return tile

    assert (answer().status_code, "no such file" in answer().json()["detail"]) == (404, True)
    assert answer(out.parent).status_code == 200
    shutil.copy(out.parent / "other.tif", moved / "smear.tif")
    assert "not the file that was planned" in answer().json()["detail"]
    (plan.folder("smear") / "plan.json").unlink()
    assert "plan.json is not beside" in answer().json()["detail"]


def test_slides_are_not_assisted(out: Path) -> None:
    from irnet.server.assistant import Network

    with pytest.raises(InputError, match="--assist"):
        serve(out, host="127.0.0.1", port=0, network=Network(), announce=print)
