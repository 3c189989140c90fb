"""Labels: who an order belongs to, and what it is for, written on the order itself.

    {prefix}-{incarnation}-{instrument}-{side}{layer}-{number}        mm-1f-BTC-PERPETUAL-b0-2s

Numbers are in base 36. A hedge carries `h` where a quote has its layer. The label is a function of its
inputs, unique per attempt, and the only key that a request shares with its answer and its channel frames
before an order id is known. Whatever does not read back as a label of ours is somebody else's order.
"""

import re

import msgspec

from shared.deribit.requests import LABEL_LENGTH_MAX
from shared.messages import Purpose
from shared.units import Side

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PREFIX = re.compile(r"[A-Za-z0-9]{1,12}")
_LABEL = re.compile(r"([A-Za-z0-9]+)-([0-9a-z]+)-(.+)-([bs])([0-9]+|h)-([0-9a-z]+)")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label of ours taken apart; hedges have layer 0."""

    incarnation: int
    instrument: str
    side: Side
    purpose: Purpose
    layer: int
    number: int


def check_prefix(prefix: str) -> str:
    """The prefix itself, or ValueError: it must read back."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"label prefix must be 1 to 12 letters or digits, got {prefix!r}")
    return prefix


def write_label(prefix: str, label: Label) -> str:
    """The label as text; raises ValueError when the venue would not take it."""
    layer = "h" if label.purpose is Purpose.HEDGE else str(label.layer)
    text = (
        f"{prefix}-{_base36(label.incarnation)}-{label.instrument}"
        f"-{label.side.value[0]}{layer}-{_base36(label.number)}"
    )
    if len(text) > LABEL_LENGTH_MAX:
        raise ValueError(f"label {text!r} is longer than the venue's {LABEL_LENGTH_MAX} characters")
    return text


def read_label(prefix: str, text: str) -> Label | None:
    """A label of ours, or None: the order is somebody else's."""
    match = _LABEL.fullmatch(text)
    if match is None or match[1] != prefix:
        return None
    hedge = match[5] == "h"
    return Label(
        incarnation=int(match[2], 36),
        instrument=match[3],
        side=Side.BUY if match[4] == "b" else Side.SELL,
        purpose=Purpose.HEDGE if hedge else Purpose.QUOTE,
        layer=0 if hedge else int(match[5]),
        number=int(match[6], 36),
    )


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if number == 0:
            return digits
