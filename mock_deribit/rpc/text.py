"""Owns how the mock prints JSON: like Deribit, every float in its shortest form.

Recorded frames show `76914.0`, `6.0e3`, `1.0002e6` and `2.8e-4` side by side: the shorter of the plain and
the scientific form wins, a tie goes to the plain one, and a float always keeps a decimal point. Integers
stay integers. A client that parses numbers with a pattern instead of a JSON parser breaks here, as it
would break there.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from types import NoneType
from typing import Any


@lru_cache(maxsize=8_192)
def number(value: float) -> str:
    """The shortest JSON form of a finite float; ValueError for nan and infinities."""
    plain = repr(value)
    if "e" in plain or "n" in plain:
        if "n" in plain:
            raise ValueError(f"expected a finite number for the wire, got {plain}")
        mantissa, exponent = plain.split("e")
        plain_point = mantissa if "." in mantissa else mantissa + ".0"
        return f"{plain_point}e{int(exponent)}"
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    whole, fraction = digits.split(".")
    significant = (whole + fraction).strip("0")
    if not significant:
        return plain
    exponent10 = len(whole) - 1 if whole != "0" else -_leading_zeros(fraction) - 1
    scientific = f"{sign}{significant[0]}.{significant[1:] or '0'}e{exponent10}"
    return scientific if len(scientific) < len(plain) else plain


def _leading_zeros(fraction: str) -> int:
    return len(fraction) - len(fraction.lstrip("0"))


def encode(value: object) -> str:
    """JSON text of dicts, lists, tuples, strings, numbers, booleans and None."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, str):
        return encode_basestring(value)
    raise TypeError(f"expected a JSON value, got {type(value).__name__}: {value!r}")


def _object(value: dict[str, object]) -> str:
    return "{" + ",".join([f'"{key}":{encode(member)}' for key, member in value.items()]) + "}"


def _array(value: Sequence[object]) -> str:
    return "[" + ",".join([encode(member) for member in value]) + "]"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    float: number,
    bool: {True: "true", False: "false"}.__getitem__,
    int: int.__repr__,
    dict: _object,
    list: _array,
    tuple: _array,
    NoneType: lambda _: "null",
}
