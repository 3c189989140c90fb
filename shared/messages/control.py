"""What an operator commands through the gateway, and how services answer."""

from typing import Any

from shared.kernel import Message, Nanos


class Pause(Message, frozen=True, kw_only=True):
    """Pull quotes, of one instrument or (None) of all, and stay out until resumed."""

    command_id: str
    by: str
    instrument: str | None = None


class Resume(Message, frozen=True, kw_only=True):
    """Quote again. `confirm` must be true to leave KILLED, or to take over positions that differ."""

    command_id: str
    by: str
    instrument: str | None = None
    confirm: bool = False


class Kill(Message, frozen=True, kw_only=True):
    """Latch, cancel every order, rest nothing more; optionally flatten with reductions."""

    command_id: str
    by: str
    reason: str
    flatten: bool = False


class Swept(Message, frozen=True, kw_only=True):
    """After a kill: the exchange's own list of open orders holds none of ours."""

    command_id: str
    """The kill that it answers; empty when it was risk's, or from before a restart."""
    killed: Nanos
    """Since when the latch in force is set."""
    way: str
    """How the exchange was asked: `socket` or `http`."""
    foreign_orders: int
    """Orders of others on the account, which are left alone."""


class ParamsChanged(Message, frozen=True, kw_only=True):
    """A whole new set of parameters, already validated, to be applied between two evaluations."""

    version: int
    by: str
    params: dict[str, Any]


class ParamsApplied(Message, frozen=True, kw_only=True):
    """A service runs on this version now, or says in `reason` why it does not."""

    source: str
    version: int
    reason: str = ""

    @property
    def applied(self) -> bool:
        """Whether it does."""
        return not self.reason
