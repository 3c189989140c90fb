"""The quoter over a real bus: quotes with their parts, refusals with their reasons, parameters live."""

import math
from pathlib import Path

import nats

from console.servers import NatsServer, ValkeyServer
from shared.messages import Mode, ParamsChanged
from shared.messages.codec import encode
from shared.params import change_params
from shared.subjects import subject_of
from tests.integration.marketdata.stage import order_fault
from tests.integration.quoter.stage import PARAMS, Stage, staged
from tests.support.exchange import Running
from tests.support.waiting import until

MIDDLE = 60_000.0


def quotes_all(stage: Stage) -> bool:
    return len(stage.quotes()) == 3


async def test_three_instruments_are_quoted_with_parts_that_add_up_after_the_wire(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as stage:
        await until(lambda: quotes_all(stage), "three quotes")
        for quote in stage.quotes().values():
            bid, ask = quote.levels
            assert bid.price < MIDDLE < ask.price
            assert quote.fair == MIDDLE
            for level in quote.levels:
                assert math.fsum(part for _, part in level.parts) == level.price
                assert level.amount == 1200.0  # 0.02 BTC at 60,000, lots of 10 USD
            assert quote.valid_until > quote.ts
            assert quote.book_seen <= quote.ts


async def test_every_withdrawal_is_a_refusal_with_its_reason_and_ends_when_its_cause_ends(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as stage:
        await until(lambda: quotes_all(stage), "three quotes")

        stage.lease |= {"granted": False, "reason": "marketdata is silent"}
        await until(lambda: set(stage.refusals().values()) == {"lease"}, "refused: lease")
        stage.lease |= {"mode": Mode.PAUSED, "reason": "operator"}
        await until(lambda: set(stage.refusals().values()) == {"mode"}, "refused: mode")
        stage.lease |= {"granted": True, "mode": Mode.ACTIVE, "reason": ""}
        await until(lambda: quotes_all(stage), "quoted again")

        perpetual = "BTC-PERPETUAL"
        stage.lease |= {"paused": (perpetual,)}
        await until(lambda: stage.refusals() == {perpetual: "mode"}, "one of them is paused")
        stage.lease |= {"paused": ()}
        await until(lambda: quotes_all(stage), "quoted again")

        stage.lease |= {"mode": Mode.REDUCING}
        await until(
            lambda: set(stage.refusals().values()) == {"reducing"},
            "nothing to reduce, nothing quoted",
        )


async def test_a_locked_and_a_lost_exchange_are_refused_within_the_lease(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as stage:
        await until(lambda: quotes_all(stage), "three quotes")
        await order_fault(exchange, fault="lock", index="btc_usd", locked=True)
        await until(lambda: set(stage.refusals().values()) == {"book"}, "locked", deadline_s=2.0)
        await order_fault(exchange, fault="lock", index="btc_usd", locked=False)
        await until(lambda: quotes_all(stage), "quoted again")
        stage.forget()
        await order_fault(exchange, fault="cut")
        await until(lambda: "book" in stage.reasons(), "cut off", deadline_s=2.0)
        await until(lambda: quotes_all(stage), "quoted again")


async def test_new_parameters_come_over_the_bus_and_are_quoted_with(
    nats_server: NatsServer, valkey_server: ValkeyServer, exchange: Running, tmp_path: Path
) -> None:
    async with staged(tmp_path, nats_server, valkey_server, exchange.address) as stage:
        await until(lambda: quotes_all(stage), "three quotes")
        wider = change_params(PARAMS, {"quoter.half_spread_min_bps": 10.0})
        now = stage.spoken()[-1].ts
        changed = ParamsChanged(ts=now, version=9, by="test", params=wider.model_dump())
        client = await nats.connect(nats_server.url)
        await client.publish(subject_of("mock", changed), encode(changed))
        await client.drain()
        await until(stage.applied, "an answer")
        assert (stage.applied()[0].version, stage.applied()[0].applied) == (9, True)
        await until(
            lambda: {quote.params_version for quote in stage.quotes().values()} == {9},
            "quotes by the new version",
        )
        for quote in stage.quotes().values():
            assert quote.half_spread >= 0.001 * quote.fair - 1e-6
