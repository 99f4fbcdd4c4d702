"""The routes of the viewer: pictures and outlines out, edits in. Images go by number, never by path."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

import irnet
from irnet.cells import LABEL_NAMES
from irnet.data.coco.rows import ORIGIN
from irnet.errors import InputError
from irnet.server import schema
from irnet.server.assistant import Assistant, Question
from irnet.server.edits import change_of, draw
from irnet.server.export import FORMATS, export
from irnet.server.field import near
from irnet.server.guard import LOOPBACK_NAMES, Guard
from irnet.server.pictures import TILE, ImageTiles, levels
from irnet.server.scene import MEASURES, Scene
from irnet.server.store import Review

STATIC = Path(__file__).parent / "static"
Answer = dict[str, Any]


def create_app(
    review: Review,
    *,
    names: frozenset[str] = LOOPBACK_NAMES,
    token: str | None = None,
    assistant: Assistant | None = None,
) -> FastAPI:
    """The application over one review. `names` and `token`: see `guard.Guard`; no `assistant`: no prompts."""
    app, handlers = guarded(names, token), _Handlers(review, assistant)
    app.get("/api/session")(handlers.session)
    app.get("/api/images/{index}")(handlers.image)
    app.post("/api/images/{index}/work")(handlers.work)
    app.get("/api/images/{index}/tiles/{halvings}/{column}/{row}")(handlers.tile)
    app.post("/api/images/{index}/edits")(handlers.edit)
    app.post("/api/images/{index}/prompt")(handlers.prompt)
    app.post("/api/images/{index}/undo")(handlers.undo)
    app.post("/api/images/{index}/redo")(handlers.redo)
    app.post("/api/export")(handlers.export)
    app.mount("/", StaticFiles(directory=STATIC, html=True))
    return app


def guarded(names: frozenset[str], token: str | None) -> FastAPI:
    """An application without routes that lets in whom it should and says what is wrong."""
    app = FastAPI(title="irnet view", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_middleware(Guard, names=names, token=token)
    app.add_exception_handler(InputError, _explain)
    app.add_exception_handler(OSError, _explain)
    app.add_exception_handler(RequestValidationError, _refuse)
    return app


class _Handlers:
    """The handlers. FastAPI calls them in threads; the review's lock puts them one after the other."""

    def __init__(self, review: Review, assistant: Assistant | None) -> None:
        self.review, self.assistant = review, assistant
        shapes = [field.image.shape for field in review.fields]
        self.pictures = ImageTiles(review.paths, shapes, page=review.run.page)
        self.scenes = [Scene(field) for field in review.fields]

    def session(self) -> Answer:
        """What is under review: images, thresholds of the run, formats."""
        review = self.review
        return {
            "name": review.folder.resolve().name,
            "version": irnet.__version__,
            "source": review.sha256[:16],
            "labels": LABEL_NAMES,
            "scores": {str(key): review.run.scores.get(name, 0.0) for key, name in LABEL_NAMES.items()},
            "formats": FORMATS,
            "measures": MEASURES,
            "tile": TILE,
            "assisted": self.assistant is not None,
            "origin": review.origin.get(ORIGIN),
            "images": [self._summary(index) for index in range(len(review.fields))],
        }

    def image(self, index: int) -> Response:
        """Every instance of an image, with the outlines and measures that are made already."""
        scene = self._scene(index)
        with self.review.lock:
            instances = scene.describe_all()
            return JSONResponse({**self._summary(index), "instances": instances, "missing": scene.missing})

    def work(self, index: int) -> Response:
        """A portion of the outlines and measures that are missing, as pairs of id and what it is."""
        scene = self._scene(index)
        with self.review.lock:
            return JSONResponse({**scene.work(), "missing": scene.missing})

    def tile(self, index: int, halvings: int, column: int, row: int) -> Response:
        """A part of the picture."""
        self._scene(index)
        try:
            content = self.pictures.tile(index, halvings, column, row)
        except InputError as error:
            raise HTTPException(404, str(error)) from None
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    def edit(self, index: int, request: schema.EditRequest) -> Response:
        """Make an edit; it is on disk when the answer comes."""
        scene = self._scene(index)
        drawn = draw(request.edit, scene.field.image.shape)  # before the lock: it can take a while
        with self.review.lock:
            self._check_revision(index, request.revision)
            change = change_of(request.edit, drawn, scene.field, self.review)
            self.review.edit(index, request.edit.op, change)
            return self._answer(index, list(change.rows))

    def prompt(self, index: int, request: schema.PromptRequest) -> Answer:
        """What the network holds at a point and is not there yet, best first, or its mask of a box."""
        if self.assistant is None:
            raise HTTPException(404, "no network is loaded: start irnet view with --assist")
        field = self._scene(index).field
        with self.review.lock:
            known = near(field, request.point)
        question = Question(
            path=self.review.paths[index],
            page=self.review.run.page,
            shape=field.image.shape,
            mpp=field.image.mpp,
            scale=self.review.scale,
            label=request.label,
            point=request.point,
            box=request.box,
            known=known,
        )
        return {"found": self.assistant.ask(question)}  # outside of the lock: edits go on

    def undo(self, index: int, request: schema.StepRequest) -> Response:
        """Take the last edit back."""
        self._scene(index)
        with self.review.lock:
            self._check_revision(index, request.revision)
            return self._answer(index, list(self.review.undo(index)))

    def redo(self, index: int, request: schema.StepRequest) -> Response:
        """Make the edit again that was taken back last."""
        self._scene(index)
        with self.review.lock:
            self._check_revision(index, request.revision)
            return self._answer(index, list(self.review.redo(index)))

    def export(self, request: schema.ExportRequest) -> Answer:
        """Write the corrected set beside what it corrects."""
        with self.review.lock:
            self.review.check_source()
            written = export(
                self.review,
                request.format,
                finished_only=request.finished_only,
                cuts={int(label): cut for label, cut in request.scores.items()},
            )
        return {"path": str(written.path), "images": written.images, "notes": written.notes}

    def _scene(self, index: int) -> Scene:
        if not 0 <= index < len(self.scenes):
            raise HTTPException(404, "no such image")
        return self.scenes[index]

    def _check_revision(self, index: int, revision: int) -> None:
        if revision != self.review.fields[index].revision:
            raise HTTPException(409, "the image was edited in another window: it is loaded again")

    def _answer(self, index: int, touched: list[Any]) -> Response:
        scene = self.scenes[index]
        changed, gone = scene.update()
        answer = {"changed": changed, "gone": gone, "touched": touched, "missing": scene.missing}
        return JSONResponse({**self._summary(index), **answer})

    def _summary(self, index: int) -> Answer:
        field = self.review.fields[index]
        height, width = field.image.shape

        return {
            "index": index,
            "name": field.image.name,
            "width": width,
            "height": height,
            "levels": levels(field.image.shape),
            "mpp": field.image.mpp,
            "patient": field.image.patient,
            "finished": field.finished,
            "doubtful": self.review.doubtful(field),
            "revision": field.revision,
            "undo": len(field.undoable),
            "redo": len(field.redoable),
        }


def _explain(_: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, InputError) else 507
    return JSONResponse({"detail": str(error)}, status)


def _refuse(_: Request, error: Exception) -> JSONResponse:
    """Say which field is wrong, without sending back what was sent."""
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "invalid"}
    place = ".".join(map(str, found["loc"]))
    return JSONResponse({"detail": f"{place}: {found['msg']}"}, 422)
