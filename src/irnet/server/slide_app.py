"""The routes of the page of slides: tiles of pixels, cells in sight and tables out; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

import irnet
from irnet.cells import LABEL_NAMES
from irnet.data.file_names import PLAN
from irnet.errors import InputError
from irnet.server.app import STATIC, guarded
from irnet.server.guard import LOOPBACK_NAMES
from irnet.server.pictures import TILE, levels
from irnet.server.slide_pictures import SlideTiles
from irnet.server.slide_scene import SORTS, SlideScene
from irnet.slides.plan import SlidePlan
from irnet.slides.reading import open_store
from irnet.slides.store import TILE as SQUARE
from irnet.verbs.finished_slides import finished_slides
from irnet.verbs.slide_notes import notes_of, read_quality

Offset = Annotated[int, Query(ge=0, le=2**31)]
_NO_SLIDE = "no such slide"


class SlideReview:
    """The finished slides of a folder of `irnet slide`, open to be looked at.

    `data` is the folder of the slides' files, None for where they were planned. `left_out` says why some are
    not there. Raises InputError where none is finished.
    """

    def __init__(self, out: Path, *, data: Path | None = None) -> None:
        paths, self.left_out = finished_slides(out)
        folders = [path.parent for path in paths]
        self.name = out.resolve().name
        self.notes = [notes_of(read_quality(folder)) for folder in folders]
        plans = [SlidePlan.read(folder) if (folder / PLAN).is_file() else None for folder in folders]
        self.scenes: list[SlideScene] = []
        with ExitStack() as stack:
            for folder in folders:
                self.scenes.append(SlideScene(stack.enter_context(open_store(folder))))
            self._opened = stack.pop_all()
        self.tiles = SlideTiles(plans, [scene.store.meta.slide_shape for scene in self.scenes], data)

    def close(self) -> None:
        """Close the files."""
        self.tiles.close()
        self._opened.close()


def create_slide_app(
    review: SlideReview, *, names: frozenset[str] = LOOPBACK_NAMES, token: str | None = None
) -> FastAPI:
    """The application over slides. `names` and `token`: see `guard.Guard`."""
    app = guarded(names, token)
    handlers = _Handlers(review)
    app.get("/")(handlers.page)
    app.get("/api/session")(handlers.session)
    app.get("/api/slides/{index}/tiles/{halvings}/{column}/{row}")(handlers.tile)
    app.get("/api/slides/{index}/counts")(handlers.counts)
    app.get("/api/slides/{index}/cells")(handlers.cells)
    app.get("/api/slides/{index}/cells/{number}")(handlers.family)
    app.get("/api/slides/{index}/rows")(handlers.rows)
    app.mount("/", StaticFiles(directory=STATIC))
    return app


class _Handlers:
    """The handlers. FastAPI calls them in threads; stores and readers have locks of their own."""

    def __init__(self, review: SlideReview) -> None:
        self.review = review

    def page(self) -> Response:
        """The page itself."""
        return FileResponse(STATIC / "slide.html")

    def session(self) -> dict[str, Any]:
        """What can be looked at."""
        review = self.review
        return {
            "name": review.name,
            "version": irnet.__version__,
            "labels": LABEL_NAMES,
            "tile": TILE,
            "sorts": SORTS,
            "slides": [self._summary(index) for index in range(len(review.scenes))],
        }

    def tile(self, index: int, halvings: int, column: int, row: int) -> Response:
        """A part of the slide's pixels."""
        self._scene(index)
        try:
            content = self.review.tiles.tile(index, halvings, column, row)
        except InputError as error:
            raise HTTPException(404, str(error)) from None
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    def counts(self, index: int) -> Response:
        """How many cells and nuclei lie in each square."""
        return JSONResponse({"counts": self._scene(index).counts.tolist()})

    def cells(self, index: int, box: Annotated[str, Query(max_length=200)]) -> Response:
        """What lies in a box x1,y1,x2,y2, null where that is too much."""
        return JSONResponse({"cells": self._scene(index).within(_read_box(box))})

    def family(self, index: int, number: int) -> Response:
        """An instance, and what belongs to it."""
        return JSONResponse({"cells": self._scene(index).family(number)})

    def rows(
        self, index: int, label: Literal["1", "2"], sort: str, falling: bool, offset: Offset
    ) -> Response:
        """A page of the table, and how many rows it has in all."""
        scene = self._scene(index)
        rows = scene.rows(int(label), sort, falling, offset)
        return JSONResponse({"cells": rows, "total": scene.known(sort, label=int(label))})

    def _scene(self, index: int) -> SlideScene:
        if not 0 <= index < len(self.review.scenes):
            raise HTTPException(404, _NO_SLIDE)
        return self.review.scenes[index]

    def _summary(self, index: int) -> dict[str, Any]:
        meta = self.review.scenes[index].store.meta
        height, width = meta.slide_shape
        return {
            "index": index,
            "name": meta.name,
            "width": width,
            "height": height,
            "levels": levels(meta.slide_shape),
            "mpp": round(meta.mpp / meta.px, 6),
            "side": SQUARE * meta.px,
            "cells": meta.cells,
            "nuclei": meta.nuclei,
            "notes": self.review.notes[index],
        }


def _read_box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(value) for value in text.split(","))
    except ValueError:
        raise InputError("a box is four numbers: x1,y1,x2,y2") from None
    return _finite((x1, y1, x2, y2))


def _finite(box: Sequence[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if not all(-(2**32) < value < 2**32 for value in box):  # nan, too
        raise InputError("a box lies in or near the slide")
    return x1, y1, x2, y2
