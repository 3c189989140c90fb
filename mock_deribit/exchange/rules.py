"""What Deribit's documents leave open, decided in one place.

Each field of `Rules` is one unconfirmed fact: its description says what is open and what the alternatives
do, its default is the choice made here. `choices` lists them for a page of documentation. The engine takes
one `Rules` at opening and never changes it.
"""

from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a venue that are not certain. Frozen: one exchange, one set of rules."""

    overlap_answer: Annotated[
        Literal["error", "cancelled"],
        Meta(description="An order that would meet its owner's (reject_taker): error 10003, or since "
             "May 2026 possibly a cancelled order with cancel_reason order_overlap"),
    ] = "error"  # fmt: skip
    reduce_only_excess: Annotated[
        Literal["trim", "reject"],
        Meta(
            description="A reduce-only order larger than what is left to reduce: trimmed, or 11030"
        ),
    ] = "trim"
    fok_failure: Annotated[
        Literal["cancelled", "error"],
        Meta(description="A fill_or_kill order that cannot be filled whole: an order in state "
             "cancelled, or error 11030 other_reject"),
    ] = "cancelled"  # fmt: skip
    market_remainder: Annotated[
        Literal["cancelled", "rests"],
        Meta(description="What a market order leaves at the edge of the price band: cancelled, or a "
             "resting limit order with original_order_type market"),
    ] = "cancelled"  # fmt: skip
    edit_to_filled: Annotated[
        Literal["refuse", "close"],
        Meta(description="An edit to no more than what is filled: 11008 already_filled, or the "
             "remainder is cancelled"),
    ] = "refuse"  # fmt: skip
    edit_keeps_flags: Annotated[
        bool,
        Meta(description="Whether post_only, reject_post_only and reduce_only that an edit omits keep "
             "their values; otherwise they become false"),
    ] = True  # fmt: skip
    idle_edit_keeps_place: Annotated[
        bool, Meta(description="Whether an edit that changes nothing keeps its place in the queue")
    ] = True
    halted_takes_cancels: Annotated[
        bool,
        Meta(description="Whether a halted book takes cancels (only one of the texts says so)"),
    ] = True
    unknown_instrument_code: Annotated[
        Literal[-32602, 13020, 10020],
        Meta(description="The code for an unknown instrument in a trading request"),
    ] = -32602
    off_lot_code: Annotated[
        Literal[10021, 10027],
        Meta(description="The code for an amount that is no multiple of the lot: invalid_amount, or "
             "non_integer_contract_amount"),
    ] = 10021  # fmt: skip
    hidden_pays_taker: Annotated[
        bool, Meta(description="Whether the refills of an iceberg order pay the taker's fee")
    ] = True
    fee_remainder: Annotated[
        Literal["dropped", "carried"],
        Meta(description="What rounding a fee to eight decimals leaves: dropped, or carried to the "
             "account's next fee (two recorded fills look like it)"),
    ] = "dropped"  # fmt: skip
    protection_acts: Annotated[
        Literal["after_match", "after_request"],
        Meta(description="When market maker protection is checked while one order sweeps several of "
             "the maker's: after each match, or after the whole sweep"),
    ] = "after_request"  # fmt: skip
    protection_told_first: Annotated[
        bool,
        Meta(description="Whether the mmp_trigger frame comes before the cancelled orders' frames"),
    ] = False
    quote_quantity_code: Annotated[
        int, Meta(description="The code for an MMP order above max_quote_quantity", ge=10_000)
    ] = 11030
    hold_ms: Annotated[
        float,
        Meta(description="How long an order that would trade at once waits on a book that is not "
             "exempt; 10 at Deribit since September 2026 (JSON-RPC flow unconfirmed), 0 is off", ge=0),
    ] = 0.0  # fmt: skip
    settlement_seconds: Annotated[
        float, Meta(description="How long books stay in settlement after 08:00 UTC", gt=0)
    ] = 3.0
    archive_minutes: Annotated[
        float, Meta(description="How long a delivered book is listed before it is archivized", gt=0)
    ] = 60.0
    expiring_mark: Annotated[
        Literal["average", "index"],
        Meta(description="The mark of a future in its last half hour: the average of the index so far for "
             "the share that is over, or index and premium to the end"),
    ] = "average"  # fmt: skip
    mark_window_seconds: Annotated[
        float, Meta(description="Time constant of the mark price's moving average", gt=0)
    ] = 30.0
    order_memory_minutes: Annotated[
        float, Meta(description="How long a closed order is known without `historical`", gt=0)
    ] = 30.0
    initial_margin_rate: Annotated[
        float,
        Meta(
            description="Base rate of initial margin; 0.0295 fits testnet's samples of 2019 to 2021",
            gt=0,
        ),
    ] = 0.02
    maintenance_margin_rate: Annotated[
        float,
        Meta(description="Base rate of maintenance margin; an older page said 0.015, testnet's samples fit "
             "0.0215", gt=0),
    ] = 0.01  # fmt: skip
    open_orders_margin: Annotated[
        Literal["worse_side", "both_sides"],
        Meta(description="What open orders add to the position that initial margin is asked for: the side "
             "that could make it larger, or what both could, each beyond what it reduces"),
    ] = "worse_side"  # fmt: skip
    index_jump: Annotated[
        float,
        Meta(description="By what share an index must jump for its books to be locked, 0.1 at Deribit; how "
             "the lock ends is unpublished, here by the operator's word, so 0 (never) is chosen", ge=0),
    ] = 0.0  # fmt: skip
    protection_margin: Annotated[
        float,
        Meta(description="Initial margin that a protection reserves, as a share of its "
             "max_quote_quantity and in place of its orders' own", ge=0),
    ] = 0.03  # fmt: skip
    liquidates: Annotated[
        bool,
        Meta(description="Whether an account whose equity falls below its maintenance margin is "
             "liquidated by itself"),
    ] = True  # fmt: skip


class Choice(msgspec.Struct, frozen=True):
    """One unconfirmed fact: the field of `Rules`, what is open, what was chosen, what else it may be."""

    name: str
    question: str
    chosen: object
    alternatives: tuple[object, ...]


def choices(rules: msgspec.Struct) -> tuple[Choice, ...]:
    """Every unconfirmed fact with the choice these rules make; no alternatives: a number."""
    hints = get_type_hints(type(rules), include_extras=True)
    return tuple(
        Choice(
            name,
            hints[name].__metadata__[0].description,
            getattr(rules, name),
            _possible(hints[name].__origin__),
        )
        for name in rules.__struct_fields__
    )


def _possible(kind: object) -> tuple[object, ...]:
    if kind is bool:
        return (True, False)
    return tuple(getattr(kind, "__args__", ()))
