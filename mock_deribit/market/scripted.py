"""A market that does what it is told, when it is told: a list of (time, act) for tests and stories."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.agenda import Agenda
from shared.kernel import Nanos

ScriptedAct = Callable[[Exchange, Nanos], None]


class ScriptedMarket:
    """Acts at times counted from its start. `index_prices` opens the exchange."""

    def __init__(
        self, index_prices: Mapping[str, float], script: Sequence[tuple[Nanos, ScriptedAct]]
    ) -> None:
        self._index_prices = index_prices
        self._script = script
        self._left = len(script)
        self._agenda = Agenda()

    @property
    def index_prices(self) -> Mapping[str, float]:
        """As given."""
        return self._index_prices

    @property
    def ended(self) -> str | None:
        """Says that every act is done."""
        return None if self._left else f"the script is over: {len(self._script)} acts done"

    def start(self, now: Nanos, exchange: Exchange) -> Nanos:
        """Take the stage: times count from `now`."""
        self._exchange = exchange
        for after, act in self._script:
            self._agenda.at(Nanos(now + after), partial(self._do, act))
        return self.wake(now)

    def wake(self, now: Nanos) -> Nanos:
        """Do what is due."""
        return self._agenda.run(now, self._exchange.now)

    def put_off(self, by: Nanos) -> Nanos:
        """Nobody does anything for so long."""
        return self._agenda.put_off(by)

    def _do(self, act: ScriptedAct, now: Nanos) -> None:
        self._left -= 1
        act(self._exchange, now)
