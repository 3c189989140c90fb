"""Owns the reading of an operator's words from JSON or TOML, and the list of what there is to say."""

from typing import Any, Generic, TypeVar, get_args

import msgspec

from mock_deribit.clock import ClockWord
from mock_deribit.faults import ArmedFault, Fault

Word = TypeVar("Word")


class WordError(ValueError):
    """What came is none of the words; the text says what was expected, what came and what there is."""


class Field(msgspec.Struct, frozen=True):
    """One thing a word takes."""

    name: str
    required: bool
    default: Any


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One word: what it does, what it takes, whether it waits for something."""

    does: str
    armed: bool
    takes: tuple[Field, ...]
    schema: dict[str, Any]


class Vocabulary(Generic[Word]):
    """A union of structs that are told apart by one field."""

    def __init__(self, union: Any, field: str) -> None:
        self._union = union
        self._field = field
        self.kinds = {str(kind.__struct_config__.tag): _kind(kind) for kind in get_args(union)}

    def read_json(self, body: bytes) -> Word:
        """A word from a request's body. Raises WordError."""
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise WordError(
                f"expected a JSON object that names a `{self._field}`; {error}"
            ) from None
        return self.read(value)

    def read(self, value: object) -> Word:
        """A word from plain data. Raises WordError."""
        name = value.get(self._field) if isinstance(value, dict) else None
        kind = self.kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            came = repr(value) if name is None else repr(name)
            known = ", ".join(self.kinds)
            raise WordError(f"expected `{self._field}` to be one of {known}; came {came}")
        try:
            word: Word = msgspec.convert(value, self._union)
        except msgspec.ValidationError as error:
            fields = ", ".join(field.name for field in kind.takes)
            raise WordError(f"{name}: {error}; it takes {fields or 'nothing else'}") from None
        return word


def _kind(kind: type[msgspec.Struct]) -> Kind:
    return Kind(
        does=" ".join((kind.__doc__ or "").split()),
        armed=kind in get_args(ArmedFault),
        takes=tuple(
            Field(field.encode_name, field.required, None if field.required else field.default)
            for field in msgspec.structs.fields(kind)
        ),
        schema=msgspec.json.schema(kind),
    )


FAULTS: Vocabulary[Fault] = Vocabulary(Fault, "fault")
CLOCK: Vocabulary[ClockWord] = Vocabulary(ClockWord, "clock")
