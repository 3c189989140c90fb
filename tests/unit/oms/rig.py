"""The line and everybody who speaks on the bus: market data, risk, quoter, operator, and other traders."""

from typing import Any

import msgspec

from mock_deribit.exchange.messages import OrderRequest, TimeInForce
from mock_deribit.market.still import StillMarket
from shared.kernel import Nanos
from shared.messages import (
    Anomaly,
    FeedState,
    FeedStatus,
    Filled,
    Hedge,
    InstrumentListed,
    Kill,
    Lease,
    Mode,
    OrderChanged,
    Position,
    Quote,
    QuoteLevel,
    Ticker,
)
from shared.units import SECOND, Side, from_seconds
from tests.unit.oms.line import PERPETUAL, Line


class Rig(Line):
    """The OMS in company. Nobody speaks until `live`, or until the test does."""

    def __init__(
        self,
        state: dict[str, str] | None = None,
        market: StillMarket | None = None,
        changes: dict[str, Any] | None = None,
        limits: dict[str, object] | None = None,
    ) -> None:
        self.silent = False
        """Renew neither the lease nor anything else."""
        self.mode = Mode.ACTIVE
        self.hard_limit = 0.3
        self._quotes = 0
        super().__init__(state, market, changes, limits)

    # -- the bus ---------------------------------------------------------------------------------

    def live(self, lease_s: float = 2.0, again_s: float = 0.5) -> "Rig":
        """Everybody speaks and keeps speaking; the OMS is ready and reconciled."""
        self._speak(lease_s, again_s)
        self.until(
            lambda: (
                any(m.reconciled for m in self.of(Position))
                and self.oms._protection.is_on
                and not self.oms._permission.unprotected
            )
        )
        return self

    def _speak(self, lease_s: float, again_s: float) -> None:
        if not self.silent:
            self.market_data()
            self.lease(lease_s)
        self.at(from_seconds(again_s), lambda: self._speak(lease_s, again_s))

    def market_data(self) -> None:
        """Listing, ticker and a live feed of the perpetual."""
        spec = self.specs[PERPETUAL]
        self.tell(InstrumentListed(ts=self.now, instrument=PERPETUAL, spec=spec, role="perpetual"))
        self.ticker()
        self.feed(FeedState.LIVE)

    def ticker(self, mark: float = 60_000.0) -> None:
        """The mark, and a price band around it."""
        self.tell(
            Ticker(
                ts=self.now,
                instrument=PERPETUAL,
                seen=self.now,
                state=self.specs[PERPETUAL].state,
                mark_price=mark,
                index_price=mark,
                min_price=mark * 0.985,
                max_price=mark * 1.015,
            )
        )

    def feed(self, state: FeedState) -> None:
        """The book is to be believed, or not."""
        self.tell(
            FeedStatus(ts=self.now, instrument=PERPETUAL, state=state, reason="", heard=self.now)
        )

    def lease(self, seconds: float = 2.0, **changes: Any) -> None:
        """A lease from now on."""
        lease = Lease(
            ts=self.now,
            number=self.now,
            mode=self.mode,
            granted=self.mode in (Mode.ACTIVE, Mode.REDUCING),
            reason="",
            until=Nanos(self.now + from_seconds(seconds)),
            hard_limit=self.hard_limit,
        )
        self.tell(msgspec.structs.replace(lease, **changes))

    def quote(
        self,
        bid: float | None = 59_990.0,
        ask: float | None = 60_010.0,
        amount: float = 1_000.0,
        valid_s: float = 60.0,
        layers: int = 1,
        trigger: str = "book",
    ) -> None:
        """One level a side, or more of them a dollar apart; None leaves a side out."""
        self._quotes += 1
        wanted = [(Side.BUY, bid), (Side.SELL, ask)]
        self.tell(
            Quote(
                ts=self.now,
                instrument=PERPETUAL,
                quote_id=self._quotes,
                levels=tuple(
                    QuoteLevel(
                        side=side,
                        layer=layer,
                        price=price - side.sign * layer,
                        amount=amount,
                        parts=(),
                    )
                    for side, price in wanted
                    for layer in range(layers)
                    if price is not None
                ),
                fair=60_000.0,
                reservation=60_000.0,
                half_spread=10.0,
                sigma=2.0,
                valid_until=Nanos(self.now + from_seconds(valid_s)),
                change_id=1,
                book_ts=self.now,
                book_seen=Nanos(self.now - 150_000),
                params_version=0,
                trigger=trigger,
            )
        )

    def hedge(self, side: Side, amount: float, price: float, **changes: Any) -> None:
        """A hedge that expires in a second."""
        hedge = Hedge(
            ts=self.now,
            instrument=PERPETUAL,
            hedge_id=self.now,
            side=side,
            amount=amount,
            limit_price=price,
            reason="test",
            expires=Nanos(self.now + SECOND),
        )
        self.tell(msgspec.structs.replace(hedge, **changes))

    def kill(self, flatten: bool = False) -> None:
        """The operator's kill switch."""
        self.tell(Kill(ts=self.now, command_id="k", by="ann", reason="test", flatten=flatten))

    # -- the others ------------------------------------------------------------------------------

    def others(self, side: Side, price: float, amount: float) -> None:
        """Somebody else's limit order on the exchange."""
        self.market.trade(self.now, "crowd", PERPETUAL, side, price, amount)
        self._carry_in(self.exchange.wake(self.now))

    def sweep(self, side: Side, price: float, amount: float) -> None:
        """Somebody else takes at once what there is up to a price."""
        self.exchange._exchange.place(
            self.now,
            "crowd",
            OrderRequest(
                instrument=PERPETUAL,
                side=side,
                amount=amount,
                price=price,
                time_in_force=TimeInForce.IOC,
            ),
        )
        self._carry_in(self.exchange.wake(self.now))

    def account(self) -> dict[str, Any]:
        """The exchange's own record of our account."""
        accounts: Any = self.exchange.ledger(self.now)["accounts"]
        record: dict[str, Any] = accounts["maker"]
        return record

    def book(self) -> list[Any]:
        """Our open orders on the exchange."""
        return list(self.account()["open_orders"])

    def prices(self) -> list[float]:
        """Prices of our open orders on the exchange, ascending."""
        return sorted(order.price for order in self.book())

    def real_position(self, name: str = PERPETUAL) -> float:
        """What the exchange says we hold."""
        sizes = {p.instrument: p.size for p in self.account()["positions"]}
        return float(sizes.get(name, 0.0))

    # -- what was said ---------------------------------------------------------------------------

    def of(self, kind: type[Any]) -> list[Any]:
        """Messages of a kind, oldest first."""
        return [message for message in self.said if isinstance(message, kind)]

    def anomalies(self) -> list[str]:
        """Kinds of the anomalies so far."""
        return [message.kind for message in self.of(Anomaly)]

    def position(self, name: str = PERPETUAL) -> Position:
        """The last word on a position."""
        found: list[Position] = [p for p in self.of(Position) if p.instrument == name]
        return found[-1]

    def fills(self) -> list[Filled]:
        """Every fill that was told."""
        return self.of(Filled)

    def changes(self) -> list[OrderChanged]:
        """Every move of an order that was told."""
        return self.of(OrderChanged)

    def requests(self, *methods: str) -> list[dict[str, Any]]:
        """Frames sent with these methods."""
        return [frame for frame in self.sent if frame.get("method") in methods]
