"""Market maker protection: set and read back before the first quote, and what its bite leads to."""

from typing import Any

import pytest

from shared.messages import OrderState, ParamsChanged
from shared.params import BadParams, Params, change_params
from shared.units import Side
from tests.unit.oms.line import LATENCY
from tests.unit.oms.rig import Rig

TIGHT = {"oms.mmp_delta_btc": 0.01, "oms.mmp_quantity_btc": 0.012}
SET, STATUS, RESET = (f"private/{verb}_mmp{noun}" for verb, noun in (
    ("set", "_config"), ("get", "_status"), ("reset", "")))  # fmt: skip


def bitten(**changes: Any) -> Rig:
    """A rig that quoted under a tight protection, and of which a whole side was taken."""
    rig = Rig(changes=TIGHT | changes).live()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    rig.pass_time(0.01)
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.until(lambda: rig.anomalies() == ["mmp_trigger"])
    return rig


def test_it_is_set_and_read_back_before_the_first_quote_and_every_quote_is_under_it() -> None:
    rig = Rig().live()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    methods = [frame["method"] for frame in rig.sent]
    assert methods.index(SET) < methods.index("private/buy")
    (config,) = rig.requests(SET)
    assert config["params"] == {
        "index_name": "btc_usd",
        "interval": 2,
        "frozen_time": 5,
        "quantity_limit": 0.4,
        "delta_limit": 0.25,
        "max_quote_quantity": 0.5,
    }
    assert all(frame["params"]["mmp"] for frame in rig.requests("private/buy", "private/sell"))


def test_a_bite_takes_every_quote_away_and_keeps_out_until_thawed_and_reconciled() -> None:
    rig = bitten()
    at = rig.now
    rig.until(lambda: not rig.book())
    reasons = [c.reason for c in rig.changes() if c.state is OrderState.CANCELLED]
    assert reasons == ["mmp_trigger"]
    sent = len(rig.requests("private/buy", "private/sell"))
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.pass_time(4.9)
    assert len(rig.requests("private/buy", "private/sell")) == sent
    rig.until(lambda: rig.prices() == [59_980.0, 60_020.0], 5.0)
    assert rig.now - at > 5_000_000_000
    assert rig.requests(RESET) == [], "the exchange ended it by itself"
    assert rig.position().amount == rig.real_position() == 1_000.0
    assert rig.halts == []


def test_a_freeze_without_an_end_is_ended_here_after_a_reconciliation() -> None:
    rig = bitten(**{"oms.mmp_frozen_s": 0})
    rig.until(lambda: rig.requests(RESET), 10.0)
    assert rig.position().reconciled > 0
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.until(lambda: rig.prices() == [59_980.0, 60_020.0], 5.0)


def test_a_freeze_that_was_not_heard_of_is_learned_from_the_refusal() -> None:
    rig = Rig(changes=TIGHT).live()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    rig.tamper = lambda frame: [] if b"user.mmp_trigger" in frame else [LATENCY]
    rig.others(Side.SELL, 59_990.0, 201_000.0)
    rig.pass_time(0.2)
    rig.tamper = lambda _: [LATENCY]
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.until(lambda: "mmp_trigger" in rig.anomalies(), 1.0)
    assert len(rig.requests(STATUS)) == 2
    sent = len(rig.sent)
    rig.pass_time(3.0)
    methods = [frame["method"] for frame in rig.sent[sent:]]
    assert not {"private/buy", "private/sell"} & set(methods)
    rig.pass_time(2.5)
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.until(lambda: rig.prices() == [59_980.0, 60_020.0], 8.0)


def test_a_freeze_outlives_the_process() -> None:
    rig = bitten()
    rig.crash()
    rig.start()
    rig.live()
    rig.quote(bid=59_980.0, ask=60_020.0)
    rig.pass_time(1.0)
    assert rig.book() == []
    rig.until(lambda: rig.prices() == [59_980.0, 60_020.0], 10.0)


@pytest.mark.parametrize("code", [13040, 10000])
def test_an_account_that_may_not_have_it_is_told_of_and_quotes_without(code: int) -> None:
    rig = Rig()
    rig.refuse(SET, code, times=50)
    rig.market_data()
    rig.lease(60.0)
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    assert "mmp_refused" in rig.anomalies()
    assert "mmp" not in rig.requests("private/buy")[0]["params"]


def test_a_configuration_that_is_answered_with_another_keeps_it_from_quoting() -> None:
    rig = Rig()
    rig.rewrite = lambda data: data.replace(b'"delta_limit":0.25', b'"delta_limit":0.2')
    rig.market_data()
    rig.lease(60.0)
    rig.quote()
    rig.pass_time(3.0)
    assert "mmp_refused" in rig.anomalies()
    assert rig.requests("private/buy") == []


def test_without_an_answer_it_is_asked_again_before_anything_is_quoted() -> None:
    rig = Rig()
    rig.swallow(SET.encode())
    rig.market_data()
    rig.lease(60.0)
    rig.quote()
    rig.pass_time(4.0)
    assert rig.requests("private/buy") == []
    rig.swallow(b"")
    rig.until(lambda: len(rig.book()) == 2, 5.0)


def test_it_is_set_again_on_every_socket_and_can_be_turned_off() -> None:
    rig = Rig().live()
    rig.cut()
    rig.until(lambda: len(rig.requests(SET)) == 2 and rig.oms._protection.is_on)
    params = change_params(rig.params, {"oms.mmp": "off"})
    rig.tell(ParamsChanged(ts=rig.now, version=2, by="test", params=params.model_dump()))
    rig.cut()
    rig.quote()
    rig.until(lambda: len(rig.book()) == 2)
    assert len(rig.requests(SET)) == 2
    assert "mmp" not in rig.requests("private/buy")[0]["params"]


def test_a_protection_that_cannot_bite_is_refused() -> None:
    with pytest.raises(BadParams, match=r"mmp_delta_btc .* must be below oms.mmp_quantity_btc"):
        change_params(Params(), {"oms.mmp_delta_btc": 0.5})
