"""The control API under fire: every field of every word takes hostile values, and nothing breaks."""

from typing import Any

import msgspec
import pytest

from mock_deribit.clock import ExchangeClock
from mock_deribit.control import Control
from mock_deribit.rpc.dispatch import HttpRequest
from mock_deribit.words import CLOCK, FAULTS, Vocabulary
from tests.support.exchange import Bench

SOUND: dict[str, object] = {
    "instrument": "BTC-PERPETUAL",
    "index": "btc_usd",
    "account": "maker",
    "currency": "BTC",
    "amount": 1.0,
    "bps": 1.0,
    "side": "buy",
    "state": "open",
    "regime": "CALM",
    "tick": 0.5,
    "milliseconds": 1.0,
    "code": 10001,
    "title": "t",
    "speed": 1.0,
    "seconds": 1.0,
    "to": "2026-09-21T15:00:00Z",
}
HOSTILE = [
    b"null", b"true", b"-1", b"0", b"1", b"0.5", b"9223372036854775808", b"1e308", b"-1e308", b"1e400",
    b"1e-320", b'""', b'"x"', b'"\xc3\xa9\\u0000"', b'"BTC-PERPETUAL"', b'"ETH-PERPETUAL"', b'"maker"', b"[]",
    b"{}", b'"2026-09-21T14:13:20Z"', b'"9999-12-31T23:59:59Z"', b'"0001-01-01T00:00:00+14:00"',
    b'"' + b"x" * 5_000 + b'"',
]  # fmt: skip
_LASTING = ("cut", "close_sockets", "half_open", "maintenance", "jump", "set_tick", "sweep")


class Attacked:
    """A control API, and the exchange behind it, with somebody connected."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.conn = self.bench.login()
        channels = ["book.BTC-PERPETUAL.raw", "user.changes.any.any.raw"]
        self.bench.call(self.conn, "private/subscribe", channels=channels)
        self.clock = ExchangeClock(lambda: self.bench.now)
        self.control = Control(self.bench.core, self.clock)

    def post(self, path: str, body: bytes) -> int:
        """The answer's status; its error is one line."""
        request = HttpRequest(
            verb="POST", target=path, path=path, query={}, authorization="", body=body, peer="::1"
        )
        answer, _ = self.control.answer(request)
        said: Any = msgspec.json.decode(answer.body)
        assert answer.status == 200 or "\n" not in said["error"]
        return answer.status

    def is_well(self) -> bool:
        """Whether the exchange still answers, and lets time pass."""
        self.bench.core.step(self.clock())
        return bool(self.bench.core.ledger(self.clock())["accounts"])


def bodies(vocabulary: Vocabulary[Any], tag: str) -> list[tuple[str, bytes]]:
    """Every word with every field in turn taking every hostile value."""
    found = []
    for name, kind in vocabulary.kinds.items():
        sound = {f.name: msgspec.json.encode(SOUND[f.name]) for f in kind.takes if f.required}
        for field in (*(f.name for f in kind.takes), tag):
            for value in HOSTILE:
                fields = {tag: msgspec.json.encode(name)} | sound | {field: value}
                inside = b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items())
                found.append((name, b"{" + inside + b"}"))
    return found


@pytest.mark.parametrize(("path", "tag"), [("/faults", "fault"), ("/clock", "clock")])
def test_no_word_however_hostile_breaks_the_exchange(path: str, tag: str) -> None:
    vocabulary: Vocabulary[Any] = FAULTS if tag == "fault" else CLOCK
    under, statuses = Attacked(), set()
    for name, body in bodies(vocabulary, tag):
        if name in _LASTING:
            under = Attacked()
        statuses.add(under.post(path, body))
        assert under.is_well(), body
    assert statuses == {200, 400}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"[[[[", b"1", b'"cut"', b"\xff", b"{}" * 9, b'{"fault":' * 500]
)
def test_no_body_that_is_no_word_does_anything(body: bytes) -> None:
    under = Attacked()
    assert [under.post(path, body) for path in ("/faults", "/clock")] == [400, 400]
    assert under.is_well()
