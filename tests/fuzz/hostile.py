"""Requests that no well-meaning client would send, and those that one would, mixed without mercy.

Owns: plausible values for every parameter by name, hostile values for any, and frames made of both. Methods
and their parameters are the exchange's own list, so that a new one is under fire from its first day.
"""

import json
from typing import Any

from hypothesis import strategies as st

from mock_deribit.rpc.catalogue import METHODS
from tests.support.exchange import SECRET, START

PERP = "BTC-PERPETUAL"
NOW_MS = START // 1_000_000

Members = dict[str, Any]
Drawn = st.SearchStrategy[Any]

PLAUSIBLE: dict[str, list[Any]] = {
    "instrument_name": [PERP, PERP, PERP, "BTC-25DEC26", "ETH-PERPETUAL", "BTC_USDC-PERPETUAL"],
    "currency": ["BTC", "any", "ETH", "USDC"],
    "kind": ["future", "any", "option"],
    "type": ["limit", "market", "all", "settlement"],
    "price": [60_000.5, 59_000, 60_100.0, 59_900],
    "amount": [10, 20.0, 100, 1000],
    "contracts": [1, 2.0],
    "label": ["quote", "quote", "", "x" * 64],
    "time_in_force": ["good_til_cancelled", "good_til_day", "immediate_or_cancel", "fill_or_kill"],
    "refresh_token": ["$refresh"],
    "order_id": ["$open", "$filled", "$cancelled"],
    "start_timestamp": [0, NOW_MS - 1000],
    "end_timestamp": [NOW_MS, NOW_MS + 1000],
    "timestamp": [NOW_MS],
    "valid_until": [NOW_MS + 10_000],
    "count": [1, 10, 1000],
    "offset": [0, 1],
    "depth": [1, 5, 10_000],
    "interval": [10, 60],
    "index_name": ["btc_usd", "eth_usd"],
    "channels": [[f"book.{PERP}.raw"], ["user.changes.any.any.raw", f"ticker.{PERP}.100ms"]],
    "mode": ["reject_taker", "cancel_maker"],
    "scope": ["connection", "account", "session:fuzz trade:read expires:60", "trade:read_write"],
    "grant_type": ["client_credentials", "client_signature", "refresh_token"],
    "client_id": ["mock-maker"],
    "client_secret": [SECRET],
    "sorting": ["asc", "desc", "default"],
    "expected_result": ["", "exception"],
    "resolution": ["1", "60", "1D"],
    "length": ["8h", "24h", "1m"],
    "nonce": ["n1"],
    "client_name": ["fuzz"],
    "client_version": ["1"],
    "currency_pair": ["btc_usd", "eth_usd"],
    "instrument_id": [210838],
    "session_name": ["fork"],
    "subject_id": [1001],
    "post_only": [False, False, True],
    "reject_post_only": [False, False, False, True],
    "reduce_only": [False, False, False, False, True],
    "mmp_group": ["default", "default", "unknown"],
    "frozen_time": [0, 10],
    "quantity_limit": [1.0],
    "delta_limit": [0.5],
    "max_quote_quantity": [1.0],
    "quote_set_id": ["1"],
    "ids": [["$open"], []],
    "quote_id": ["1", "2"],
    "quotes": [[{"instrument_name": PERP, "quote_set_id": "1", "bid": {"price": 59_000, "amount": 10}}]],
    "cancel_type": ["all", "instrument", "delta"],
}  # fmt: skip
"""What a well-meaning client sends; `$…` stands for a thing of the account's own."""

GENERIC: list[Any] = [True, False, 1, 10, "1", "any"]
"""For parameters that have no entry above."""

HUGE = [10**30, -(10**30), 2**63, -(2**63) - 1, 1e308, -1e308, 10**300]
TINY = [0, -0.0, 5e-324, -1, -1e-9, 0.1 + 0.2]
ODD_TEXT = [
    "", " ", "null", "NaN", "-1", "1e400", "²", "٣", "\x00", "\u202e", "ß" * 70, "💥" * 40,
    "BTC-PERPETUAL ", "btc-perpetual", "'; DROP TABLE orders;--", "../../etc/passwd", "%00", "a" * 5000,
    "book.", "book..", "user.orders.", ".", "account:read:x", "account", "trade:", "expires:²",
    "expires:" + "9" * 5000, "session:", "session:a session:b", "ticker.BTC-PERPETUAL.raw\"",
]  # fmt: skip

SHAPES: list[Any] = [None, True, [], {}, [None], [[]], {"a": {"b": []}}, ["x", 1, None]]
SPOILT: list[Any] = [*HUGE, *TINY, 1.5, *ODD_TEXT, *SHAPES]
"""Every hostile value that is tried for every parameter by itself."""


def well_meant(method: str, number: int) -> Members:
    """The parameters of a method as a client that knows it sends them; every number other ones."""
    one_of_two = {"contracts" if number % 2 else "amount"}
    return {
        name: plausible(name)[number % len(plausible(name))]
        for name in METHODS[method].parameters
        if name in PLAUSIBLE and name not in one_of_two
    }


def plausible(name: str) -> list[Any]:
    """Values that could be meant for a parameter."""
    return PLAUSIBLE.get(name, GENERIC)


scalars: Drawn = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(HUGE + TINY),
    st.sampled_from(ODD_TEXT),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
hostile: Drawn = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


ids: Drawn = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(max_size=30))


@st.composite
def requests(draw: st.DrawFn) -> Members:
    """A right envelope: most parameters as they could be meant, a few hostile, the rest left out."""
    method = draw(st.sampled_from(sorted(METHODS)))
    params = well_meant(method, draw(st.integers(0, 11)))
    names = METHODS[method].parameters
    if names:
        for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
            params[name] = draw(hostile)
        for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
            params[name] = draw(st.sampled_from(plausible(name)))
        for name in draw(st.lists(st.sampled_from(names), max_size=1)):
            params.pop(name, None)
    return {"jsonrpc": "2.0", "id": draw(ids), "method": method, "params": params}


_WHOLE = {"jsonrpc": "2.0", "id": 1, "method": "private/buy", "params": {}}
ENVELOPES: list[bytes] = [
    b"", b" ", b"null", b"0", b"[]", b"{}", b'"public/test"', b"\xff\xfe", b"\x00" * 64, b"NaN",
    b'{"id":1,"method":"public/test"', b'{"id":1,"method":"public/test"}}', b'{"id":1}',
    b'{"jsonrpc":"1.0","id":1,"method":"public/test"}', b'{"jsonrpc":2,"id":1,"method":"public/test"}',
    b'{"id":1.5,"method":"public/test"}', b'{"id":true,"method":"public/test"}',
    b'{"id":null,"method":"public/test"}', b'{"id":[1],"method":"public/test"}',
    b'{"id":{"a":1},"method":"public/test"}', b'{"id":1e400,"method":"public/test"}',
    b'{"id":99999999999999999999999999,"method":"public/test"}',
    b'{"id":"\\ud800","method":"public/test"}', b'{"id":1,"method":7}', b'{"id":1,"method":null}',
    b'{"id":1,"method":""}', b'{"id":1,"method":"' + b"m" * 9_000 + b'"}',
    b'{"id":1,"method":"public/test","params":[]}', b'{"id":1,"method":"public/test","params":[1,2]}',
    b'{"id":1,"method":"public/test","params":null}', b'{"id":1,"method":"public/test","params":"x"}',
    b'{"id":1,"id":2,"method":"public/test","method":"public/nope"}',
    b'{"id":1,"method":"private/buy","params":{"amount":NaN}}',
    b'{"id":1,"method":"private/buy","params":{"amount":Infinity}}',
    b'{"id":1,"method":"private/buy","params":{"amount":1e400}}',
    b'{"id":1,"method":"private/buy","params":{"amount":1' + b"0" * 4_000 + b"}}",
    b'{"id":1,"method":"private/buy","params":{"label":"\\ud800\\ud800"}}',
    b'{"id":1,"method":"public/test","params":{"x":' + b"[" * 15_000 + b"]" * 15_000 + b"}}",
    b'{"id":1,"method":"public/test","params":' + b'{"a":' * 6_000 + b"1" + b"}" * 6_000 + b"}",
    b"[" * 32_000, b'{"a":' * 6_000,
    json.dumps([_WHOLE, _WHOLE]).encode(), json.dumps(_WHOLE | {"pad": "x" * 33_000}).encode(),
    json.dumps(_WHOLE | {"pad": "x" * (32 * 1024 - 90)}).encode(),
    b'{"id":1,"method":"public/subscribe","params":{"channels":[' + b'"x",' * 7_000 + b'"x"]}}',
]  # fmt: skip
"""Frames whose envelope is wrong, odd or at the edge."""
