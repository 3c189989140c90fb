"""Positions that differ from the exchange's and stay so: nothing rests until somebody has looked."""

import pytest

from mock_deribit.core import MockDeribit
from mock_deribit.exchange.listing import btc_listings
from mock_deribit.market.still import StillMarket
from shared.kernel import Nanos
from shared.messages import Anomaly, Health, Resume, Severity
from shared.units import SECOND, Side
from tests.support.exchange import settings_for_tests
from tests.unit.oms.line import PERPETUAL
from tests.unit.oms.rig import Rig


def quoting() -> Rig:
    """A rig with both sides of a quote resting."""
    rig = Rig().live()
    rig.quote(valid_s=600.0)
    rig.until(lambda: len(rig.book()) == 2)
    return rig


def reborn(rig: Rig) -> None:
    """The exchange dies and comes back with an empty account."""
    settings = settings_for_tests(matching_rate=1000.0, matching_burst=1000.0)
    rig.market = StillMarket()
    exchange = MockDeribit(rig.now, settings, btc_listings(rig.now), rig.market)
    rig.cut("the exchange died")
    rig.exchange = exchange


def disputed() -> Rig:
    """A rig that holds 300 USD of which the exchange, set up anew, knows nothing."""
    rig = quoting()
    rig.sweep(Side.SELL, 59_990.0, 200_300.0)
    rig.until(lambda: rig.position().amount == 300.0)
    reborn(rig)
    rig.until(lambda: "position_mismatch" in rig.anomalies(), 5.0)
    return rig


def resume(rig: Rig, *, confirm: bool, ts: Nanos | None = None) -> None:
    """An operator's word."""
    said = rig.now if ts is None else ts
    rig.tell(Resume(ts=said, command_id="r", by="ann", confirm=confirm))


def test_a_flat_account_on_an_exchange_that_was_set_up_anew_is_quoted_again() -> None:
    rig = quoting()
    reborn(rig)
    rig.until(lambda: len(rig.book()) == 2, 5.0)
    assert "position_mismatch" not in rig.anomalies()


def test_a_position_the_exchange_does_not_know_is_critical_and_says_what_to_do() -> None:
    rig = disputed()
    (told,) = [said for said in rig.of(Anomaly) if said.kind == "position_mismatch"]
    assert told.severity is Severity.CRITICAL
    assert f"{PERPETUAL}: here 300.0, exchange 0" in told.detail
    assert "resume with confirm: true" in told.detail


def test_nothing_rests_on_a_position_that_is_in_dispute() -> None:
    rig = disputed()
    for _ in range(100):
        rig.pass_time(0.2)
        assert rig.book() == []
    assert rig.of(Health)[-1].detail == "position_mismatch"
    assert rig.of(Health)[-1].ready is False
    assert rig.position().amount == 300.0


def test_a_dispute_without_any_outage_pulls_what_rests_at_once() -> None:
    rig = quoting()
    rig.oms._inventory.ledger.adopt(PERPETUAL, 30.0, 60_000.0)
    rig.until(lambda: "position_mismatch" in rig.anomalies(), 10.0)
    rig.pass_time(0.05)
    assert rig.book() == []


def test_a_confirmed_resume_takes_over_the_exchanges_positions_and_quotes_again() -> None:
    rig = disputed()
    resume(rig, confirm=True)
    rig.until(lambda: len(rig.book()) == 2, 5.0)
    assert rig.position().amount == rig.real_position() == 0.0
    assert rig.anomalies()[-1] == "position_adopted"


def test_an_unconfirmed_resume_settles_nothing() -> None:
    rig = disputed()
    resume(rig, confirm=False)
    rig.pass_time(5.0)
    assert rig.book() == []
    assert rig.position().amount == 300.0


def test_a_confirmation_from_before_the_dispute_settles_nothing() -> None:
    rig = disputed()
    resume(rig, confirm=True, ts=Nanos(rig.now - 10 * SECOND))
    rig.pass_time(5.0)
    assert rig.position().amount == 300.0


def test_without_a_dispute_a_confirmed_resume_adopts_nothing() -> None:
    rig = quoting()
    resume(rig, confirm=True)
    rig.oms._inventory.ledger.adopt(PERPETUAL, 30.0, 60_000.0)
    rig.until(lambda: "position_mismatch" in rig.anomalies(), 10.0)
    assert rig.position().amount == pytest.approx(30.0)


def test_a_new_process_takes_over_the_exchanges_positions_as_well() -> None:
    rig = disputed()
    rig.crash()
    rig.start()
    rig.live()
    assert rig.position().amount == 0.0
    assert "position_adopted" in rig.anomalies()


def test_rounds_that_waited_for_orders_to_settle_do_not_use_up_the_dispute() -> None:
    rig = quoting()
    # A request whose outcome stays unknown for seconds keeps the first rounds from agreeing.
    rig.swallow(b"private/edit")
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.swallow(b"private/get_order_state_by_label")
    reborn(rig)
    rig.pass_time(2.0)
    rig.oms._inventory.ledger.adopt(PERPETUAL, 30.0, 60_000.0)
    rig.swallow(b"")
    rig.until(lambda: "position_mismatch" in rig.anomalies(), 20.0)
