"""Havoc: what chaos does to the running system, and what it looks at after each round.

Owns the acts (a part dies at once or hangs, the broker or the state store dies, hangs or forgets, the
exchange cuts sockets between request and answer), their lengths, and putting everything right again, as
whoever runs the services would. What it looks at is the exchange's own ledger: after every round each trade
there must have been heard once, positions must be equal, and the system must be quoting. While something is
down that orders depend on, none may rest beyond the lease; only a process that hangs with its socket open
is the exchange's to notice.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from itertools import cycle

import httpx
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from backtest.faults import PERPETUAL
from backtest.invariants import Auditor, ExchangeLedger, ledger_of
from console.cast import Cast
from console.servers import NatsServer, Server, ValkeyServer
from shared.params import Params
from shared.randomness import Stream
from shared.subjects import SERVICES

QUOTING_S = 45.0
HEARD_S = 20.0
GRACE_S = 1.5
POLL_S = 0.05
TRADE_S = 0.3
SWEEP_BPS = 0.5
CALM_S = 1.0
"""Of every round, so that the next one meets orders that rest and trades that come."""
PULLED_BY = ("oms", "risk", "marketdata", "quoter", "broker", "state")
"""Without any of these no order may rest."""


class Broken(Exception):
    """An invariant did not hold; says which, and what was seen."""


class Act(msgspec.Struct, frozen=True):
    """One thing that happens: to whom, what, after how long, and for how long, in seconds."""

    target: str
    what: str
    after_s: float
    for_s: float

    def __str__(self) -> str:
        return f"{self.target} {self.what} at {self.after_s:.2f} s for {self.for_s:.2f} s"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round was and how it ended."""

    number: int
    acts: tuple[Act, ...]
    gone_s: float | None
    """From the first act that forbids orders until none rested; None: it ended before, or none did."""
    back_s: float
    """From the end of the last act until quotes rested again."""
    trades: int


_TARGETS = (*SERVICES, "broker", "state", "exchange")
_WHATS = {
    "broker": ("killed", "hangs"),
    "state": ("killed", "hangs", "flushed"),
    "exchange": ("cut", "lose_answer", "close_sockets", "delay_frames", "lose_request"),
}


def acts_of(seed: str, number: int) -> tuple[Act, ...]:
    """The acts of one round: mostly one to three, in every eighth round everything at once."""
    stream = Stream(f"{seed}|chaos|{number}")
    if number % 8 == 7:
        targets: tuple[str, ...] = _TARGETS
    else:
        targets = tuple(dict.fromkeys(stream.choice(_TARGETS) for _ in range(1 + stream.below(3))))
    acts = []
    for target in targets:
        what = stream.choice(_WHATS.get(target, ("killed", "hangs")))
        acts.append(Act(target, what, stream.uniform(0.0, 0.5), stream.uniform(0.1, 5.0)))
    return tuple(acts)


class Havoc:
    """A running system, and what befalls it."""

    def __init__(
        self, cast: Cast, auditor: Auditor, params: Params, nats: NatsServer, redis: ValkeyServer
    ) -> None:
        self.ended: dict[str, int] = {}
        """Services that ended by themselves and were started again, by name."""
        self.last_words: dict[str, str] = {}
        """Of those, the end of the latest log."""
        self._cast = cast
        self._auditor = auditor
        self._lease_s = params.risk.lease_ms / 1e3
        self._servers: dict[str, Server] = {"broker": nats, "state": redis}
        self._redis_url = redis.url
        self._trading: asyncio.Task[None] | None = None
        self._http = httpx.AsyncClient(base_url=cast.exchange["control"], timeout=10.0)

    async def close(self) -> None:
        """Let go of the control port."""
        if self._trading is not None:
            self._trading.cancel()
            await asyncio.wait((self._trading,))
        await self._http.aclose()

    async def begin(self) -> None:
        """A market that moves little, so that nothing but us keeps quotes away, and somebody who trades
        through us several times a second, so that every act meets fills."""
        regime = {"fault": "set_regime", "regime": "BENIGN"}
        (await self._http.post("/faults", json=regime)).raise_for_status()
        await self._until(self._quotes, "the first quotes", QUOTING_S)
        self._trading = asyncio.create_task(self._trade())

    async def _trade(self) -> None:
        for side in cycle(("buy", "sell", "sell", "buy")):
            sweep = {"fault": "sweep", "instrument": PERPETUAL, "side": side, "bps": SWEEP_BPS}
            (await self._http.post("/faults", json=sweep)).raise_for_status()
            await asyncio.sleep(TRADE_S)

    async def ledger(self) -> ExchangeLedger:
        """The exchange's own record."""
        answer = await self._http.get("/ledger")
        return ledger_of(next(iter(answer.json()["accounts"].values())))

    async def round(self, number: int, acts: tuple[Act, ...]) -> Round:
        """Let the acts happen, put everything right, and look. Raises `Broken`."""
        watch = asyncio.create_task(self._watch(acts))
        try:
            async with asyncio.TaskGroup() as group:
                for act in acts:
                    group.create_task(self._act(act))
            gone_s = await watch
        finally:
            watch.cancel()
        await self._http.delete("/faults")
        back_s = await self._until(self._quotes, "quoting again", QUOTING_S)
        await asyncio.sleep(CALM_S)
        await self._compare()
        trades = len((await self.ledger()).trade_ids)
        return Round(number=number, acts=acts, gone_s=gone_s, back_s=back_s, trades=trades)

    async def finish(self) -> None:
        """Stop the OMS in good order and compare for the last time. Raises `Broken`."""
        await self._cast.services["oms"].stop()
        await self._compare()
        self._auditor.compare_with_exchange(await self.ledger())
        broken = [verdict for verdict in self._auditor.verdicts() if not verdict.held]
        if broken:
            raise Broken("; ".join(f"{v.rule}: {', '.join(v.broken)}" for v in broken))

    # -- acts ------------------------------------------------------------------------------------

    async def _act(self, act: Act) -> None:
        await asyncio.sleep(act.after_s)
        if act.target in SERVICES:
            await self._to_service(act)
        elif act.target == "exchange":
            await self._to_exchange(act)
        else:
            await self._to_server(act)

    async def _to_service(self, act: Act) -> None:
        process = self._cast.services[act.target].process
        if act.what == "hangs":
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(act.for_s)
            process.send_signal(signal.SIGCONT)
            return
        process.kill()
        await process.wait()
        await asyncio.sleep(act.for_s)
        await self._cast.start(act.target)

    async def _to_server(self, act: Act) -> None:
        server = self._servers[act.target]
        match act.what:
            case "killed":
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(act.for_s)
                await asyncio.to_thread(server.start)
            case "hangs":
                server.freeze()
                await asyncio.sleep(act.for_s)
                server.thaw()
            case _:
                await self._flush()

    async def _flush(self) -> None:
        client = Redis.from_url(self._redis_url)
        try:
            await client.flushall()
        except RedisError as error:
            raise Broken(f"the state store could not be flushed: {error}") from error
        finally:
            await client.aclose()

    async def _to_exchange(self, act: Act) -> None:
        fault: dict[str, object] = {"fault": act.what}
        if act.what in ("lose_answer", "lose_request"):
            fault |= {"method": "private/", "count": 2}
        if act.what == "delay_frames":
            fault |= {"milliseconds": 400.0, "jitter_ms": 200.0}
        (await self._http.post("/faults", json=fault)).raise_for_status()
        await asyncio.sleep(act.for_s)
        await self._http.delete("/faults")

    # -- what is looked at -----------------------------------------------------------------------

    async def _watch(self, acts: tuple[Act, ...]) -> float | None:
        """How long orders rested after the first act that forbids them, if it lasts beyond the lease.

        An OMS that hangs cannot pull anything, and what hangs is not known to be gone: then nothing is
        claimed here.
        """
        forbidding = [
            act
            for act in acts
            if act.target in PULLED_BY and act.what != "flushed" and act.for_s > self._bound_s
        ]
        if not forbidding or any(act.target == "oms" and act.what == "hangs" for act in acts):
            return None
        first = min(forbidding, key=lambda act: act.after_s)
        await asyncio.sleep(first.after_s)
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (await self.ledger()).open_labels:
            if loop.time() > began + self._bound_s:
                left = (await self.ledger()).open_labels
                raise Broken(f"orders rest {self._bound_s} s after {first}: {', '.join(left)}")
            await asyncio.sleep(POLL_S)
        return loop.time() - began

    @property
    def _bound_s(self) -> float:
        return self._lease_s + GRACE_S

    async def _quotes(self) -> bool:
        await self._supervise()
        return bool((await self.ledger()).open_labels)

    async def _supervise(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        for name, child in self._cast.services.items():
            if not child.running:
                self.ended[name] = self.ended.get(name, 0) + 1
                self.last_words[name] = f"code {child.process.returncode}: {child.last_words()}"
                await self._cast.start(name)

    async def _compare(self) -> None:
        """Trade by trade, then position by position, once everything has arrived."""
        await self._until(self._all_heard, "hearing of every trade", HEARD_S)
        heard = tuple(self._auditor.fills)
        known = (await self.ledger()).trade_ids
        invented = [trade for trade in heard if trade not in known]
        if invented:
            raise Broken(f"fills that the exchange does not know: {', '.join(invented)}")
        await self._until(self._positions_equal, "positions equal to the exchange's", HEARD_S)
        if self._auditor.first_broken is not None:
            raise Broken(": ".join(self._auditor.first_broken))

    async def _all_heard(self) -> bool:
        return all(trade in self._auditor.fills for trade in (await self.ledger()).trade_ids)

    async def _positions_equal(self) -> bool:
        theirs = (await self.ledger()).positions
        ours = {name: p.amount for name, p in self._auditor.positions.items()}
        return all(ours.get(name, 0.0) == theirs.get(name, 0.0) for name in ours | theirs)

    async def _until(
        self, question: Callable[[], Awaitable[bool]], what: str, deadline_s: float
    ) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not await question():
            if loop.time() > began + deadline_s:
                raise Broken(f"not within {deadline_s:g} s: {what}; {await self._missing()}")
            await asyncio.sleep(POLL_S)
        return loop.time() - began

    async def _missing(self) -> str:
        ledger = await self.ledger()
        unheard = [trade for trade in ledger.trade_ids if trade not in self._auditor.fills]
        lease = self._auditor.lease
        why = "no lease was heard" if lease is None else f"lease {lease.granted} {lease.reason}"
        words = [f"{name}: {health.detail}" for name, health in self._auditor.health.items()]
        return f"unheard trades {unheard}; {why}; {'; '.join(words)}"
