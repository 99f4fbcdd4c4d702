"""Damage: a file's content changed at random, by what kind of file it is."""

import hashlib
import json
import random
import re
import struct
import zlib
from collections.abc import Callable

from hostile_json import change_json, dump
from hostile_variants import read_zip, write_zip

Change = Callable[[bytes, random.Random], bytes]
TOKENS = [
    b"",
    b"[",
    b"{",
    b'"',
    b"]",
    b"}",
    b"9" * 30,
    b"9" * 5000,
    b"null",
    b",",
    b":",
    b"1e400",
    b"NaN",
    b"-",
]
TOKENS += [
    b"\\",
    b"\xff",
    b"\0",
    b"\\ud800",
    b"<",
    b"&lol;",
    b"&#0;",
    b"\xef\xbb\xbf",
    b"\r",
    b"[" * 2000,
    b"=",
]
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = [
    b"0",
    b"-1",
    b"1e308",
    b"-1e9",
    b"nan",
    b"inf",
    b"4294967296",
    b"0.5",
    b"1e-320",
    b"9" * 400,
    b"x",
    b"",
]
_ATTRIBUTE = re.compile(rb'"[^"<>]*"')
_KEY = rb"{\"sha256\": \""  # of a weights file's header
_HEADER = 400  # bytes at the start of a binary file, where most of its meaning is


def damage(content: bytes, name: str, rng: random.Random) -> bytes:
    """The content changed; nothing of it is valid or invalid for sure."""
    suffix = name.rpartition(".")[2].lower()
    changes = _BY_SUFFIX.get(suffix, [])
    change = rng.choice([*changes, _bytes]) if changes else _bytes
    return change(content, rng)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    """Bytes changed (anywhere or in the header), cut off, put in, taken out or wiped."""
    damaged = bytearray(content or b"\0")
    at = rng.randrange(len(damaged))
    match rng.randrange(7):
        case 0:
            damaged[at] = rng.randrange(256)
        case 1:
            damaged[rng.randrange(min(_HEADER, len(damaged)))] = rng.choice([0, 1, 127, 128, 255])
        case 2:
            damaged[at] ^= 1 << rng.randrange(8)
        case 3:
            del damaged[at:]
        case 4:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 20))
        case 5:
            del damaged[at : at + rng.randrange(1, 64)]
        case _:
            damaged[at : at + 32] = bytes([rng.choice([0, 255])]) * min(32, len(damaged) - at)
    return bytes(damaged)


def _tokens(content: bytes, rng: random.Random) -> bytes:
    """A few bytes replaced by something that means something to a parser."""
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(TOKENS) + content[at + rng.randrange(9) :]


def _numbers(content: bytes, rng: random.Random) -> bytes:
    """A number in a text replaced by an odd one."""
    if not (found := list(_NUMBER.finditer(content))):
        return _tokens(content, rng)
    place = rng.choice(found)
    return content[: place.start()] + rng.choice(_NUMBERS) + content[place.end() :]


def _lines(content: bytes, rng: random.Random) -> bytes:
    """Lines dropped, doubled or in another order."""
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(rng.randrange(len(lines)), lines[place])
        case 2:
            rng.shuffle(lines)
        case _:
            lines[place] = lines[place] * rng.randrange(2, 50)
    return b"\n".join(lines)


def _json(content: bytes, rng: random.Random) -> bytes:
    return dump(change_json(json.loads(content), rng))


def _json_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    lines[place] = _json(lines[place], rng)
    return b"\n".join(lines) + b"\n"


# Others


def _attributes(content: bytes, rng: random.Random) -> bytes:
    """An attribute of XML with another value."""
    place = rng.choice(list(_ATTRIBUTE.finditer(content)))
    odd = rng.choice([*_NUMBERS, b"&#55296;", b"../../a.png", b"foo", b"5 5", b"1,2;3", b"a" * 3000])
    return content[: place.start()] + b'"' + odd + b'"' + content[place.end() :]


def _elements(content: bytes, rng: random.Random) -> bytes:
    """Elements of XML nested thousands deep, or of a document type with entities."""
    odd = [
        b"<a>" * 9000,
        b"<image>" * 50,
        b"<mask/>",
        b'<box label="nucleus"/>',
        b"<![CDATA[x]]>",
        b"<!-- -- -->",
    ]
    odd += [b'<!DOCTYPE a [<!ENTITY lol "lol">]>', b'<?xml version="1.1" encoding="foo"?>']
    at = rng.choice([0, content.find(b"\n") + 1, content.rfind(b"</image>"), rng.randrange(len(content))])
    return content[:at] + rng.choice(odd) + content[at:]


def _archive(content: bytes, rng: random.Random) -> bytes:
    """A member of a zip damaged, renamed, doubled or left out, in a sound archive."""
    members = read_zip(content)
    place = rng.randrange(len(members))
    name, inner = members[place]
    match rng.randrange(4):
        case 0 | 1:
            members[place] = (name, _bytes(inner, rng))
        case 2:
            members[place] = (
                rng.choice(["../a.roi", "x.roi", "c0001.roi", "a/b.roi", "n1.ROI", "c9-n1.roi"]),
                inner,
            )
        case _:
            members[place] = (name, b"")
    return write_zip(dict(members).items())  # type: ignore[arg-type]


def _png(content: bytes, rng: random.Random) -> bytes:
    """A chunk of a PNG changed, its checksum right."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    place = rng.randrange(len(chunks))
    kind, data = chunks[place]
    data = zlib.compress(_bytes(zlib.decompress(data), rng)) if kind == b"IDAT" else _bytes(data, rng)
    chunks[place] = (kind, data)
    if rng.random() < 0.2:
        extra = rng.choice([b"iCCP", b"zTXt", b"iTXt", b"tRNS", b"PLTE", b"gAMA", b"acTL", b"eXIf", b"pHYs"])
        chunks.insert(1, (extra, rng.randbytes(rng.randrange(40))))
    return content[:8] + b"".join(chunk(kind, data) for kind, data in chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _header(content: bytes, rng: random.Random) -> bytes:
    """The JSON in a weights file's header changed, its digest right."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if rng.random() < 0.3:
        header = change_json(header, rng)
    else:
        meta = change_json(json.loads(header["__metadata__"]["irnet"]), rng)
        header["__metadata__"]["irnet"] = dump(meta).decode()
    text = dump(header)
    return sign(len(text).to_bytes(8, "little") + text + content[8 + size :])


def _signed(content: bytes, rng: random.Random) -> bytes:
    return sign(_bytes(content, rng))


def sign(content: bytes) -> bytes:
    """The weights file with the digest that it should carry, where it has a place for one."""
    at = content.find(_KEY) + len(_KEY)
    if at < len(_KEY):
        return content
    digest = hashlib.sha256(content[:at] + b"0" * 64 + content[at + 64 :]).hexdigest().encode()
    return content[:at] + digest + content[at + 64 :]


_TEXT = [_tokens, _numbers, _lines]
_BY_SUFFIX: dict[str, list[Change]] = {
    "json": [_json, _json, _json, _tokens],
    "geojson": [_json, _json, _json, _tokens],
    "jsonl": [_json_line, _json_line, _lines, _tokens],
    "xml": [_attributes, _attributes, _elements, *_TEXT],
    "txt": _TEXT,
    "dat": _TEXT,
    "toml": _TEXT,
    "zip": [_archive, _archive],
    "png": [_png],
    "safetensors": [_header, _header, _signed],
}
