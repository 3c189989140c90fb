"""The words of an operator: how they are read, refused and listed."""

import pytest

from mock_deribit.faults import (
    CrossedBook,
    Cut,
    DrainCredits,
    DropFrames,
    Fault,
    Lock,
    SetRegime,
)
from mock_deribit.words import FAULTS, WordError
from tests.support.exchange import Bench


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"fault":"sabotage"}', "expected `fault` to be one of drop_frames, .*came 'sabotage'"),
        (b'{"fault":"delay_frames"}', "required field `milliseconds`; it takes .*jitter_ms"),
        (b'{"fault":"cut","when":"now"}', "unknown field `when`; it takes conn, account"),
        (b'{"fault":"drop_frames","count":-1}', r"Expected `int` >= 0 - at `\$.count`"),
        (b'{"fault":"drop_frames","probability":2}', r"<= 1.0 - at `\$.probability`"),
        (
            b'{"fault":"close_sockets","code":1005}',
            "expected a `code` that may be sent: 1000, .*1014",
        ),
        (b'{"fault":"close_sockets","code":2000}', "3000 to 4999; it takes conn"),
        (b'{"fault":"close_sockets","reason":"' + "é".encode() * 62 + b'"}', "at most 123 bytes"),
        (b"[]", r"came \[\]"),
        (b"cut!", "expected a JSON object that names a `fault`"),
    ],
)
def test_an_order_that_is_no_fault_says_what_was_expected(body: bytes, says: str) -> None:
    with pytest.raises(WordError, match=says):
        FAULTS.read_json(body)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (CrossedBook(instrument="BTC-NEVER"), "no instrument 'BTC-NEVER' here; there are BTC-PERP"),
        (Lock(index="doge_usd"), "no index 'doge_usd' here; there are btc_usd"),
        (DrainCredits(account="nobody"), "no account 'nobody' here; there are maker, taker"),
        (DropFrames(account="nobody"), "no account 'nobody' here"),
        (Cut(conn=9), "no connection 9; open are: 1"),
        (SetRegime(regime="HAIL"), "there is no regime 'HAIL'"),
        (SetRegime(regime="CALM"), "stands still knows no regimes"),
    ],
)
def test_a_fault_that_names_what_is_not_there_is_refused(fault: Fault, says: str) -> None:
    bench = Bench()
    bench.open()
    with pytest.raises(ValueError, match=says):
        bench.fault(fault)
    assert bench.core.armed() == ()


def test_every_fault_is_in_the_catalogue_with_what_it_does_and_takes() -> None:
    for name, entry in FAULTS.kinds.items():
        [kind] = [d for d in entry.schema["$defs"].values() if "fault" in d.get("properties", {})]
        assert kind["properties"]["fault"] == {"enum": [name]}
        assert entry.does.endswith(".")
