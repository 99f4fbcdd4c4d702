"""study.json: what is compared on what, written before anything is trained and checked ever after."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from irnet.config import Settings, change_settings, load_recipe, parse_settings
from irnet.data.files import as_json, write_atomic
from irnet.errors import InputError
from irnet.inference.tensors import digest_of
from irnet.inference.versions import versions
from irnet.inference.weights import find_weights
from irnet.study.parts import Parts, open_parts

Size = Literal["tiny", "small", "scarce", "paper"]
Protocol = Literal["forked", "scratch"]

RECORD, SPLIT = "study.json", "split.json"
MAY_DIFFER = {  # on another machine
    ("data", "path"),
    ("options", "trunk"),  # its hash may not
    ("versions", "python"),
    ("versions", "torch"),
    ("versions", "openvino"),  # no row computes with it
}
NOTED_LATER = {("data", "images_sha256")}  # older records go on without
OFF_BEFORE = {"bare_ground": 0.0}  # of predict: what came after the first studies and acts by default


class StudyBudget(NamedTuple):
    """The recipe of a size, and its optimiser steps; from scratch every row takes the sum."""

    recipe: str
    trunk_steps: int
    steps: int  # of each row


SIZES: dict[Size, StudyBudget] = {
    "tiny": StudyBudget("study-tiny", 40, 40),
    "small": StudyBudget("study-small", 3000, 400),
    "scarce": StudyBudget("study-scarce", 2000, 1000),
    "paper": StudyBudget("paper", 40_000, 10_000),
}

FROM_SCRATCH = ("scarce", "paper")  # sizes whose rows start from ImageNet by default


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a caller may choose; None is what the study was started with, at its beginning a default."""

    size: Size | None = None  # small
    seeds: int | None = None  # 3: how many times each row is trained
    trunk: str | None = None  # weights to fork from ("bundled" or a file); none: a base is trained first
    protocol: Protocol | None = None  # forked; scratch for sizes scarce and paper
    steps: int | None = None  # optimiser steps of each row
    trunk_steps: int | None = None
    overrides: tuple[str, ...] | None = None  # of the recipe, for all rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A frozen study: its data, settings and folder."""

    out: Path
    data: Path
    parts: Parts
    settings: Settings  # of all rows, before a row's own overrides
    options: Options
    record: dict[str, Any]  # study.json

    @property
    def seeds(self) -> int:
        return self.record["seeds"]

    @property
    def forked(self) -> bool:
        """Whether the rows fork from a shared base."""
        return self.record["protocol"] == "forked"

    @property
    def base(self) -> Path:
        """Folder of the base."""
        return self.out / "trunk"

    def recipe(self, *overrides: str) -> Settings:
        """The settings with overrides. Raises `InputError` for one that is wrong."""
        return change_settings(self.settings, overrides)

    def folder(self, key: str, seed: int) -> Path:
        """Where a row's seed stands."""
        return self.out / "rows" / key / f"seed{seed}"


def open_study(data: str | Path | None, out: str | Path, options: Options | None = None) -> Study:
    """Freeze a study in `out`, or go on with the one that stands there.

    Args:
        data: folder with train.json, val.json and test.json, or a data set that is split by patient here;
            None for the data of the study that stands in `out`.
        out: folder of the study.
        options: choices; those left open are the frozen ones.

    Raises:
        InputError: bad data or options, or `out` holds another study; the message says what differs.
    """
    folder = Path(out)
    frozen = _read(folder / RECORD)
    data = _frozen_data(folder, frozen) if data is None else Path(data)
    settings = _settings(options or Options(), frozen)
    options = _complete(options or Options(), frozen)

    parts = open_parts(data, settings.data)
    record = _record(data, parts, settings, options)
    if frozen is None and not _create(folder / RECORD, as_json(record)):
        frozen = _read(folder / RECORD)  # another process was quicker
    if frozen is not None:
        _compare(folder / RECORD, frozen, json.loads(as_json(record)))
    _keep_split(folder / SPLIT, parts)

    return Study(
        out=folder,
        data=data,
        parts=parts,
        settings=settings,
        options=options,
        record=frozen or record,
    )


def _frozen_data(folder: Path, frozen: dict[str, Any] | None) -> Path:
    if frozen is None:
        raise InputError(f"{folder}: this folder holds no study: name the data of a new one with --data")
    data = Path(frozen["data"]["path"])
    if not data.exists():
        raise InputError(f"{data}: the data of {folder / RECORD} is not there: name its place with --data")
    return data


def _settings(options: Options, frozen: dict[str, Any] | None) -> Settings:
    """The recipe with its overrides: the frozen one where neither size nor overrides are given again."""
    if frozen is not None and options.size is None and options.overrides is None:
        return parse_settings(frozen["settings"], source=RECORD)
    if taken := [o for o in options.overrides or () if o.startswith(("train.steps=", "train.seed="))]:
        raise InputError(f"--set {taken[0]}: a study sets it for each row; use --steps and --seeds")
    known = frozen["options"] if frozen is not None else {"size": "small", "overrides": ()}
    size = options.size or known["size"]
    overrides = known["overrides"] if options.overrides is None else options.overrides
    return load_recipe(SIZES[size].recipe, overrides)


def _complete(options: Options, frozen: dict[str, Any] | None) -> Options:
    """Fill what is left open from the frozen study, or by default."""
    if frozen is not None:
        known = frozen["options"] | {"overrides": tuple(frozen["options"]["overrides"])}
        return replace(Options(**known), **_given(options))

    size = options.size or "small"
    protocol = options.protocol or ("scratch" if size in FROM_SCRATCH else "forked")
    if protocol == "scratch" and (options.trunk or options.trunk_steps):
        raise InputError("--protocol scratch knows no trunk: leave --trunk and --trunk-steps out")
    if options.trunk and options.trunk_steps:
        raise InputError(
            "--trunk names a trained trunk: leave --trunk-steps out, or train one without --trunk"
        )

    _, trunk_steps, steps = SIZES[size]
    if protocol == "scratch":
        trunk_steps, steps = 0, trunk_steps + steps
    filled = Options(
        size=size,
        seeds=3,
        protocol=protocol,
        steps=steps,
        trunk_steps=0 if options.trunk else trunk_steps,
        overrides=(),
    )
    return replace(filled, **_given(options))


def _given(options: Options) -> dict[str, Any]:
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: value for name, value in values.items() if value is not None}


def _record(data: Path, parts: Parts, settings: Settings, options: Options) -> dict[str, Any]:
    return {
        "data": {"path": str(data.resolve()), **parts.identity()},
        "size": options.size,
        "protocol": options.protocol,
        "seeds": options.seeds,
        "steps": options.steps,
        "trunk_steps": options.trunk_steps,
        "trunk": _base_origin(options),
        "settings": settings.model_dump(mode="json"),
        "options": asdict(options) | {"overrides": [*(options.overrides or ())]},
        "versions": versions(),
    }


def _base_origin(options: Options) -> dict[str, str | None] | None:
    """Where the base comes from, and the hash of a file that is given."""
    if options.protocol == "scratch":
        return None
    if options.trunk is None:
        return {"source": "trained", "sha256": None}
    path = find_weights(options.trunk)
    return {"source": "bundled" if options.trunk == "bundled" else path.name, "sha256": digest_of(path)}


def _read(path: Path) -> dict[str, Any] | None:
    """A study's record, its settings as they are named today; None where there is none."""
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_bytes())
        sound = isinstance(record["options"], dict) and isinstance(record["data"]["path"], str)
        return record | {"settings": _today(record["settings"], path)} if sound else _refuse(path)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError):
        return _refuse(path)


def _today(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings of a record that another version wrote: those that came later do what was done before."""
    predict = OFF_BEFORE | settings["predict"]
    return parse_settings({**settings, "predict": predict}, source=str(path)).model_dump(mode="json")


def _refuse(path: Path) -> Any:
    raise InputError(f"{path}: no record of a study; name another folder with -o")


def _compare(path: Path, frozen: dict[str, Any], record: dict[str, Any]) -> None:
    was, now = frozen["data"], record["data"]
    if _differences(was, now, ("data",)):
        raise InputError(
            f"{now['path']}: not the data that {path} was started with, {was['path']} as it was then: name "
            "that with --data, or another folder with -o"
        )
    if differing := _differences(frozen, record):
        raise InputError(
            f"{path}: this folder holds another study: {'; '.join(differing[:5])}. Name another folder "
            "with -o, or leave out what differs"
        )


def _differences(frozen: Any, now: Any, place: tuple[str, ...] = ()) -> list[str]:
    """What differs between two records, one line each."""
    if place in MAY_DIFFER or frozen == now or (place in NOTED_LATER and frozen is None):
        return []
    if isinstance(frozen, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*frozen, *now])
        return [line for key in keys for line in _differences(frozen.get(key), now.get(key), (*place, key))]
    return [f"{'.'.join(place)} was {frozen!r} and is {now!r}"]


def _keep_split(path: Path, parts: Parts) -> None:
    """Write the names of the images of each part, or check that they are those."""
    if not _create(path, as_json(parts.names())) and json.loads(path.read_bytes()) != parts.names():
        raise InputError(f"{path}: the data is split differently from when the study was started")


def _create(path: Path, content: bytes) -> bool:
    """Write a whole file unless there is one; of several processes one does."""
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    write_atomic(draft, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
