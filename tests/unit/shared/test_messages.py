"""Messages, events and effects survive the wire unchanged; what is none of ours is refused clearly."""

import pytest

from shared.journal import decode_record, encode_record
from shared.kernel import (
    Cut,
    Event,
    FrameIn,
    Halt,
    LinkDown,
    LinkUp,
    Nanos,
    Publish,
    Restored,
    Send,
    Started,
    Store,
    Wake,
    WakeAt,
)
from shared.messages import Book, Lease, Mode, Quote, QuoteLevel
from shared.messages.codec import MalformedMessage, decode_message, encode
from shared.units import Side

BOOK = Book(
    ts=Nanos(5),
    instrument="BTC-PERPETUAL",
    change_id=7,
    seen=Nanos(6),
    bids=((60_029.5, 12_000.0), (60_029.0, 500.0)),
    asks=((60_030.0, 54_000.0),),
)
QUOTE = Quote(
    ts=Nanos(9),
    instrument="BTC-PERPETUAL",
    quote_id=3,
    levels=(
        QuoteLevel(
            side=Side.BUY, layer=0, price=60_000.0, amount=1_200.0, parts=(("mid", 60_029.75),)
        ),
    ),
    fair=60_029.75,
    reservation=60_029.0,
    half_spread=29.0,
    sigma=5.3,
    valid_until=Nanos(10),
    change_id=7,
    book_ts=Nanos(5),
    book_seen=Nanos(6),
    params_version=1,
)


@pytest.mark.parametrize(
    "event",
    [
        BOOK,
        QUOTE,
        Lease(
            ts=Nanos(1),
            number=1,
            mode=Mode.REDUCING,
            granted=True,
            reason="loss",
            until=Nanos(2),
            hard_limit=0.3,
        ),
        Started(incarnation=4),
        Restored(key="params", value=None),
        Wake(timer="requote"),
        LinkUp(link="public"),
        LinkDown(link="bus", reason="closed"),
        FrameIn(link="public", data=b'{"jsonrpc":"2.0"}'),
    ],
)
def test_an_event_comes_back_equal(event: Event) -> None:
    record = decode_record(encode_record(Nanos(9), event, []))
    assert (record.now, record.event) == (9, event)


def test_effects_encode_the_same_twice() -> None:
    effects = (
        Publish(BOOK),
        Send("private", b"{}"),
        Cut("public", "gap"),
        WakeAt("x", Nanos(3)),
        Store("inventory", "{}"),
        Halt("broken"),
    )
    assert [encode(e) for e in effects] == [encode(e) for e in effects]
    assert encode(Publish(BOOK)) != encode(Publish(QUOTE))


def test_the_mid_is_half_way_between_the_best_prices() -> None:
    assert BOOK.mid == 60_029.75


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a message"),
        (b'{"type":"Book"', "not a message"),
        (b'{"type":"Bok","ts":1}', "Bok"),
        (b'{"type":"Book","ts":"x"}', "ts"),
        (b'{"type":"Wake","timer":"x"}', "Wake"),
        (b"\xff\xfe", "not a message"),
    ],
)
def test_bytes_that_are_no_message_are_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(MalformedMessage, match=says):
        decode_message(data)


def test_an_unknown_field_is_ignored_so_that_services_can_be_upgraded_one_by_one() -> None:
    data = encode(BOOK).replace(b'"change_id":7', b'"change_id":7,"novel":[1]')
    assert decode_message(data) == BOOK


def test_a_number_in_scientific_notation_is_a_number() -> None:
    data = encode(BOOK).replace(b"12000.0", b"1.2e4")
    assert decode_message(data) == BOOK
