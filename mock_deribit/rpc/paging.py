"""Owns how lists of trades are cut into pages.

`start_…`/`end_…` bound the window (inclusive), `count` the page, `sorting` its order. Without sorting a
window with a start is read forwards from it and one without backwards from the newest, so that following
pages move away from what is known; `has_more` says that the window holds more than the page. Lists that are
paged by `continuation` name the place to go on at.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.params import Params, whole

COUNT_MAX = 1000

T = TypeVar("T")


def page(
    rows: Sequence[T],
    params: Params,
    moment: Callable[[T], int],
    sequence: Callable[[T], int],
    number: Callable[[T], int],
) -> tuple[list[T], bool]:
    """The asked part of rows that stand oldest first, and whether there is more.

    `moment` is a row's time in ms, `sequence` its number in its instrument, `number` that in its
    currency.
    """
    count = params.integer("count", 10, low=1, high=COUNT_MAX)
    sorting = params.choice("sorting", ("asc", "desc", "default"), "default")
    started = any(params.has(f"start_{name}") for name in ("timestamp", "seq", "id"))
    wanted = list(rows)
    for name, measure in (("timestamp", moment), ("seq", sequence), ("id", number)):
        start, end = (_bound(params, f"{edge}_{name}") for edge in ("start", "end"))
        if start is not None:
            wanted = [row for row in wanted if measure(row) >= start]
        if end is not None:
            wanted = [row for row in wanted if measure(row) <= end]
    if sorting == "desc" or (sorting == "default" and not started):
        wanted.reverse()
    return wanted[:count], len(wanted) > count


def _bound(params: Params, name: str) -> int | None:
    """A bound of the window; ids are strings, with their currency in front."""
    if not name.endswith("_id") or not params.has(name):
        return params.optional_integer(name)
    number = whole(params.text(name).rpartition("-")[2])
    if number is None:
        raise invalid_params(name, "invalid value")
    return number


def continued(
    rows: Sequence[T], params: Params, count: int, key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """The next rows of a list that stands newest first, and the `continuation` to ask the rest with.

    The word names the last row seen, so that what is added or forgotten meanwhile shifts no page.
    """
    word, start = params.token("continuation", "none"), 0
    if word != "none":
        start = next((n + 1 for n, row in enumerate(rows) if key(row) == word), -1)
        if start < 0:
            raise invalid_params("continuation", "invalid value")
    chosen = list(rows[start : start + count])
    more = start + count < len(rows)
    return chosen, key(chosen[-1]) if more and chosen else None
