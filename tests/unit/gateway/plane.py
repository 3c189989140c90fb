"""A control plane without sockets: the real view and API, a real risk core, and a state store of a dict."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import httpx

from services.gateway.api import create_app
from services.gateway.commands import StateUnavailable
from services.gateway.view import Gateway
from shared.kernel import Event, LinkDown, LinkUp, Message, Nanos, Publish, Started
from shared.messages import Kill, OrderChanged, OrderState, Purpose, Quote, QuoteLevel, Swept
from shared.params import Params
from shared.units import SECOND, Side
from tests.unit.risk.scene import NOON, PERPETUAL, Scene

TOKEN = "the-right-token-of-this-test"


class Plane:
    """The gateway and risk on one bus. `said`: what the API published; `state`: what it wrote."""

    def __init__(self) -> None:
        self.view = Gateway(Params())
        self.scene = Scene()
        self.said: list[Message] = []
        self.state: dict[str, str] = {}
        self.order: list[str] = []
        self.state_fault = ""
        self.risk_hears = True
        self.sweeps = True
        """The exchange shows at once that nothing of ours rests."""
        self._carried = 0
        app = create_app(self.view, self, TOKEN, "mock")
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://gateway",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def start(self) -> "Plane":
        """Everything up, the lease granted, one quote at work."""
        self.tell(Started(incarnation=1))
        self.tell(LinkUp(link="bus"))
        self.tell(LinkUp(link="state"))
        self.scene.start().alive(perpetual=0.02)
        self.tell(self.scene.risk.picture.evidence.listed[PERPETUAL][0])
        self.carry()
        return self

    def tell(self, event: Event) -> None:
        """One event for the gateway's core, at the scene's time."""
        self.view.handle(self.scene.now, event)

    def carry(self) -> None:
        """What risk said since last time, to the gateway."""
        for effect in self.scene.effects[self._carried :]:
            if isinstance(effect, Publish):
                self.tell(effect.message)
        self._carried = len(self.scene.effects)

    def cut_bus(self) -> None:
        """The gateway loses the bus; risk hears nothing more of it."""
        self.tell(LinkDown(link="bus", reason="gone"))
        self.risk_hears = False

    def now(self) -> Nanos:
        """The scene's time."""
        return self.scene.now

    def publish(self, message: Message) -> None:
        """The bus, at once and in order."""
        self.order.append(type(message).__name__)
        self.said.append(message)
        self.tell(message)
        if self.risk_hears:
            self.scene.tell(message)
            self.carry()
            if isinstance(message, Kill) and self.sweeps:
                self.tell(swept(message))

    async def write(self, key: str, value: str) -> None:
        """The state store, or its fault."""
        if self.state_fault:
            raise StateUnavailable(self.state_fault)
        self.order.append(key)
        self.state[key] = value

    async def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Everything here happens at once or never."""
        return true()

    def one_at_a_time(self) -> AbstractAsyncContextManager[object]:
        """One test, one client."""
        return nullcontext()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """A request with the right token."""
        return await self.client.get(path, **options)

    async def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A command with the right token; no body when None."""
        return await self.client.request(method, path, json=body)


def swept(kill: Kill) -> Swept:
    """What the OMS says once the exchange lists nothing of ours."""
    return Swept(
        ts=kill.ts, command_id=kill.command_id, killed=kill.ts, way="socket", foreign_orders=0
    )


def order(ts: Nanos = NOON, label: str = "mm-1", **changes: Any) -> OrderChanged:
    """A resting bid of ours."""
    fields: dict[str, Any] = {
        "order_id": "1",
        "state": OrderState.OPEN,
        "side": Side.BUY,
        "price": 59_990.0,
        "amount": 600.0,
        "filled": 0.0,
        "purpose": Purpose.QUOTE,
        "layer": 0,
        "quote_id": 1,
        "reason": "",
        "venue_ts": ts,
    }
    fields |= {"instrument": PERPETUAL, "label": label}
    return OrderChanged(ts=ts, **(fields | changes))


def quote(ts: Nanos = NOON) -> Quote:
    """A wanted bid and its parts."""
    level = QuoteLevel(
        side=Side.BUY,
        layer=0,
        price=59_990.0,
        amount=600.0,
        parts=(("mid", 60_000.0), ("fee_floor", -10.0)),
    )
    return Quote(
        ts=ts,
        instrument=PERPETUAL,
        quote_id=1,
        levels=(level,),
        fair=60_000.0,
        reservation=60_000.0,
        half_spread=10.0,
        sigma=5.0,
        valid_until=Nanos(ts + 2 * SECOND),
        change_id=1,
        book_ts=ts,
        book_seen=ts,
        params_version=0,
    )
