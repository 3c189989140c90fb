"""What the venue really sent, through session and codec. Skipped where the recordings are not there."""

import json
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from shared.deribit import codec
from shared.deribit.channels import Topic, parse_channel
from shared.deribit.codec import BookFrame, VenueFault
from shared.deribit.envelope import ABSENT, Frame, decode_frame
from shared.deribit.errors import Meaning, classify
from shared.deribit.outputs import NotGranted
from shared.instruments import BookState, Payoff
from shared.kernel import Nanos
from shared.messages import OrderState
from tests.unit.deribit.dialogue import Dialogue, Recorded, only

SEEN = Nanos(0)


def frame_of(text: str) -> Frame:
    frame = decode_frame(text.encode())
    assert isinstance(frame, Frame), frame
    return frame


def notifications(lines: list[str]) -> Iterator[tuple[str, msgspec.Raw]]:
    """(channel, payload) of every notification in a capture, receive times cut off."""
    for line in lines:
        text = line[line.find("{") :] if "{" in line else ""
        if not text or "<-" in line.split("{", maxsplit=1)[0]:
            continue
        frame = frame_of(text)
        if frame.method == "subscription" and frame.params is not None:
            yield frame.params.channel, frame.params.data


def books(lines: list[str]) -> dict[str, list[BookFrame]]:
    found: dict[str, list[BookFrame]] = {}
    for channel, data in notifications(lines):
        if parse_channel(channel).topic is Topic.BOOK:
            found.setdefault(channel, []).append(codec.decode_book(data))
    return found


def breaks(frames: list[BookFrame]) -> list[int]:
    return [
        later.change_id
        for earlier, later in pairwise(frames)
        if later.prev_change_id != earlier.change_id
    ]


@pytest.mark.parametrize(
    ("name", "snapshots", "changes"),
    [("cryptofeed/DERIBIT.ws.1.0.gz", 10, 36), ("cryptofeed/DERIBIT-5dd9ce.0.gz", 10, 177)],
)
def test_captured_book_chains_are_unbroken(
    recorded: Recorded, name: str, snapshots: int, changes: int
) -> None:
    chains = books(recorded(name))
    frames = [frame for chain in chains.values() for frame in chain]
    assert sum(frame.snapshot for frame in frames) == snapshots
    assert sum(not frame.snapshot for frame in frames) == changes
    assert not any(breaks(chain) for chain in chains.values())
    for channel, chain in chains.items():
        assert {frame.instrument for frame in chain} == {parse_channel(channel).instrument}


def test_the_one_gap_of_the_testnet_capture_is_seen_in_frames_without_a_type(
    recorded: Recorded,
) -> None:
    ((channel, chain),) = books(recorded("ssc2ce-python/deribit_dump.jsonl")).items()
    assert channel == "book.BTC-PERPETUAL.raw"
    assert [frame.snapshot for frame in chain] == [True, False, False, False, False]
    assert breaks(chain) == [4095205464]


def test_a_recent_perpetual_book_is_read_and_its_changes_follow(recorded: Recorded) -> None:
    lines = [
        "".join(recorded(f"fastmm-engine/book_perp_{part}.json"))
        for part in ("snapshot", "change_1", "change_2")
    ]
    ((_, chain),) = books(lines).items()
    assert [frame.snapshot for frame in chain] == [True, False, False]
    assert breaks(chain) == []


def test_a_full_depth_production_snapshot_is_read_best_first(recorded: Recorded) -> None:
    ((_, (frame,)),) = books(recorded("fastmm-engine/book_perp_long_snapshot.json")).items()
    assert (len(frame.bids), len(frame.asks)) == (1195, 847)
    assert frame.bids == tuple(sorted(frame.bids, reverse=True))
    assert frame.asks == tuple(sorted(frame.asks))
    assert frame.bids[0][0] < frame.asks[0][0]


def test_a_grouped_book_is_a_fault_and_its_channel_is_not_taken_for_a_book(
    recorded: Recorded,
) -> None:
    text = "".join(recorded("fastmm-engine/book_grouped_ignored.json"))
    params = frame_of(text).params
    assert params is not None
    assert parse_channel(params.channel).topic is Topic.OTHER
    with pytest.raises(VenueFault, match="book"):
        codec.decode_book(params.data)


def test_production_tickers_of_futures_are_read(recorded: Recorded) -> None:
    seen = 0
    for channel, data in notifications(recorded("fastmm-engine/raw_perp_ticker_stream.jsonl")):
        ticker = codec.decode_ticker(data, SEEN)
        assert ticker.instrument == parse_channel(channel).instrument
        assert ticker.state is BookState.OPEN
        assert (ticker.current_funding is not None) == ticker.instrument.endswith("PERPETUAL")
        seen += 1
    assert seen == 63


@pytest.mark.parametrize(
    "name", ["nautilus_trader/ws_trades.json", "fastmm-engine/trades_perp.json"]
)
def test_production_trades_are_read(recorded: Recorded, name: str) -> None:
    ((_, data),) = notifications(["".join(recorded(name))])
    trades = codec.decode_trades(data, SEEN)
    expected = json.loads(bytes(memoryview(data)))
    assert [trade.trade_id for trade in trades.trades] == [trade["trade_id"] for trade in expected]
    assert [trade.side.value for trade in trades.trades] == [t["direction"] for t in expected]


def test_one_order_is_followed_through_buy_edit_and_cancel(recorded: Recorded) -> None:
    def result(step: str) -> msgspec.Raw:
        frame = frame_of("\n".join(recorded(f"nautilus_trader/ws_order_{step}_response.json")))
        assert frame.result != ABSENT
        return frame.result

    bought = codec.decode_order_result(result("buy")).order
    edited = codec.decode_order_result(result("edit")).order
    cancelled = codec.decode_order(result("cancel"))
    assert bought.order_id == edited.order_id == cancelled.order_id
    assert bought.updated < edited.updated < cancelled.updated
    assert bought.created == cancelled.created
    assert [o.state for o in (bought, edited, cancelled)] == [
        OrderState.OPEN,
        OrderState.OPEN,
        OrderState.CANCELLED,
    ]
    assert cancelled.cancel_reason == "user_request"


def test_a_portfolio_frame_is_an_account_without_limits(recorded: Recorded) -> None:
    params = frame_of("\n".join(recorded("nautilus_trader/ws_portfolio.json"))).params
    assert params is not None
    account = codec.decode_account(params.data, SEEN)
    assert (account.currency, account.equity, account.available) == ("USDT", 55.00055, 53.868247)
    assert codec.decode_limits(params.data, "USDT") is None


def test_an_account_summary_and_positions_of_2020_are_read(recorded: Recorded) -> None:
    def result(name: str) -> msgspec.Raw:
        (exchange,) = json.loads("\n".join(recorded(f"ex_deribit/{name}.json")))
        return frame_of(exchange["response"]["body"]).result

    account = codec.decode_account(result("get_account_summary_ok"), SEEN)
    assert (account.currency, account.equity) == ("BTC", 10.0)
    (position,) = codec.decode_positions(result("get_position_ok"))
    assert (position.instrument, position.amount, position.realized) == (
        "BTC-PERPETUAL",
        0,
        1.88e-7,
    )
    assert all(p.instrument for p in codec.decode_positions(result("get_positions_ok")))


def test_listings_of_2024_to_2026_are_read(recorded: Recorded) -> None:
    texts = [
        "\n".join(recorded("nautilus_trader/http_get_instruments.json")),
        "\n".join(recorded("fastmm-engine/get_instruments_future.json")),
    ]
    for text in texts:
        listed = {i.name: i for i in codec.decode_instruments(frame_of(text).result)}
        perpetual = listed["BTC-PERPETUAL"]
        assert perpetual.payoff is Payoff.INVERSE
        assert perpetual.perpetual
        assert (perpetual.settlement, perpetual.index) == ("BTC", "btc_usd")
        assert (perpetual.tick, perpetual.amount_step) == (0.5, 10.0)


def test_a_listing_of_options_holds_no_future(recorded: Recorded) -> None:
    text = "\n".join(recorded("fastmm-engine/get_instruments_option.json"))
    assert codec.decode_instruments(frame_of(text).result) == ()


@pytest.mark.parametrize("name", ["invalid_credentials", "invalid_params", "unauthorized"])
def test_recorded_refusals_are_never_retried(recorded: Recorded, name: str) -> None:
    error = frame_of("\n".join(recorded(f"fastmm-engine/rpc_{name}.json"))).error
    assert error is not None
    assert classify(error.code) is Meaning.NEVER_RETRY


def test_a_subscription_that_was_partly_granted_is_recognised(
    recorded: Recorded, public: Dialogue
) -> None:
    frame = json.loads("\n".join(recorded("fastmm-engine/subscribe_partial.json")))
    granted = tuple(frame["result"])
    public.session.want(public.now, (*granted, "book.NO-SUCH.100ms"))
    public.open()
    public.answer("public/set_heartbeat")
    outputs = public.say(frame | {"id": public.pop("public/subscribe")["id"]})
    assert only(outputs, NotGranted)[0].channels == ("book.NO-SUCH.100ms",)


def test_the_recorded_heartbeat_is_answered(recorded: Recorded, public: Dialogue) -> None:
    public.made_ready()
    public.say("\n".join(recorded("fastmm-engine/heartbeat_test_request.json")).encode())
    assert public.methods[-1] == "public/test"
