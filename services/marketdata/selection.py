"""Which instruments to follow: the inverse BTC perpetual and the nearest liquid dated futures."""

from collections.abc import Mapping

import msgspec

from shared.instruments import BookState, Instrument, Payoff
from shared.kernel import Nanos
from shared.params import MarketdataParams
from shared.units import HOUR

BASE = "BTC"
LIQUID_SHARE = 0.05
"""A future with less open interest than this share of the largest one's is not liquid."""

_GONE = (BookState.DELIVERED, BookState.INACTIVE, BookState.ARCHIVIZED)


class Chosen(msgspec.Struct, frozen=True):
    """An instrument to follow and its role: `perpetual`, `near` or `far`."""

    spec: Instrument
    role: str


def dated(listed: tuple[Instrument, ...], now: Nanos) -> tuple[Instrument, ...]:
    """Inverse BTC futures that still have a life before them, nearest expiry first."""
    alive = [
        spec
        for spec in listed
        if _is_ours(spec) and not spec.perpetual and spec.expiry > now and spec.state not in _GONE
    ]
    return tuple(sorted(alive, key=lambda spec: spec.expiry))


def choose(
    listed: tuple[Instrument, ...],
    open_interest: Mapping[str, float],
    kept: tuple[str, ...],
    now: Nanos,
    params: MarketdataParams,
    held: tuple[str, ...] = (),
) -> tuple[Chosen, ...]:
    """The perpetual first, then dated futures by expiry.

    `open_interest` in USD; a future whose open interest is not known counts as liquid. `kept` are
    followed already: they are preferred, and stay beyond the number asked for once they expire too
    soon to be chosen, so that what was bought in them can be watched and sold. What is `held` is followed
    to its end in any case: a position without a mark can be neither valued nor hedged.
    """
    futures = dated(listed, now)
    most = max((open_interest.get(spec.name, 0.0) for spec in futures), default=0.0)

    def preference(spec: Instrument) -> tuple[bool, bool]:
        illiquid = open_interest.get(spec.name, most) < LIQUID_SHARE * most
        return spec.name not in kept, illiquid

    eligible = [spec for spec in futures if spec.expiry - now >= params.expiry_min_h * HOUR]
    names = [spec.name for spec in sorted(eligible, key=preference)[: params.dated_futures]]
    names += [spec.name for spec in futures if spec.name in kept and spec not in eligible]
    names += held
    perpetual = [spec for spec in listed if _is_ours(spec) and spec.perpetual]
    followed = [spec for spec in futures if spec.name in names]
    roles = ("near", *["far"] * len(followed))
    return (
        *(Chosen(spec, "perpetual") for spec in perpetual[:1]),
        *(Chosen(spec, role) for spec, role in zip(followed, roles, strict=False)),
    )


def _is_ours(spec: Instrument) -> bool:
    return spec.payoff is Payoff.INVERSE and (spec.base, spec.settlement) == (BASE, BASE)
