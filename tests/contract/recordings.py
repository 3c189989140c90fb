"""Reading what others recorded of the real exchange, whatever wrapping they keep it in.

The recordings lie beside the project and are read, never copied.
"""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "deribit"

_CAPTURED = re.compile(r"(?:\S+ -> )?\d+\.\d+: (?P<frame>[\[{].*)")
"""A line of a cryptofeed capture with something received in it; `<-` was sent, `<->` is a connection."""


def files() -> list[str]:
    """Every file of the folder, by its path inside it."""
    found = [path for path in RECORDINGS.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(RECORDINGS)) for path in found)


def text(path: str) -> str:
    """A file's text, unpacked."""
    data = (RECORDINGS / path).read_bytes()
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode()


def payloads(path: str) -> list[Any]:
    """The exchange's messages in a file, in order; a float is told from an integer by its notation."""
    content = text(path)
    if path.startswith("cryptofeed/"):
        return [parsed(found["frame"]) for found in _CAPTURED.finditer(content)]
    if path.startswith("ex_deribit/"):
        return [parsed(exchange["response"]["body"]) for exchange in json.loads(content)]
    try:
        return [parsed(content)]
    except json.JSONDecodeError:
        return [parsed(line) for line in content.splitlines()]


def parsed(content: str) -> Any:
    """JSON as Python has it: what is printed with a point or an exponent is a float."""
    return json.loads(content)


def numbers(path: str) -> Iterator[str]:
    """Every number of a file as it was printed."""
    seen: list[str] = []

    def note(written: str) -> float:
        seen.append(written)
        return 0.0

    for line in text(path).splitlines() if path.endswith("l") else [text(path)]:
        json.loads(line, parse_float=note)
    yield from seen
