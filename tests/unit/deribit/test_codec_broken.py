"""A decoder gives our type or a `VenueFault`, whatever it is given."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deribit import codec
from shared.deribit.codec import VenueFault
from shared.kernel import Nanos
from tests.unit.deribit.payloads import (
    ACCOUNT,
    BOOK,
    GROUPS,
    LISTED,
    ORDER,
    POSITION,
    PUBLIC_TRADE,
    TICKER,
    TRADE,
    raw,
    without,
)

NOW = Nanos(1_790_000_000_500_000_000)


Decode = Callable[[bytes], object]

DECODERS: list[tuple[Decode, Any]] = [
    (codec.decode_book, BOOK),
    (lambda data: codec.decode_ticker(data, NOW), TICKER),
    (lambda data: codec.decode_trades(data, NOW), [PUBLIC_TRADE]),
    (codec.decode_instruments, [LISTED]),
    (codec.decode_order, ORDER),
    (codec.decode_orders, [ORDER]),
    (codec.decode_order_result, {"order": ORDER, "trades": [TRADE]}),
    (codec.decode_user_trades, [TRADE]),
    (codec.decode_trade_page, {"trades": [TRADE], "has_more": False}),
    (codec.decode_changes, {"instrument_name": "X", "orders": [ORDER], "positions": [POSITION]}),
    (codec.decode_positions, [POSITION]),
    (lambda data: codec.decode_account(data, NOW), ACCOUNT | {"fees": {"btc_usd": {}}}),
    (
        lambda data: codec.decode_limits(data, "BTC"),
        {"limits": {"matching_engine": GROUPS, "non_matching_engine": {"rate": 1, "burst": 1}}},
    ),
    (codec.decode_cancel_count, 3),
    (codec.decode_instrument_state, {"instrument_name": "X", "state": "open", "timestamp": 1}),
    (codec.decode_platform_state, {"locked": True, "price_index": "btc_usd"}),
    (codec.decode_account_lock, {"currency": "ALL", "locked": True}),
    (codec.decode_mmp_enabled, {"mmp_enabled": True}),
    (codec.decode_freezes, [{"index_name": "btc_usd", "frozen_until": 1}]),
    (
        lambda data: codec.decode_protection(data, "btc_usd"),
        {"index_name": "btc_usd", "interval": 2, "frozen_time": 5, "delta_limit": 0.25},
    ),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "open", "buy", "nan", "inf", "-1", "1e999", "snapshot", "true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["total", "rate", "btc", "order_id"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for inner in value for number in numbers_in(inner)]
    return [value] if isinstance(value, int | float) else []


@st.composite
def broken(draw: st.DrawFn, payload: Any) -> Any:
    """A payload with one member, at any depth, replaced or removed."""
    if isinstance(payload, dict) and payload and draw(st.integers(0, 9)) > 0:
        name = draw(st.sampled_from(sorted(payload)))
        if draw(st.integers(0, 4)) == 0:
            return without(payload, name)
        return payload | {name: draw(broken(payload[name]))}
    if isinstance(payload, list) and payload and draw(st.booleans()):
        return [draw(broken(payload[0])), *payload[1:]]
    return draw(ANYTHING)


@given(st.data())
def test_a_decoder_gives_our_type_or_a_fault_and_nothing_else(data: st.DataObject) -> None:
    decode, payload = data.draw(st.sampled_from(DECODERS))
    text = data.draw(broken(payload).map(raw) | st.binary(max_size=30))
    if data.draw(st.booleans()):
        text = text[: data.draw(st.integers(0, len(text)))]
    try:
        decoded = decode(text)
    except VenueFault:
        return
    numbers = numbers_in(msgspec.to_builtins(decoded))
    assert all(math.isfinite(number) for number in numbers)


@pytest.mark.parametrize(("decode", "payload"), DECODERS)
def test_every_decoder_takes_its_sample_and_refuses_nesting_without_end(
    decode: Decode, payload: Any
) -> None:
    assert decode(raw(payload)) is not None
    with pytest.raises(VenueFault):
        decode(b"[" * 100_000 + b"]" * 100_000)
