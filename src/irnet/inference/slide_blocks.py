"""Files of blocks: what each window of a slide owns, whole or not at all, checked by SHA-256 when read."""

from __future__ import annotations

import contextlib
import os
from dataclasses import fields
from pathlib import Path

import numpy as np

from irnet.data.coco.document import Row, parse
from irnet.data.files import as_json, write_atomic
from irnet.errors import InputError
from irnet.inference.tensors import read_arrays, write_arrays
from irnet.slides.block import MEASURES, Block

SUFFIX = ".safetensors"
ENDED = "a process ended while it segmented this window"  # or is at it
MOST_TRIES = 3  # of a window by workers: then it is an error, even if it ended its process each time
_AGAIN = "irnet slide run computes it again"
DAMAGED = ".damaged"  # a block whose bytes have changed is moved aside and computed again


class BlockError(InputError):
    """A block that is missing, damaged or another window's."""


class BlockFolder:
    """The blocks of one slide, and the errors of windows that gave none, by the keys of their windows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the block of a window is, or will be."""
        return self.folder / "blocks" / key[:2] / f"{key}{SUFFIX}"

    def error_path(self, key: str) -> Path:
        """Where the error of a window is, if it has one."""
        return self.folder / "errors" / f"{key}.json"

    def write(self, key: str, block: Block, number: int) -> None:
        """Keep a block, and forget the error that its window had. Raises InputError for a full disk."""
        arrays = {field.name: np.ascontiguousarray(getattr(block, field.name)) for field in fields(Block)}
        meta = {"key": key, "window": number, "measures": list(MEASURES)}
        write_arrays(self.path(key), arrays, meta)
        with contextlib.suppress(FileNotFoundError):
            self.error_path(key).unlink()

    def read(self, key: str) -> Block:
        """A block. Raises BlockError for one that is missing, damaged or another window's."""
        path = self.path(key)
        try:
            arrays, meta = read_arrays(path)
        except InputError:
            raise BlockError(f"{path}: damaged: {_AGAIN}") from None
        if meta.get("key") != key or meta.get("measures") != list(MEASURES):
            raise BlockError(f"{path}: the block of another window or version: {_AGAIN}")
        return Block(**{field.name: arrays[field.name] for field in fields(Block)})

    def has(self, key: str) -> bool:
        """Whether a window is done; a damaged block is moved aside."""
        path = self.path(key)
        if not path.is_file():
            return False
        try:
            self.read(key)
        except InputError:
            with contextlib.suppress(FileNotFoundError):  # another process was first
                os.replace(path, path.with_suffix(DAMAGED))
            return False
        return True

    def begin(self, key: str, number: int) -> Row | None:
        """Note that a window is begun, in case its process ends there. Return the error that it had."""
        before = self.error(key)
        row = {"window": number, "reason": ENDED, "tries": self.tries(key) + 1}
        write_atomic(self.error_path(key), as_json(row))
        return before

    def fail(self, key: str, number: int, reason: str) -> None:
        """Keep why a window that was begun gave no block."""
        row = {"window": number, "reason": reason, "tries": max(1, self.tries(key))}
        write_atomic(self.error_path(key), as_json(row))

    def leave(self, key: str, before: Row | None) -> None:
        """Take back that a window was begun; `before` is what `begin` returned."""
        if before:
            write_atomic(self.error_path(key), as_json(before))
        else:
            self.error_path(key).unlink(missing_ok=True)

    def error(self, key: str) -> Row | None:
        """Window, reason and tries of a window that failed, None where it did not."""
        try:
            row = parse(self.error_path(key))
        except (OSError, InputError):
            return None
        whole = isinstance(row, dict) and type(row.get("reason")) is str and type(row.get("tries")) is int
        return row if whole else None  # damaged: the window is tried again

    def tries(self, key: str) -> int:
        """How often a window failed."""
        row = self.error(key)
        return row["tries"] if row else 0
