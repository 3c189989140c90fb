"""★ The pre-trade gate: the last thing before the wire.

Every command to the exchange passes here and comes out as `Approved`, which nothing else can make and
which is all that the session sends, or as `Denied` with its reason. The rules, each a function of the
command and the `Scene` alone:

1. A cancel always passes. Nothing may ever stand between an order and its end.
2. A quote rests only under permission: a granted lease that has not run out, not killed or paused, the book
   live, links up, positions reconciled. It is on the tick and the lot, inside the venue's price band
   (one-sided: a buy not above `max_price`, a sell not below `min_price`), and always post-only.
3. With every working and in-flight order of its side filled, |net delta| stays within the lease's hard limit.
   An edit counts with the larger of its two sizes, for either may meet a taker.
4. While REDUCING a quote must shrink |net delta|, even if every order on its side fills. Exactly: with net q
   and worst case w on the order's side, sign(order) = -sign(q) and |w| <= |q|, deltas at the mark.
5. A hedge is an immediate, reduce-only order against the instrument's own position, which moves net delta
   towards zero and never through it. It passes without a lease and in every mode; after a kill only if the
   kill said to flatten.

Why worst case and not expected: all bids of one side can be filled by one sweep before a single report of it
arrives, and no cancel is quicker than that.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from services.oms.commands import Cancel, Edit, Place, Take
from services.oms.exposure import Exposure
from services.oms.order import Order
from shared.instruments import BookState, Instrument
from shared.kernel import Nanos
from shared.messages import Mode, Purpose, Ticker
from shared.units import Side, is_multiple

_C = TypeVar("_C", Place, Edit, Take, Cancel)
_Judged = TypeVar("_Judged", Place, Edit, Take)

_SEAL = object()
# A hair of floating point, in BTC: a millionth of a satoshi.
_HAIR = 1e-14


class Approved(Generic[_C]):
    """A command that passed. Only this module can make one."""

    __slots__ = ("command",)

    def __init__(self, command: _C, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("only the gate approves; call gate.approve(command, scene)")
        self.command: _C = command


class Denied(msgspec.Struct, frozen=True):
    """A command that did not pass; `reason` is a stable word."""

    reason: str
    detail: str = ""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the rules look at, for one instrument at one moment.

    `refusal` is why nothing may rest here now (None: it may), `held` the instrument's signed position,
    `open_amount` the command's own order's worst-case amount that an edit replaces.
    """

    now: Nanos
    refusal: str | None
    mode: Mode
    killed: bool
    flatten: bool
    hard_limit: float
    spec: Instrument | None
    ticker: Ticker | None
    held: float
    exposure: Exposure
    open_amount: float = 0.0


def approve(command: _Judged, scene: Scene) -> Approved[_Judged] | Denied:
    """Judge one command; the first rule that it breaks is the reason."""
    denied = _judge(command, scene)
    return Approved(command, _SEAL) if denied is None else denied


def approve_cancel(command: Cancel) -> Approved[Cancel]:
    """A cancel always passes."""
    return Approved(command, _SEAL)


def _judge(command: Place | Edit | Take, scene: Scene) -> Denied | None:
    if isinstance(command, Take):
        return _hedge(command, scene)
    return _quote(command, scene)


def _quote(command: Place | Edit, scene: Scene) -> Denied | None:
    if scene.refusal is not None:
        return Denied(scene.refusal)
    return _listed(command, scene) or _band(command, scene) or _limits(command, scene)


def _hedge(command: Take, scene: Scene) -> Denied | None:
    if scene.killed and not scene.flatten:
        return Denied("killed", "the kill switch was thrown without flatten")
    if scene.now >= command.expires:
        return Denied("expired", f"{scene.now - command.expires} ns ago")
    return _listed(command, scene) or _band(command, scene) or _reduction(command, scene)


def _listed(command: Place | Edit | Take, scene: Scene) -> Denied | None:
    spec, ticker = scene.spec, scene.ticker
    if spec is None:
        return Denied("no_instrument", f"{command.instrument} is not listed")
    if ticker is None or scene.exposure.unvalued:
        missing = scene.exposure.unvalued or (command.instrument,)
        return Denied("no_mark", f"no ticker for {', '.join(missing)}")
    if ticker.state is not BookState.OPEN:
        return Denied("not_open", f"{command.instrument} is {ticker.state}")
    if command.price <= 0.0 or not spec.is_on_tick(command.price):
        return Denied("tick", f"{command.price} is not on {spec.tick_at(command.price)}")
    lots = is_multiple(command.amount, spec.amount_step)
    if command.amount < spec.amount_step or not lots:
        return Denied("lot", f"{command.amount} is no multiple of {spec.amount_step}")
    return None


def _band(command: Place | Edit | Take, scene: Scene) -> Denied | None:
    assert scene.ticker is not None
    if command.side is Side.BUY and command.price > scene.ticker.max_price:
        return Denied("band", f"buy at {command.price} above {scene.ticker.max_price}")
    if command.side is Side.SELL and command.price < scene.ticker.min_price:
        return Denied("band", f"sell at {command.price} below {scene.ticker.min_price}")
    return None


def _limits(command: Place | Edit, scene: Scene) -> Denied | None:
    added = _delta(scene, max(0.0, command.amount - scene.open_amount))
    worst = scene.exposure.after(command.side, added)
    if abs(worst) > scene.hard_limit + _HAIR and worst * command.side.sign > 0.0:
        return Denied("hard_limit", f"{worst:.6f} BTC beyond {scene.hard_limit}")
    if scene.mode is Mode.REDUCING and not _shrinks(command.side, scene.exposure.net, worst):
        return Denied("reducing", f"net {scene.exposure.net:.6f} could become {worst:.6f} BTC")
    return None


def _reduction(command: Take, scene: Scene) -> Denied | None:
    if scene.held * command.side.sign >= 0.0 or command.amount > abs(scene.held):
        return Denied("reduce_only", f"{command.side} {command.amount} against {scene.held}")
    net = scene.exposure.net
    after = net + command.side.sign * _delta(scene, command.amount)
    if net * command.side.sign >= 0.0 or after * net < -_HAIR:
        return Denied("no_reduction", f"net {net:.6f} would become {after:.6f} BTC")
    return None


def _shrinks(side: Side, net: float, worst: float) -> bool:
    return net * side.sign < 0.0 and abs(worst) <= abs(net) + _HAIR


def _delta(scene: Scene, amount: float) -> float:
    assert scene.spec is not None
    assert scene.ticker is not None
    return scene.spec.delta(amount, scene.ticker.mark_price)


def offenders(orders: Iterable[Order], exposure: Exposure, mode: Mode, limit: float) -> list[Order]:
    """Resting quotes that would no longer be approved: a fill, the mark or the mode moved under them.

    All quotes of a side whose worst case lies beyond the limit or, while REDUCING, could add.
    """
    bad = {side: _offends(side, exposure, mode, limit) for side in Side}
    return [o for o in orders if o.alive and o.purpose is Purpose.QUOTE and bad[o.side]]


def _offends(side: Side, exposure: Exposure, mode: Mode, limit: float) -> bool:
    worst = exposure.after(side, 0.0)
    beyond = worst * side.sign > limit + _HAIR
    return beyond or (mode is Mode.REDUCING and not _shrinks(side, exposure.net, worst))
