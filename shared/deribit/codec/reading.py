"""Bytes to Deribit's words, with one way to fail."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

RawJson = bytes | msgspec.Raw

_EXCERPT = 160


class VenueFault(ValueError):
    """The venue sent a payload that cannot be used; the text says field, expected and came."""


def excerpt(data: RawJson) -> str:
    """The beginning of a payload, for an error's text."""
    return repr(bytes(memoryview(data)[:_EXCERPT]))


class Reader(Generic[T]):
    """Decodes one kind of payload; raises `VenueFault` and nothing else."""

    def __init__(self, what: str, decoder: msgspec.json.Decoder[T]) -> None:
        self._what = what
        self._decoder = decoder

    def __call__(self, data: RawJson) -> T:
        """The payload in Deribit's words."""
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise VenueFault(
                f"{self._what}: expected the documented form; {error}; came {excerpt(data)}"
            ) from error
