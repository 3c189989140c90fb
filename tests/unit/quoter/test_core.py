"""The quoter as a core: when it thinks, what it repeats, how it takes parameters and fees."""

import math

import pytest

from services.quoter.core import Quoter
from shared.kernel import Halt, Nanos, Restored
from shared.messages import (
    Account,
    Anomaly,
    FeedState,
    Health,
    NoQuote,
    ParamsApplied,
    ParamsChanged,
    Quote,
)
from shared.messages.codec import encode
from shared.params import LEASE_GUARD_MS, Params
from shared.units import MILLISECOND
from tests.unit.quoter.scene import PERPETUAL, Scene, params_of, spec_of


def spoken(scene: Scene, since: int) -> list[Quote | NoQuote]:
    return [message for message in scene.said[since:] if isinstance(message, Quote | NoQuote)]


def test_every_price_of_a_quote_is_the_sum_of_its_parts() -> None:
    scene = Scene()
    scene.amounts[PERPETUAL] = 5_000.0
    for level in scene.warm().quote().levels:
        assert math.fsum(part for _, part in level.parts) == level.price
        assert level.parts[0] == ("mid", 85_000.25)


def test_a_quote_carries_the_frame_it_came_from_and_holds_for_a_lease_less_the_cancels_way() -> (
    None
):
    scene = Scene().warm()
    scene.mids[PERPETUAL] += 20.0
    book = scene.book(PERPETUAL)
    scene.tell(book)
    quote = scene.quote()
    assert (quote.change_id, quote.book_ts, quote.book_seen) == (
        book.change_id,
        book.ts,
        book.seen,
    )
    assert quote.valid_until == scene.now + (2_000 - LEASE_GUARD_MS) * MILLISECOND


def test_a_quiet_market_is_quoted_again_only_at_half_of_its_life() -> None:
    scene = Scene().warm()
    scene.pass_time(0.1)
    since = len(scene.said)
    scene.pass_time(4.0)
    renewed = spoken(scene, since)
    assert len(renewed) == 4
    assert {quote.reason for quote in renewed if isinstance(quote, NoQuote)} == set()


def test_a_quote_is_never_older_than_its_life_while_it_stands() -> None:
    for requote_s in (0.1, 1.0, 10.0):
        scene = Scene(params={"quoter.requote_s": requote_s})
        scene.warm()
        for _ in range(50):
            scene.pass_time(0.1)
            assert scene.quote().valid_until > scene.now


@pytest.mark.parametrize("lease_ms", [500, 700, 1_000, 2_000, 5_000, 10_000])
def test_a_quiet_quote_is_renewed_with_a_fifth_of_its_life_to_spare(lease_ms: int) -> None:
    scene = Scene(params={"risk.lease_ms": lease_ms, "risk.lease_renewal_ms": 100}).warm()
    word = (lease_ms - LEASE_GUARD_MS) * MILLISECOND
    for _ in range(400):
        scene.pass_time(0.01, step=Nanos(10 * MILLISECOND))
        assert scene.quote().valid_until - scene.now > word // 5
        assert scene.quote().valid_until - scene.now <= word


def test_a_move_below_the_trigger_waits_and_one_above_is_answered_at_once() -> None:
    scene = Scene().warm()
    trigger = 0.15 * scene.quote().half_spread
    mid, since = scene.mids[PERPETUAL], len(scene.said)
    scene.mids[PERPETUAL] = mid + trigger - 0.25
    assert scene.tell(scene.book(PERPETUAL)) == []
    scene.mids[PERPETUAL] = mid + trigger + 0.25
    scene.tell(scene.book(PERPETUAL))
    assert len(spoken(scene, since)) == 1


def test_a_fill_is_answered_at_once_in_every_instrument() -> None:
    scene = Scene((PERPETUAL, "BTC-26JUN26")).warm()
    since = len(scene.said)
    scene.tell(scene.position(PERPETUAL, amount=4_250.0))
    assert sorted(message.instrument for message in spoken(scene, since)) == [
        "BTC-26JUN26",
        PERPETUAL,
    ]


def test_a_withdrawn_lease_is_answered_at_once() -> None:
    scene = Scene().warm()
    scene.lease_changes = {"granted": False, "reason": "state down"}
    scene.tell(scene.lease())
    assert scene.refusal() == "lease"
    scene.lease_changes = {}
    scene.tell(scene.lease())
    scene.quote()


def test_a_broken_book_is_answered_at_once_and_forgotten() -> None:
    scene = Scene().warm()
    scene.status_changes = {"state": FeedState.GAP, "reason": "change id"}
    scene.tell(scene.status(PERPETUAL))
    assert scene.refusal() == "book"
    scene.status_changes = {}
    scene.tell(scene.status(PERPETUAL))
    assert scene.refusal() == "book"
    scene.tell(scene.book(PERPETUAL))
    scene.quote()


def test_a_refusal_is_repeated_every_second_and_at_once_with_another_reason() -> None:
    scene = Scene().warm()
    scene.status_changes = {"state": FeedState.GAP}
    scene.tell(scene.status(PERPETUAL))
    since = len(scene.said)
    scene.pass_time(3.0)
    assert len(spoken(scene, since)) == 3
    scene.lease_changes = {"granted": False}
    scene.tell(scene.lease())
    assert scene.refusal() == "lease"


def test_quote_ids_grow_and_never_repeat_across_starts() -> None:
    scene = Scene().warm()
    scene.pass_time(5.0)
    ids = [message.quote_id for message in spoken(scene, 0)]
    assert ids == sorted(set(ids))
    assert min(ids) >= 3_000_000


def changed(scene: Scene, params: Params, version: int) -> ParamsChanged:
    return ParamsChanged(ts=scene.now, version=version, by="op", params=params.model_dump())


def test_new_parameters_are_answered_and_used_at_once() -> None:
    scene = Scene().warm()
    wider = params_of({"quoter.half_spread_min_bps": 10.0})
    said = scene.tell(changed(scene, wider, 7))
    assert said[0] == ParamsApplied(ts=scene.now, source="quoter", version=7)
    assert scene.quote().params_version == 7
    assert scene.quote().half_spread > 84.9


def test_unusable_parameters_are_refused_whole_and_by_name() -> None:
    scene = Scene().warm()
    before = scene.quote().half_spread
    bad = params_of({}).model_dump() | {"quoter": {"gama": 0.1}}
    said = scene.tell(ParamsChanged(ts=scene.now, version=8, by="op", params=bad))
    assert isinstance(said[0], ParamsApplied)
    assert not said[0].applied
    assert "quoter.gama" in said[0].reason
    scene.pass_time(2.0)
    assert (scene.quote().half_spread, scene.quote().params_version) == (before, 0)


def test_stored_parameters_are_in_force_from_the_start() -> None:
    stored = encode(changed(Scene(), params_of({"quoter.half_spread_min_bps": 10.0}), 4)).decode()
    scene = Scene()
    assert scene.core.handle(scene.now, Restored(key="params", value=stored)) == []
    assert scene.core.handle(scene.now, Restored(key="params", value=None)) == []
    assert scene.warm().quote().params_version == 4


def test_stored_parameters_that_cannot_be_used_halt_instead_of_guessing() -> None:
    for text in ("{", '{"ts":1,"version":1,"by":"op","params":{"quoter":{"gamma":9}}}'):
        effects = Quoter(Params()).handle(Nanos(0), Restored(key="params", value=text))
        assert [type(effect) for effect in effects] == [Halt]


def account(scene: Scene, maker_fee: float | None) -> Account:
    return Account(
        ts=scene.now,
        currency="BTC",
        equity=0.9,
        balance=0.9,
        session_rpl=0.0,
        session_upl=0.0,
        initial_margin=0.0,
        maintenance_margin=0.0,
        available=0.9,
        delta_total=0.0,
        maker_fee=maker_fee,
    )


def fee_part(scene: Scene) -> float:
    return dict(scene.quote().levels[1].parts)["fee_floor"]


def test_the_fee_is_the_instruments_unless_the_account_has_its_own() -> None:
    scene = Scene()
    scene.specs[PERPETUAL] = spec_of(maker_fee=0.00015)
    scene.warm()
    assert round(fee_part(scene), 2) == 12.75
    scene.tell(account(scene, 0.0001))
    assert round(fee_part(scene), 2) == 8.5


def test_a_fee_that_changes_is_used_at_once_and_reported() -> None:
    scene = Scene()
    scene.specs[PERPETUAL] = spec_of(maker_fee=0.00015)
    scene.warm()
    scene.specs[PERPETUAL] = spec_of(maker_fee=0.0002)
    said = scene.tell(scene.listing(PERPETUAL))
    assert [message.kind for message in said if isinstance(message, Anomaly)] == ["fee_changed"]
    assert round(fee_part(scene), 2) == 17.0


def test_a_change_of_tick_moves_the_quotes_onto_the_new_grid() -> None:
    scene = Scene().warm()
    scene.specs[PERPETUAL] = spec_of(tick=5.0)
    scene.tell(scene.listing(PERPETUAL))
    assert [level.price % 5.0 for level in scene.quote().levels] == [0.0, 0.0]


def test_health_is_told_every_second_with_the_reasons() -> None:
    scene = Scene()
    scene.status_changes = {"state": FeedState.DOWN}
    scene.pass_time(3.05, step=Nanos(50 * MILLISECOND))
    healths = [message for message in scene.said if isinstance(message, Health)]
    assert len(healths) == 3
    assert "BTC-PERPETUAL: book" in healths[-1].detail


def test_the_same_events_give_the_same_bytes() -> None:
    def run() -> bytes:
        scene = Scene((PERPETUAL, "BTC-26JUN26")).warm()
        scene.mids[PERPETUAL] += 33.0
        scene.pass_time(2.0)
        return b"\n".join(encode(message) for message in scene.said)

    assert run() == run()
