"""Owns reading a request's parameters: presence, type, range, and the words of each refusal.

Parameters of an HTTP GET are all text; the reader takes `"10"` for 10, `"true"` for true and `["a","b"]` for
a list only there.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from mock_deribit.rpc.errors import invalid_params

INTEGER_MAX = 2**63 - 1
"""What the wire calls an integer fits 64 bits."""


def whole(text: str) -> int | None:
    """The number that plain digits write, None for anything else and for more than 64 bits hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


class Params:
    """The named parameters of one request. Every reader raises -32602 naming the parameter."""

    def __init__(self, members: Mapping[str, object], *, textual: bool = False) -> None:
        self._members = members
        self._textual = textual

    def has(self, name: str) -> bool:
        """Whether the request names the parameter with anything but null."""
        return self._members.get(name) is not None

    def peek(self, name: str) -> str:
        """A string if it is one, else the empty string; for whoever may not refuse."""
        value = self._members.get(name)
        return value if isinstance(value, str) else ""

    def peek_first(self, name: str, member: str) -> str:
        """A string in the first object of a list, as `peek`."""
        value = self._members.get(name)
        first = value[0] if isinstance(value, list) and value else None
        return Params(first).peek(member) if isinstance(first, dict) else ""

    def text(self, name: str, default: str | None = None, longest: int | None = None) -> str:
        """A string; required when no default is given."""
        value = self._members.get(name)
        if value is None:
            if default is None:
                raise invalid_params(name, "value required")
            return default
        if not isinstance(value, str):
            raise invalid_params(name, "value must be a string")
        if longest is not None and len(value) > longest:
            raise invalid_params(name, f"value must be at most {longest} characters")
        return value

    def word(self, name: str) -> str:
        """A string that must be there and not be empty."""
        value = self.text(name)
        if not value:
            raise invalid_params(name, "value required")
        return value

    def token(self, name: str, default: str) -> str:
        """A string or a whole number, as a string."""
        value = self._members.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if whole else self.text(name, default)

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the allowed strings."""
        value = self.text(name, default)
        if value not in allowed:
            raise invalid_params(name, "invalid value")
        return value

    def number(self, name: str) -> float | None:
        """A finite number, or None when absent."""
        value = self._members.get(name)
        if value is None:
            return None
        number = math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            # An integer may have more digits than any float can hold.
            with suppress(OverflowError):
                number = float(value)
        elif self._textual and isinstance(value, str):
            with suppress(ValueError):
                number = float(value)
        if not math.isfinite(number):
            raise invalid_params(name, "value must be a number")
        return number

    def required_number(self, name: str) -> float:
        """A finite number that must be there."""
        value = self.number(name)
        if value is None:
            raise invalid_params(name, "value required")
        return value

    def integer(
        self, name: str, default: int | None = None, low: int | None = None, high: int | None = None
    ) -> int:
        """A whole number within bounds; a value above `high` is refused, never clipped."""
        number = self.number(name)
        if number is None:
            if default is None:
                raise invalid_params(name, "value required")
            return default
        if number != int(number) or abs(number) > INTEGER_MAX:
            raise invalid_params(name, "value must be an integer")
        if low is not None and number < low:
            raise invalid_params(name, f"value must be >= {low}")
        if high is not None and number > high:
            raise invalid_params(name, f"value must be <= {high}")
        return int(number)

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or None when absent."""
        return self.integer(name) if self.has(name) else None

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean."""
        value = self._members.get(name)
        if value is None:
            return default
        if self._textual and value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise invalid_params(name, "value must be a boolean")
        return value

    def lists(self, name: str) -> bool:
        """Whether the parameter is a list, where it may be one or a string."""
        value = self._members.get(name)
        text = isinstance(value, str) and self._textual and value.startswith("[")
        return text or isinstance(value, list)

    def texts(self, name: str) -> list[str]:
        """A list of strings, in the order given."""
        value = self._members.get(name)
        if value is None:
            raise invalid_params(name, "value required")
        return [entry for entry in self._array(name, value) if isinstance(entry, str)]

    def objects(self, name: str) -> "list[Params]":
        """A list of objects, each read like the parameters of a request."""
        value = self._members.get(name)
        if value is None:
            raise invalid_params(name, "value required")
        entries = self._array(name, value)
        members = [entry for entry in entries if isinstance(entry, dict)]
        if len(members) < len(entries):
            raise invalid_params(name, "value must be an array of objects")
        return [Params(entry) for entry in members]

    def nested(self, name: str) -> "Params | None":
        """An object, or None when absent."""
        value = self._members.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid_params(name, "value must be an object")
        return Params(value)

    def _array(self, name: str, value: object) -> "list[object]":
        if self._textual and isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except msgspec.DecodeError:
                raise invalid_params(name, "value must be an array") from None
        if not isinstance(value, list):
            raise invalid_params(name, "value must be an array")
        return value
