"""What a message is made of: the kinds of value at each path, and where two such shapes part."""

from collections.abc import Iterable
from typing import Any

Shape = dict[str, set[str]]
"""By path, the kinds of value seen there; `[]` is every element of a list, `[0]` the first of a tuple."""


def shape(messages: Iterable[Any]) -> Shape:
    """The shape of messages of one kind, taken together."""
    found: Shape = {}
    for message in messages:
        _note(found, "", message)
    return found


def _note(found: Shape, path: str, value: Any) -> None:
    found.setdefault(path, set()).add(type(value).__name__)
    if isinstance(value, dict):
        for name, member in value.items():
            _note(found, f"{path}.{name}", member)
    elif isinstance(value, list):
        # ["new", 60000.0, 10.0] is a tuple: its places differ in kind.
        mixed = len({type(element) for element in value}) > 1
        for place, element in enumerate(value):
            _note(found, f"{path}[{place}]" if mixed else f"{path}[]", element)


def differences(theirs: Shape, ours: Shape) -> list[str]:
    """Where they part. An id is what the request had, so it may be missing on one side; below a list that
    one side has empty, and below a member that the other lacks, there is nothing to compare."""
    found = []
    for path in sorted({*theirs, *ours}):
        if path == ".id" and not (path in theirs and path in ours):
            continue
        parent = path.rpartition("[" if path.endswith("]") else ".")[0]
        comparable = not path.endswith("]") and bool(
            theirs.get(parent, set()) & ours.get(parent, set())
        )
        if path not in ours or path not in theirs:
            if comparable:
                found.append(f"{path}: only {'theirs' if path in theirs else 'ours'}")
        elif not theirs[path] & ours[path]:
            kinds = ["|".join(sorted(side[path])) for side in (theirs, ours)]
            found.append(f"{path}: {kinds[0]} / {kinds[1]}")
    return found
