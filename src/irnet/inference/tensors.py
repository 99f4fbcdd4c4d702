"""Files of tensors: safetensors with JSON in the header and a SHA-256 of the whole file, no pickle.

Safetensors and torch's zip files both load a file with a flipped byte without a word. So each file carries
the SHA-256 of itself, taken with the digest's own 64 characters set to zero: every byte of it is checked on
reading, and one file, renamed into place, can never be out of step with its checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
from numpy.typing import NDArray

from irnet.data.files import write_atomic
from irnet.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
NO_DIGEST = b"0" * 64
KEY = rb"{\"sha256\": \""  # how the digest's field looks in JSON inside JSON


def write_tensors(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> str:
    """Write `tensors` and the JSON-able `meta` to `path`, whole or not at all; return the file's digest."""
    import safetensors.torch

    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return _write(path, safetensors.torch.save(flat, metadata=_text(meta)))


def write_arrays(path: Path, arrays: dict[str, NDArray], meta: dict[str, Any]) -> str:
    """The same for arrays of NumPy."""
    import safetensors.numpy

    return _write(path, safetensors.numpy.save(arrays, metadata=_text(meta)))


def _text(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the header's text. One key alone: safetensors writes several in an order that changes."""
    return {"irnet": json.dumps({"sha256": NO_DIGEST.decode(), "format": FORMAT, **meta}, allow_nan=False)}


def _write(path: Path, blob: bytes) -> str:
    # The digest is that of the file with its own 64 characters set to zero, as they are in `blob` so far.
    start = _digest_position(blob)
    digest = hashlib.sha256(blob).hexdigest()
    write_atomic(path, blob[:start] + digest.encode() + blob[start + 64 :])
    return digest


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the meta data of a file of `write_tensors`.

    Raises `InputError` when the file is missing, foreign, cut short or changed in any byte.
    """
    import safetensors.torch

    return _read(Path(path), safetensors.torch.load)


def read_arrays(path: str | Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """The same as arrays of NumPy, without torch."""
    import safetensors.numpy

    return _read(Path(path), safetensors.numpy.load)


def _read(path: Path, load: Callable[[bytes], dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    blob = _verified(path)
    meta = _meta(path, blob)
    try:
        return load(blob), meta
    except safetensors.SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file ({error})") from error


def read_meta(path: str | Path) -> dict[str, Any]:
    """Return the meta data alone. Raises what `read_tensors` raises."""
    return _meta(Path(path), _verified(Path(path)))


def digest_of(path: str | Path) -> str:
    """Return the verified digest that the file at `path` carries."""
    blob = _verified(Path(path))
    start = _digest_position(blob)
    return blob[start : start + 64].decode()


def _meta(path: Path, blob: bytes) -> dict[str, Any]:
    """Return the meta data of a file whose digest fits; anybody can make one, so it is not trusted."""
    size = int.from_bytes(blob[:8], "little")
    try:
        meta = json.loads(json.loads(blob[8 : 8 + size])["__metadata__"]["irnet"])
        newer, sections = meta["format"] > FORMAT, [meta.get(key, {}) for key in ("settings", "trained")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: its header is not one that irnet writes; copy the file again") from error

    if newer:
        raise InputError(f"{path}: format {meta['format']} is newer than this irnet reads; update irnet")
    if not all(isinstance(section, dict) for section in sections):
        raise InputError(f"{path}: settings and training in its header are not tables; copy the file again")
    return meta


def _verified(path: Path) -> bytes:
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a weights file") from error
    start = _digest_position(blob)
    if start < 0:
        raise InputError(f"{path}: not a weights file of irnet (no SHA-256 in its header)")

    zeroed = hashlib.sha256(blob[:start])
    zeroed.update(NO_DIGEST)
    zeroed.update(memoryview(blob)[start + 64 :])

    if zeroed.hexdigest().encode() != blob[start : start + 64]:
        raise InputError(f"{path}: damaged, its SHA-256 does not match; copy or download it again")
    return blob


def _digest_position(blob: bytes) -> int:
    """Return where the 64 characters of the digest start in a safetensors file, -1 where there are none."""
    found = blob.find(KEY, 8, 8 + int.from_bytes(blob[:8], "little"))
    return found + len(KEY) if found >= 0 else -1
