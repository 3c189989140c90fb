"""The recorded market: the tape happens as recorded, and our orders are filled by the stated rule."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.events import Traded
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.exchange.messages import (
    OrderRequest,
    OrderView,
)
from mock_deribit.market.levels import cancels_ahead
from mock_deribit.market.market import NEVER
from mock_deribit.market.recorded import RecordedMarket
from mock_deribit.market.regime import Regime
from shared.kernel import Nanos
from shared.recordings.tape import COLUMNS, BadRecording, Recording, read_recording
from shared.units import MILLISECOND, SECOND, Side
from tests.support.floor import OPENING, PERPETUAL, accepted, play

HEADER = ",".join(COLUMNS)
TAPE = (
    Path(__file__).parents[5]
    / "shared/data/deribit/cyri113/BTC-PERPETUAL_trades_2026-08-17_part1.csv"
)
Row = tuple[int, str, float, int]


def tape(rows: Sequence[Row]) -> Recording:
    """(ms, side, price, USD) each."""
    lines = [HEADER] + [
        f"{n},{PERPETUAL},{1_786_000_000_000 + ms},{price},{usd},{side},60000.0,60000.0"
        for n, (ms, side, price, usd) in enumerate(rows, start=1)
    ]
    return read_recording(lines)


class Stage:
    """A recorded market with one account of ours, driven step by step."""

    def __init__(self, rows: Sequence[Row], *, activity: float = 1e-6) -> None:
        self.market = RecordedMarket(tape(rows), "stage", Regime(activity=activity))
        self.exchange = Exchange(OPENING, btc_listings(OPENING), self.market.index_prices, "stage")
        self.exchange.open_account("alice", {"BTC": 1.0})
        self.due = self.market.start(OPENING, self.exchange)

    def until(self, seconds: float) -> None:
        end = Nanos(OPENING + round(seconds * SECOND))
        while min(self.due, self.exchange.next_wake()) <= end:
            now = min(self.due, self.exchange.next_wake())
            self.exchange.advance(now)
            self.due = self.market.wake(now)
        self.exchange.advance(end)

    def index(self) -> float:
        """The index as the exchange publishes it."""
        return self.exchange.ticker(PERPETUAL).index_price

    def place(self, side: Side, amount: float, price: float) -> OrderView:
        request = OrderRequest(instrument=PERPETUAL, side=side, amount=amount, price=price)
        return accepted(self.exchange.place(self.exchange.now, "alice", request)).order

    def filled(self, order: OrderView) -> float:
        view = self.exchange.order("alice", order.order_id)
        assert isinstance(view, OrderView)
        return view.filled_amount

    def over(self) -> str:
        """Why the market has stopped; empty while it runs."""
        return self.market.ended or ""

    def ahead(self, side: Side, price: float) -> float:
        """The amount that stands before the first order of ours at a price."""
        total = 0.0
        for account, _, amount in self.exchange.queue(PERPETUAL, side, price):
            if account == "alice":
                return total
            total += amount
        raise AssertionError(f"no order of ours rests at {price}")


def test_a_better_priced_order_of_ours_fills_first_at_its_own_price() -> None:
    stage = Stage([(0, "buy", 60_000.5, 10), (1_000, "buy", 60_005.0, 500)])
    stage.until(2.5)
    mine = stage.place(Side.SELL, 200.0, 60_001.0)
    stage.until(4.0)
    assert stage.filled(mine) == 200.0
    trades = [t for t in stage.exchange.trades(PERPETUAL) if t.ts > OPENING + 2_500 * MILLISECOND]
    assert [(t.price, t.amount) for t in trades] == [(60_001.0, 200.0), (60_005.0, 300.0)]


@pytest.mark.parametrize(("beyond", "expected"), [(-10, 0.0), (0, 0.0), (70, 70.0), (500, 100.0)])
def test_at_the_printed_price_we_get_what_exceeds_the_queue_ahead(
    beyond: int, expected: float
) -> None:
    probe = Stage([(0, "buy", 60_000.5, 10), (1_000, "buy", 60_000.5, 10)])
    probe.until(2.5)
    probe.place(Side.SELL, 100.0, 60_000.5)
    ahead = probe.ahead(Side.SELL, 60_000.5)
    assert ahead > 0.0
    stage = Stage([(0, "buy", 60_000.5, 10), (1_000, "buy", 60_000.5, int(ahead) + beyond)])
    stage.until(2.5)
    mine = stage.place(Side.SELL, 100.0, 60_000.5)
    assert stage.ahead(Side.SELL, 60_000.5) == ahead
    stage.until(4.0)
    assert stage.filled(mine) == expected


def test_an_order_that_is_traded_through_is_filled_at_its_own_price() -> None:
    stage = Stage([(0, "buy", 60_000.5, 10), (1_000, "buy", 59_990.0, 10)])
    stage.until(2.5)
    mine = stage.place(Side.BUY, 300.0, 59_995.0)
    stage.until(4.0)
    assert stage.filled(mine) == 300.0
    assert stage.exchange.user_trades("alice")[0].trade.price == 59_995.0
    assert stage.exchange.trades(PERPETUAL)[-1].price == 59_990.0


def test_a_level_that_vanishes_without_trades_fills_nothing() -> None:
    stage = Stage([(0, "buy", 60_000.5, 10), (1_000, "sell", 60_020.0, 10)])
    stage.until(2.5)
    mine = stage.place(Side.BUY, 100.0, 59_999.0)
    stage.until(4.0)
    assert stage.filled(mine) == 0.0


@given(st.integers(0, 500), st.integers(0, 500), st.data())
def test_cancels_leave_mostly_from_behind_and_never_more_than_is_there(
    ahead: int, behind: int, data: st.DataObject
) -> None:
    lots = data.draw(st.integers(0, ahead + behind))
    draw = data.draw(st.floats(0.0, 1.0, exclude_max=True))
    taken = cancels_ahead(ahead, behind, lots, draw)
    assert 0 <= taken <= ahead
    assert 0 <= lots - taken <= behind
    if lots <= behind and ahead + behind:
        share = (ahead / (ahead + behind)) ** 3
        assert taken <= lots * share + 1.0


def test_more_than_is_displayed_cannot_be_cancelled() -> None:
    with pytest.raises(ValueError, match="cannot cancel 3 lots"):
        cancels_ahead(1, 1, 3, 0.0)


def test_the_queue_ahead_only_shrinks_between_prints() -> None:
    stage = Stage([(0, "buy", 60_000.5, 10), (60_000, "buy", 60_000.5, 10)], activity=5.0)
    stage.until(2.5)
    mine = stage.place(Side.SELL, 100.0, 60_000.5)
    last = first = stage.ahead(Side.SELL, 60_000.5)
    for tenth in range(26, 600):
        stage.until(tenth / 10.0)
        now = stage.ahead(Side.SELL, 60_000.5)
        assert now <= last
        last = now
    assert last < first
    assert stage.filled(mine) == 0.0


def test_the_tape_ends_cleanly_and_says_so() -> None:
    stage = Stage([(0, "buy", 60_000.5, 10), (1_000, "sell", 60_000.0, 10)], activity=1.0)
    stage.until(2.5)
    assert not stage.over()
    stage.until(10.0)
    assert "2 trades of BTC-PERPETUAL" in stage.over()
    assert stage.due == NEVER
    held = stage.exchange.book(PERPETUAL)
    stage.until(20.0)
    assert stage.exchange.book(PERPETUAL) == held
    assert held.bids[0][0] < held.asks[0][0]


def test_a_tape_can_be_played_faster_and_not_backwards() -> None:
    recording = tape([(0, "buy", 60_000.5, 10), (60_000, "sell", 60_000.0, 10)])
    market = RecordedMarket(recording, "fast", Regime(), speed=10.0)
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "fast")
    play(exchange, market, OPENING, 8.5)
    assert market.end == OPENING + 8 * SECOND
    assert market.ended is not None
    with pytest.raises(ValueError, match="speed must be above 0"):
        RecordedMarket(recording, "fast", Regime(), speed=0.0)


def test_a_tape_of_an_unlisted_instrument_is_refused() -> None:
    recording = read_recording([HEADER, "1,ETH-PERPETUAL,1786000000000,3000,10,buy,3000,3000"])
    market = RecordedMarket(recording, "x", Regime())
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "x")
    with pytest.raises(ValueError, match=r"ETH-PERPETUAL, which is not listed; listed: BTC-"):
        market.start(OPENING, exchange)


GOOD = "1,BTC-PERPETUAL,1786000000000,60000.5,10,buy,60000.1,60000.2"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (GOOD.replace("60000.5", "sixty"), "line 3, column price: expected a positive price"),
        (GOOD.replace("60000.5", "-1"), "line 3, column price: expected a positive price"),
        (GOOD.replace("60000.1", "nan"), "line 3, column index_price: expected a positive price"),
        (GOOD.replace(",10,", ",15,"), "column amount_usd: expected a positive multiple of 10"),
        (GOOD.replace("buy", "long"), "column direction: expected buy or sell, came 'long'"),
        (GOOD.replace("1786000000000", ""), "column timestamp_ms: expected milliseconds"),
        (GOOD.replace("PERPETUAL", "25DEC26"), "column instrument_name: expected BTC-PERPETUAL"),
        ("2,BTC-PERPETUAL", "column timestamp_ms: expected milliseconds since 1970, came ''"),
    ],
)
def test_a_malformed_row_is_named_by_line_column_and_expectation(row: str, said: str) -> None:
    with pytest.raises(BadRecording) as error:
        read_recording([HEADER, GOOD, row])
    assert said in str(error.value)


def test_a_tape_without_its_columns_or_rows_says_so() -> None:
    with pytest.raises(BadRecording, match="missing mark_price"):
        read_recording([HEADER.replace(",mark_price", ""), GOOD])
    with pytest.raises(BadRecording, match="came nothing"):
        read_recording([])
    with pytest.raises(BadRecording, match="no trades"):
        read_recording([HEADER])


def test_flaws_of_real_tapes_are_mended_and_counted() -> None:
    rows = [
        GOOD,
        GOOD,
        GOOD.replace("1,BTC", "3,BTC").replace("1786000000000", "1786000002000"),
        GOOD.replace("1,BTC", "2,BTC").replace("1786000000000", "1786000001000"),
        GOOD.replace("1,BTC", "4,BTC").replace("60000.5", "60000.84").replace("0000,6", "3000,6"),
    ]
    recording = read_recording([HEADER, *rows])
    assert (recording.duplicates, recording.out_of_order, recording.off_grid) == (1, 1, 1)
    assert [p.trade_id for p in recording.prints] == [1, 2, 3, 4]
    assert recording.prints[-1].price == 60_001.0
    assert recording.end - recording.start == 3 * SECOND


@pytest.mark.skipif(
    not TAPE.exists(), reason="the recorded production tape is not beside the project"
)
def test_five_minutes_of_production_tape_happen_exactly_as_recorded() -> None:
    with TAPE.open() as lines:
        recording = read_recording(lines)
    market = RecordedMarket(recording, "tape", Regime())
    exchange = Exchange(OPENING, btc_listings(OPENING), market.index_prices, "tape")
    events = play(exchange, market, OPENING, 302.0)
    told = [e for e in events if isinstance(e, Traded) and e.instrument == PERPETUAL]
    due = [p for p in recording.prints if p.ts - recording.start <= 300 * SECOND]
    assert len(told) == len(due) > 50
    for event, recorded in zip(told, due, strict=True):
        assert event.ts - OPENING - 2 * SECOND == recorded.ts - recording.start
        assert [t.price for t in event.trades] == [recorded.price] * len(event.trades)
        assert sum(t.amount for t in event.trades) == recorded.amount
        assert event.trades[0].side is recorded.side
        assert event.trades[0].index_price == recorded.index
    book = exchange.book(PERPETUAL)
    assert len(book.bids) > 50
    assert len(book.asks) > 50


def test_the_index_keeps_moving_a_little_between_prints() -> None:
    stage = Stage([(0, "buy", 60_000.5, 100), (60_000, "buy", 60_000.5, 100)])
    seen = []
    for second in range(3, 23):
        stage.until(second)
        seen.append(stage.index())
    assert len(set(seen)) > 15
    assert max(abs(index - 60_000.0) for index in seen) < 60_000.0 * 1e-4
