"""Shared state: every key that survives all processes, what stands under it, and how it is read again.

Owns the names. A value is JSON text; a key that was never written is told as None.

    key         written by         read by                              holds
    params      gateway            marketdata quoter oms risk gateway   the last `ParamsChanged`
    kill_latch  risk oms gateway   oms risk                             `Latch`; empty when not killed
    mode        risk               risk                                 what an operator has paused
    inventory   oms                oms                                  positions and counted trades
    pnl_day     risk               risk                                 the exchange's day so far

Three write the latch, since a kill must be kept whoever of them is alive to hear it; for one kill they
write the same bytes.
"""

import msgspec

from shared.kernel import Nanos
from shared.messages import Kill, ParamsChanged
from shared.params import BadParams, Params, parse_params

PARAMS = "params"
KILL_LATCH = "kill_latch"
MODE = "mode"
INVENTORY = "inventory"
PNL_DAY = "pnl_day"
EVENTS = "events"
"""Not stored: told of the event stream where it cannot recall anything, with the reason."""


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing trades any more, since when and by whose word."""

    reason: str
    by: str
    ts: Nanos
    flatten: bool = False

    def joined(self, later: "Latch") -> "Latch":
        """The latch after another kill: the first word stands, and flattening can only be added."""
        return msgspec.structs.replace(self, flatten=self.flatten or later.flatten)


def latch_of(kill: Kill) -> Latch:
    """The latch that a kill sets."""
    return Latch(reason=kill.reason, by=kill.by, ts=kill.ts, flatten=kill.flatten)


def write_latch(latch: Latch | None) -> str:
    """The text to be stored; None takes the latch away."""
    return "" if latch is None else msgspec.json.encode(latch).decode()


def read_latch(stored: str | None) -> Latch | None:
    """A stored latch. Text that cannot be read counts as set: the careful reading."""
    if not stored:
        return None
    try:
        return msgspec.json.decode(stored, type=Latch)
    except msgspec.DecodeError as error:
        return Latch(reason=f"stored latch is unreadable: {error}", by="state", ts=Nanos(0))


class ParamsInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A set of parameters, and whose it is: version 0 is the configuration file's."""

    params: Params
    version: int = 0
    by: str = "configuration"
    ts: Nanos = Nanos(0)


def params_of(change: ParamsChanged) -> ParamsInForce:
    """The set that a change brings; raises `BadParams`."""
    return ParamsInForce(
        params=parse_params(change.params), version=change.version, by=change.by, ts=change.ts
    )


def read_params(stored: str) -> ParamsInForce:
    """The stored set; raises `BadParams`, also for text that is no set at all."""
    try:
        change = msgspec.json.decode(stored, type=ParamsChanged)
    except msgspec.DecodeError as error:
        raise BadParams(str(error)) from error
    return params_of(change)
