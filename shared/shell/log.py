"""Logs: one JSON object a line for machines, plain lines on a terminal, and never a secret.

Owns: the set-up of the standard library's logging. Values given to `conceal` are blotted out of every
line, whatever led to them; fields are passed as `extra={"fields": {...}}`.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

BLOT = "***"
_concealed: list[str] = []


def conceal(secret: str) -> None:
    """Never show this value in a log line."""
    if secret and secret not in _concealed:
        _concealed.append(secret)


def _blotted(text: str) -> str:
    for secret in _concealed:
        text = text.replace(secret, BLOT)
    return text


class JsonLines(logging.Formatter):
    """For machines: ts, level, name, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "name": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return _blotted(json.dumps(line, default=str))


class PlainLines(logging.Formatter):
    """For people: time, level, name, message and fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it if there is one."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {key}={value}" for key, value in getattr(record, "fields", {}).items())
        line = f"{at} {record.levelname.lower():7} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info is not None:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return _blotted(line)


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (default: standard error)."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines() if stream.isatty() else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("nats", "websockets", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
