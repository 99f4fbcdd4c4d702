"""What the page may ask for. Everything is bounded; what is not named here is refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Key = Annotated[int, Field(strict=True)] | Annotated[str, Field(strict=True, max_length=200)]
Keys = Annotated[list[Key], Field(min_length=1, max_length=100_000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Rings = Annotated[
    list[Annotated[list[Number], Field(min_length=6, max_length=20_000)]],
    Field(min_length=1, max_length=1_000),
]  # flat x, y lists in px; a stroke of the brush is one for each of its pieces
Label = Literal[1, 2]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Add(_Request):
    """A new instance inside rings. A nucleus without `cell` is paired by where it lies."""

    op: Literal["add"]
    label: Label
    rings: Rings
    cell: Key | None = None
    origin: Literal["drawn", "assisted"] = "drawn"


class Reshape(_Request):
    """Another mask: the rings instead of it, and it with or without what lies inside the rings."""

    op: Literal["reshape"]
    id: Key
    how: Literal["replace", "extend", "cut"]
    rings: Rings


class Delete(_Request):
    """Instances removed; nuclei of removed cells stay, without a cell."""

    op: Literal["delete"]
    ids: Keys


class Relabel(_Request):
    """Cells that are nuclei, or nuclei that are cells."""

    op: Literal["relabel"]
    ids: Keys
    label: Label


class Pair(_Request):
    """The cell of a nucleus, or none."""

    op: Literal["pair"]
    id: Key
    cell: Key | None


class Accept(_Request):
    """Instances looked at and found right, or not yet."""

    op: Literal["accept"]
    ids: Keys
    accepted: bool


class Finish(_Request):
    """An image looked at as a whole (all that is left in it is accepted), or opened again."""

    op: Literal["finish"]
    ids: Annotated[list[Key], Field(max_length=100_000)]  # those to accept
    finished: bool


Edit = Annotated[
    Add | Reshape | Delete | Relabel | Pair | Accept | Finish,
    Field(discriminator="op"),
]


class EditRequest(_Request):
    """An edit of an image as the page knows it: `revision` is the last one that it received."""

    revision: int
    edit: Edit


class StepRequest(_Request):
    """Undo or redo of an image as the page knows it."""

    revision: int


class PromptRequest(_Request):
    """What the network holds at a point (x, y), or its mask of a box (x1, y1, x2, y2); neither: get ready."""

    label: Label
    point: tuple[Number, Number] | None = None
    box: tuple[Number, Number, Number, Number] | None = None


class ExportRequest(_Request):
    """What to write: instances nobody touched only from these scores, and all images or those finished."""

    format: Annotated[str, Field(max_length=40)] = "coco"
    finished_only: bool = False
    scores: dict[Literal["1", "2"], Number] = Field(default_factory=dict)
