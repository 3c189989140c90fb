"""The view: a bounded projection of the bus, and the documents made of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import reports
from services.gateway.view import ANOMALIES_KEPT, FILLS_KEPT, ORDERS_KEPT, Gateway
from shared.kernel import Nanos, Restored, Started, Store, Wake
from shared.messages import (
    Anomaly,
    Health,
    Lease,
    Mode,
    NoQuote,
    OrderState,
    ParamsApplied,
    ParamsChanged,
    Severity,
)
from shared.messages.codec import encode
from shared.params import Params, change_params
from shared.units import SECOND, Side
from tests.unit.gateway.plane import Plane, order, quote
from tests.unit.risk.scene import NOON, PERPETUAL, book, fill


def lease(ts: Nanos, granted: bool = True) -> Lease:
    return Lease(
        ts=ts,
        number=ts,
        mode=Mode.ACTIVE,
        granted=granted,
        reason="",
        until=Nanos(ts + 2 * SECOND),
        hard_limit=0.3,
    )


def test_an_order_is_shown_while_it_is_alive() -> None:
    view = Gateway(Params())

    view.handle(NOON, order())
    assert [each["label"] for each in reports.orders(view)["orders"]] == ["mm-1"]
    view.handle(NOON, order(state=OrderState.CANCELLED))
    assert reports.orders(view)["orders"] == []


def test_orders_of_an_oms_that_started_again_are_forgotten_unless_it_speaks_of_them() -> None:
    view = Gateway(Params())
    later = Nanos(NOON + SECOND)
    view.handle(NOON, order(label="gone"))
    view.handle(later, order(later, label="adopted"))
    for source in ("risk", "oms"):
        beat = Health(ts=later, source=source, ready=True, detail="", started=later, counters={})
        view.handle(later, beat)
        assert ("gone" in view.orders) == (source == "risk")

    assert list(view.orders) == ["adopted"]


def test_fills_come_newest_first_and_a_trade_told_twice_is_one() -> None:
    view = Gateway(Params())
    for name in ("a", "b", "a"):
        view.handle(NOON, fill(NOON, Side.BUY, 10.0, 60_000.0, trade_id=name))

    assert [each["trade_id"] for each in reports.fills(view, 10)["fills"]] == ["b", "a"]
    assert [each["trade_id"] for each in reports.fills(view, 1)["fills"]] == ["b"]


def test_everything_that_happens_is_kept_within_its_bound() -> None:
    view = Gateway(Params())
    for n in range(max(FILLS_KEPT, ORDERS_KEPT, ANOMALIES_KEPT) + 50):
        view.handle(NOON, fill(NOON, Side.BUY, 10.0, 60_000.0, trade_id=str(n)))
        view.handle(NOON, order(label=str(n)))
        oddity = Anomaly(
            ts=NOON, source="oms", kind="k", severity=Severity.INFO, detail=str(n), instrument=None
        )
        view.handle(NOON, oddity)

    assert len(view.fills) == FILLS_KEPT
    assert len(view.orders) == ORDERS_KEPT
    assert len(view.anomalies) == ANOMALIES_KEPT
    assert next(iter(view.fills)) == "50"


def test_quoting_needs_a_quote_an_order_and_a_lease_that_was_renewed() -> None:
    view = Gateway(Params())
    view.handle(NOON, quote())
    view.handle(NOON, order())
    assert not reports.is_quoting(view)

    view.handle(NOON, lease(NOON))
    assert reports.is_quoting(view)
    view.handle(Nanos(NOON + 2 * SECOND + 1), book(NOON))
    assert not reports.is_quoting(view), "nobody renewed the lease"

    view.handle(NOON, lease(NOON))
    no = NoQuote(ts=NOON, instrument=PERPETUAL, quote_id=2, reason="stale_book", detail="")
    view.handle(NOON, no)
    assert not reports.is_quoting(view)


def test_a_lease_that_ran_out_is_shown_as_not_granted() -> None:
    view = Gateway(Params())
    view.handle(NOON, lease(NOON))
    view.handle(Nanos(NOON + 3 * SECOND), book(NOON))

    shown = reports.status(view, "mock")["lease"]

    assert (shown["granted"], shown["reason"]) == (False, "not renewed in time")


def test_status_names_every_service_heard_or_not() -> None:
    view = Gateway(Params())
    beat = Health(ts=NOON, source="oms", ready=True, detail="ok", started=NOON, counters={"n": 1.0})
    view.handle(NOON, beat)
    view.handle(Nanos(NOON + SECOND), book(NOON))

    found = reports.status(view, "mock")["services"]

    assert list(found) == ["marketdata", "quoter", "oms", "risk", "gateway"]
    assert (found["oms"]["ready"], found["oms"]["age_ms"]) == (True, 1000)
    assert found["risk"] == {"ready": False, "detail": "not heard yet", "age_ms": None}


def test_rates_are_messages_a_second() -> None:
    view = Gateway(Params())
    view.handle(NOON, Started(incarnation=1))
    for second in range(5):
        view.handle(Nanos(NOON + second * SECOND), Wake(timer="second"))
        for _ in range(7):
            view.handle(Nanos(NOON + second * SECOND), book(NOON))

    assert view.rates_per_s() == {"Book": 7.0}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_a_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    values.sort()

    found = reports.quantile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) <= share * len(values)


def test_latency_is_taken_from_first_sends_only() -> None:
    view = Gateway(Params())
    for n in range(100):
        view.handle(NOON, order(label=str(n), tick_to_order_us=float(n + 1)))
        view.handle(NOON, order(label=str(n)))

    assert reports.latency(view) == {"orders": 100, "p50": 50.0, "p99": 99.0, "p99_9": 100.0}


def changed(version: int, **changes: object) -> ParamsChanged:
    wanted = change_params(Params(), changes)
    return ParamsChanged(ts=NOON, version=version, by="ana", params=wanted.model_dump())


def test_stored_params_are_the_ones_in_force() -> None:
    view = Gateway(Params())
    stored = changed(4, **{"quoter.gamma": 0.03})

    view.handle(NOON, Restored(key="params", value=encode(stored).decode()))

    assert (view.params.version, view.params.by) == (4, "ana")
    assert view.params.params.quoter.gamma == 0.03


def test_an_older_set_told_again_by_history_changes_nothing() -> None:
    view = Gateway(Params())
    view.handle(NOON, changed(4, **{"quoter.gamma": 0.03}))
    view.handle(NOON, changed(3, **{"quoter.gamma": 0.05}))

    assert view.params.version == 4


@pytest.mark.parametrize(
    "stored", ["{broken", encode(changed(1)).decode().replace("gamma", "gama")]
)
def test_stored_params_that_cannot_be_used_are_named(stored: str) -> None:
    view = Gateway(Params())

    view.handle(NOON, Restored(key="params", value=stored))

    assert view.params.version == 0
    assert "unusable" in reports.params(view)["by"]


def test_confirmations_tell_yes_no_and_silence_apart() -> None:
    view = Gateway(Params())
    for source, version, applied in (("oms", 2, True), ("risk", 2, False), ("quoter", 1, True)):
        said = ParamsApplied(
            ts=NOON, source=source, version=version, reason="" if applied else "why"
        )
        view.handle(NOON, said)

    assert reports.confirmations(view, 2) == {
        "confirmed": ["oms"],
        "refused": {"risk": "why"},
        "missing": ["marketdata", "quoter"],
    }


def test_times_are_utc_for_people() -> None:
    assert reports.iso(Nanos(1_700_000_000_123_000_000)) == "2023-11-14T22:13:20.123Z"
    assert reports.iso(0) is None


async def test_the_status_of_a_living_system_is_whole() -> None:
    plane = Plane().start()
    plane.tell(quote(plane.now()))
    plane.tell(order(plane.now()))
    plane.tell(book(plane.now()))

    answer = await plane.get("/status")

    assert answer.status_code == 200
    status = answer.json()
    assert (status["env"], status["mode"], status["quoting"]) == ("mock", "active", True)
    assert status["links"] == {"bus": True, "state": True}
    (shown,) = status["instruments"]
    assert shown["instrument"] == PERPETUAL
    assert shown["own_bids"] == [59_990.0]
    assert shown["best_bid"] == 59_999.5


def test_the_set_in_force_is_kept_for_a_state_store_that_comes_back_empty() -> None:
    view = Gateway(Params())

    def said(version: int) -> ParamsChanged:
        wanted = change_params(Params(), {"quoter.gamma": version / 100})
        return ParamsChanged(ts=NOON, version=version, by="ana", params=wanted.model_dump())

    (stored,) = view.handle(NOON, said(3))

    assert isinstance(stored, Store)
    restored = Gateway(Params())
    restored.handle(NOON, Restored(key=stored.key, value=stored.value))
    assert (restored.params.version, restored.params.params.quoter.gamma) == (3, 0.03)
    assert not view.handle(NOON, said(2))
