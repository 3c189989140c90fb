"""Every reason not to quote: each shut by itself, and the order among them."""

from typing import Any

import pytest

from services.quoter.gates import GATES
from shared.instruments import BookState
from shared.kernel import Nanos
from shared.messages import FeedState, Mode
from shared.units import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from tests.unit.quoter.scene import DATED, MIDNIGHT, PERPETUAL, Scene, spec_of


def test_with_everything_in_order_both_sides_are_quoted() -> None:
    assert [level.side.value for level in Scene().warm().quote().levels] == ["buy", "sell"]


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("lease", {"mode": Mode.PAUSED, "granted": False}, "mode"),
        ("lease", {"mode": Mode.KILLED, "granted": False}, "mode"),
        ("lease", {"paused": (PERPETUAL,)}, "mode"),
        ("lease", {"granted": False, "reason": "marketdata silent"}, "lease"),
        ("status", {"state": FeedState.GAP}, "book"),
        ("status", {"state": FeedState.CROSSED}, "book"),
        ("status", {"state": FeedState.CLOSED}, "book"),
        ("status", {"clock_offset_ms": -251.0}, "clock"),
        ("ticker", {"state": BookState.LOCKED}, "not_open"),
        ("ticker", {"index_price": 84_000.0}, "dislocated"),
        ("ticker", {"mark_price": 85_500.0}, "dislocated"),
    ],
)
def test_a_gate_shuts_and_opens_again(kind: str, changes: dict[str, Any], reason: str) -> None:
    scene = Scene().warm()
    scene.quote()
    setattr(scene, f"{kind}_changes", changes)
    scene.pass_time(1.0)
    assert scene.refusal() == reason
    setattr(scene, f"{kind}_changes", {})
    scene.pass_time(2.0)
    scene.quote()


def test_a_dated_future_may_stand_away_from_the_index_by_its_basis() -> None:
    scene = Scene(names=(DATED,))
    scene.mids[DATED] = 86_500.0
    scene.ticker_changes = {"index_price": 85_000.0}
    scene.warm()
    scene.quote(DATED)
    scene.ticker_changes = {"index_price": 85_000.0, "mark_price": 85_500.0}
    scene.pass_time(1.0)
    assert scene.refusal(DATED) == "dislocated"


def test_no_lease_heard_for_its_length_is_no_lease() -> None:
    scene = Scene().warm()
    scene.lease_changes = {"until": Nanos(scene.now + SECOND)}
    scene.pass_time(0.8)
    scene.quote()
    scene.pass_time(1.0)
    assert scene.refusal() == "lease"


def test_an_inventory_compared_too_long_ago_is_unknown() -> None:
    scene = Scene().warm()
    old = Nanos(scene.now - 16 * SECOND)
    scene.tell(scene.position(PERPETUAL, amount=10.0, reconciled=old))
    assert scene.refusal() == "position_unknown"


def test_an_instrument_whose_position_was_never_told_stops_all_of_them() -> None:
    scene = Scene().warm()
    scene.specs[DATED] = spec_of(DATED)
    scene.tell(scene.listing(DATED))
    scene.now = Nanos(scene.now + SECOND)
    scene.everybody_speaks()
    scene.mids[PERPETUAL] += 100.0
    scene.everybody_speaks()
    assert scene.refusal() == "position_unknown"


def test_an_inventory_in_an_instrument_without_a_mark_is_unknown() -> None:
    scene = Scene().warm()
    scene.mids[DATED] = 85_000.0
    scene.amounts[DATED] = 500.0
    scene.tell(scene.position(DATED))
    assert scene.refusal() == "position_unknown"


def test_an_instrument_that_is_no_longer_listed_is_left_alone() -> None:
    scene = Scene().warm()
    listed_last = scene.now
    while scene.now - listed_last <= 11 * SECOND:
        scene.now = Nanos(scene.now + SECOND)
        scene.tell(scene.lease())
        scene.tell(scene.position(PERPETUAL))
        scene.tell(scene.ticker(PERPETUAL))
        scene.tell(scene.status(PERPETUAL))
        scene.tell(scene.book(PERPETUAL))
        scene.mids[PERPETUAL] += 10.0
    assert scene.refusal() == "no_instrument"


def test_a_feed_that_says_nothing_for_three_seconds_is_stale() -> None:
    scene = Scene().warm()
    scene.status_changes = {"heard": scene.now}
    scene.pass_time(2.9)
    scene.quote()
    scene.pass_time(1.2)
    assert scene.refusal() == "stale_book"


def test_a_marketdata_that_hangs_is_stale_although_its_last_word_was_live() -> None:
    scene = Scene().warm()
    book, status = scene.book(PERPETUAL), scene.status(PERPETUAL)
    for _ in range(40):
        scene.now = Nanos(scene.now + 100 * MILLISECOND)
        for message in (scene.lease(), scene.position(PERPETUAL), scene.listing(PERPETUAL)):
            scene.tell(message)
    assert status.ts < scene.now
    scene.tell(book)
    scene.tell(scene.position(PERPETUAL, amount=10.0))
    assert scene.refusal() == "stale_book"


def test_a_ticker_older_than_five_seconds_is_stale() -> None:
    scene = Scene().warm()
    scene.ticker_changes = {"seen": Nanos(scene.now - 4 * SECOND)}
    scene.pass_time(0.5)
    scene.quote()
    scene.pass_time(1.6)
    assert scene.refusal() == "stale_ticker"


def test_the_volatility_needs_its_warm_up() -> None:
    scene = Scene(params={"quoter.warmup_s": 10.0})
    scene.pass_time(9.0)
    assert scene.refusal() == "warmup"
    scene.pass_time(2.5)
    scene.quote()


def test_half_a_minute_around_the_daily_settlement_nothing_is_quoted() -> None:
    scene = Scene(at=Nanos(MIDNIGHT + 8 * HOUR - 40 * SECOND)).warm()
    scene.quote()
    scene.pass_time(8.0)
    assert scene.refusal() == "settlement"
    scene.pass_time(60.0, step=SECOND)
    scene.quote()


def test_an_expiring_contract_is_left_an_hour_before_its_end() -> None:
    scene = Scene((DATED,))
    scene.specs[DATED] = spec_of(DATED, expiry=Nanos(scene.now + HOUR + 5 * SECOND))
    scene.amounts[DATED] = 1_000.0
    scene.warm()
    assert [level.side.value for level in scene.quote(DATED).levels] == ["sell"]
    scene.pass_time(3.0)
    assert scene.refusal(DATED) == "expiry"


def test_the_day_before_expiry_only_reductions_are_quoted() -> None:
    scene = Scene((DATED,))
    scene.specs[DATED] = spec_of(DATED, expiry=Nanos(scene.now + DAY - MINUTE))
    scene.amounts[DATED] = -500.0
    quote = scene.warm().quote(DATED)
    assert [(level.side.value, level.amount) for level in quote.levels] == [("buy", 500.0)]
    assert quote.withheld == (("sell", "expiry"),)


def test_beyond_the_volatility_ceiling_nothing_is_quoted() -> None:
    scene = Scene(params={"quoter.sigma_ceiling": 20.0})
    for _ in range(10):
        scene.pass_time(1.0, step=SECOND)
        scene.mids[PERPETUAL] += 30.0
    assert scene.refusal() == "sigma_ceiling"


def test_a_market_too_wide_gives_no_reference() -> None:
    scene = Scene().warm()
    scene.mids[PERPETUAL] = 85_000.0
    scene.tell(scene.book(PERPETUAL, spread=180.0))
    assert scene.refusal() == "no_reference"


def test_a_half_spread_beyond_the_greatest_is_refused_not_capped() -> None:
    scene = Scene(
        params={
            "quoter.half_spread_max_bps": 6.0,
            "quoter.half_spread_min_bps": 5.0,
            "quoter.adverse_selection_bps": 7.0,
        }
    )
    assert scene.warm().refusal() == "spread_too_wide"


def test_the_first_shut_gate_in_the_table_gives_the_reason() -> None:
    scene = Scene().warm()
    scene.ticker_changes = {"state": BookState.LOCKED, "index_price": 84_000.0}
    scene.status_changes = {"state": FeedState.GAP}
    scene.pass_time(1.0)
    assert scene.refusal() == "book"
    scene.status_changes = {}
    scene.pass_time(1.0)
    assert scene.refusal() == "not_open"
    names = [name for name, _ in GATES]
    assert names.index("mode") < names.index("lease") < names.index("book")
    assert len(set(names)) == len(names)
