"""Owns how lists of trades are cut into pages.

`start_…`/`end_…` bound the window (inclusive), `count` the page, `sorting` its order. Without sorting a
window with a start is read forwards from it and one without backwards from the newest, so that following
pages move away from what is known; `has_more` says that the window holds more than the page.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mock_deribit.rpc.params import Params

COUNT_MAX = 1000

T = TypeVar("T")


def page(
    rows: Sequence[T], params: Params, moment: Callable[[T], int], sequence: Callable[[T], int]
) -> tuple[list[T], bool]:
    """The asked part of rows that stand oldest first, and whether there is more.

    `moment` is a row's time in ms, `sequence` its number in its instrument.
    """
    count = params.integer("count", 10, low=1, high=COUNT_MAX)
    sorting = params.choice("sorting", ("asc", "desc", "default"), "default")
    started = params.has("start_timestamp") or params.has("start_seq")
    wanted = list(rows)
    for name, measure in (("timestamp", moment), ("seq", sequence)):
        start = params.optional_integer(f"start_{name}")
        end = params.optional_integer(f"end_{name}")
        if start is not None:
            wanted = [row for row in wanted if measure(row) >= start]
        if end is not None:
            wanted = [row for row in wanted if measure(row) <= end]
    if sorting == "desc" or (sorting == "default" and not started):
        wanted.reverse()
    return wanted[:count], len(wanted) > count
