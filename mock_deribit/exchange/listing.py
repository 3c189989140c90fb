"""What is listed: instruments with the extras only the venue knows, and the calendar of dated futures."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from shared.instruments import BookState, Instrument, Payoff
from shared.kernel import Nanos
from shared.units import DAY, SECOND

PERPETUAL_EXPIRY = Nanos(32_503_708_800 * SECOND)
"""Deribit dates the end of a perpetual 3000-01-01 08:00 UTC."""

_BTC_PERPETUAL = Instrument(
    name="BTC-PERPETUAL",
    payoff=Payoff.INVERSE,
    base="BTC",
    settlement="BTC",
    index="btc_usd",
    perpetual=True,
    expiry=PERPETUAL_EXPIRY,
    tick=0.5,
    contract_size=10.0,
    amount_step=10.0,
    maker_fee=0.0,
    taker_fee=0.0,
)
_ETH_PERPETUAL = msgspec.structs.replace(
    _BTC_PERPETUAL,
    name="ETH-PERPETUAL",
    base="ETH",
    settlement="ETH",
    index="eth_usd",
    tick=0.05,
    contract_size=1.0,
    amount_step=1.0,
)
_BTC_USDC_PERPETUAL = msgspec.structs.replace(
    _BTC_PERPETUAL,
    name="BTC_USDC-PERPETUAL",
    payoff=Payoff.LINEAR,
    settlement="USDC",
    index="btc_usdc",
    tick=0.1,
    contract_size=0.0001,
    amount_step=0.0001,
)
MONTHLY_DELIVERY_FEE = 0.00025
_ETH_SLOPE = 0.000001

OPENING_PRICES = {"btc_usd": 86_000.0, "eth_usd": 3_000.0, "btc_usdc": 86_000.0}
PEGS = {"btc_usdc": "btc_usd"}
"""An index and the one it is pegged to (btc_usdc since 15 July 2025)."""


def leader(index: str) -> str:
    """The index that moves this one: the one it is pegged to, or itself."""
    return PEGS.get(index, index)


_QUARTER_MONTHS = (3, 6, 9, 12)
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument and what the venue decides about it.

    `price_band` (around the mark), `index_band`, `premium_clip`, `funding_damper`, `funding_cap` and the
    fees are fractions; margin of a position of s base coins is `(rate + margin_slope * s) * s`, its rates
    being the rules'.
    `settlement_period` is perpetual, week or month. `grid` is what every tick the instrument may ever get
    is a multiple of; `exempt_from_hold`: its aggressive orders never wait.
    """

    instrument: Instrument
    instrument_id: int
    settlement_period: str
    created: Nanos
    price_band: float = 0.015
    index_band: float = 0.075
    premium_clip: float = 0.02
    margin_slope: float = 0.00005
    max_leverage: int = 50
    funding_damper: float = 0.00025
    funding_cap: float = 0.005
    delivery_fee: float = 0.00025
    liquidation_fee: float = 0.01
    grid: float = 0.01
    exempt_from_hold: bool = False

    @property
    def name(self) -> str:
        """The instrument's name."""
        return self.instrument.name


def last_friday(year: int, month: int) -> datetime:
    """08:00 UTC on the last Friday of a month, when monthly and quarterly futures expire."""
    first_of_next = datetime(year + month // 12, month % 12 + 1, 1, 8, tzinfo=UTC)
    last_day = first_of_next - timedelta(days=1)
    return last_day - timedelta(days=(last_day.weekday() - 4) % 7)


def dated_name(base: str, expiry: datetime) -> str:
    """Deribit's name of a dated inverse future, e.g. BTC-25DEC26 or BTC-6AUG26."""
    return f"{base}-{expiry.day}{_MONTHS[expiry.month - 1]}{expiry.year % 100:02d}"


def expiries(now: Nanos) -> tuple[datetime, datetime, datetime]:
    """A nearer expiry and two quarterlies, ascending, none within two days of `now`.

    The nearer one is the next monthly that is no quarterly, or else the next weekly Friday.
    """
    earliest = _datetime(now) + timedelta(days=2)
    months = [
        (earliest.year + (earliest.month - 1 + k) // 12, (earliest.month - 1 + k) % 12 + 1)
        for k in range(12)
    ]
    ends = [last_friday(*month) for month in months]
    quarterlies = [e for e in ends if e.month in _QUARTER_MONTHS and e > earliest]
    front, second = quarterlies[0], quarterlies[1]
    monthlies = [e for e in ends if earliest < e < front]
    if monthlies:
        return monthlies[0], front, second
    weekly = earliest.replace(hour=8, minute=0, second=0, microsecond=0)
    weekly += timedelta(days=(4 - weekly.weekday()) % 7)
    if earliest < weekly < front:
        return weekly, front, second
    return front, second, quarterlies[2]


def btc_listings(
    now: Nanos, maker_fee: float = 0.00015, taker_fee: float = 0.00035
) -> tuple[Listing, ...]:
    """BTC-PERPETUAL and three dated BTC futures as listed at `now`, nearest first.

    Fees are fractions of notional; the defaults are the published standard row of September 2026.
    """
    return _inverse_family(now, _fees(_BTC_PERPETUAL, maker_fee, taker_fee), 2.5, 210838, 400001)


def venue_listings(
    now: Nanos, maker_fee: float = 0.00015, taker_fee: float = 0.00035
) -> tuple[Listing, ...]:
    """Everything the venue lists: BTC and ETH inverse perpetuals with three dated futures each, and
    BTC_USDC-PERPETUAL. Ticks and margins of ETH dated futures are ours, for want of a recording."""
    eth = _inverse_family(now, _fees(_ETH_PERPETUAL, maker_fee, taker_fee), 0.25, 210760, 400101)
    linear = Listing(
        instrument=_fees(_BTC_USDC_PERPETUAL, maker_fee, taker_fee),
        instrument_id=252087,
        settlement_period="perpetual",
        created=Nanos(now - 30 * DAY),
        funding_cap=0.05,
    )
    ether = [
        msgspec.structs.replace(listing, funding_cap=0.01, margin_slope=_ETH_SLOPE)
        for listing in eth
    ]
    return (*btc_listings(now, maker_fee, taker_fee), *ether, linear)


def successors(now: Nanos, listings: Sequence[Listing]) -> tuple[Listing, ...]:
    """The dated futures that the calendar wants at `now` and that are not listed, in every family that
    has dated ones; each like the youngest of its family."""
    names = {listing.name for listing in listings}
    number = max((listing.instrument_id for listing in listings), default=0)
    wanted: list[Listing] = []
    families = {each.instrument.base: each for each in listings if not each.instrument.perpetual}
    for base, like in families.items():
        for expiry in expiries(now):
            name = dated_name(base, expiry)
            if name not in names:
                number += 1
                wanted.append(_dated(now, like, name, expiry, number))
    return tuple(wanted)


def opening_prices(
    listings: Sequence[Listing], given: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
    """Where every index of these listings opens, and which indices follow which.

    An index that is not given follows the one it is pegged to, or else stands at a price of ours.
    Raises KeyError for an index of which nothing is known.
    """
    prices = dict(given)
    followers: dict[str, tuple[str, ...]] = {}
    for index in dict.fromkeys(listing.instrument.index for listing in listings):
        if index in prices:
            continue
        led_by = leader(index)
        if led_by in given:
            prices[index] = given[led_by]
            followers[led_by] = (*followers.get(led_by, ()), index)
        elif index in OPENING_PRICES:
            prices[index] = OPENING_PRICES[index]
        else:
            raise KeyError(f"no price for index {index!r}; given: {', '.join(given) or 'none'}")
    return prices, followers


def _inverse_family(
    now: Nanos, perpetual: Instrument, dated_tick: float, perpetual_id: int, first_id: int
) -> tuple[Listing, ...]:
    """A perpetual and its three dated futures."""
    created = Nanos(now - 30 * DAY)
    listings = [
        Listing(
            instrument=perpetual,
            instrument_id=perpetual_id,
            settlement_period="perpetual",
            created=created,
            exempt_from_hold=True,
        )
    ]
    like = Listing(
        instrument=msgspec.structs.replace(perpetual, perpetual=False, tick=dated_tick),
        instrument_id=first_id,
        created=created,
        settlement_period="month",
        premium_clip=0.2,
    )
    for offset, expiry in enumerate(expiries(now)):
        name = dated_name(perpetual.base, expiry)
        listings.append(_dated(created, like, name, expiry, first_id + offset))
    return tuple(listings)


def _dated(created: Nanos, like: Listing, name: str, expiry: datetime, number: int) -> Listing:
    """A dated future like another, with another expiry."""
    monthly = expiry == last_friday(expiry.year, expiry.month)
    expires = Nanos(int(expiry.timestamp()) * SECOND)
    instrument = msgspec.structs.replace(
        like.instrument, name=name, expiry=expires, state=BookState.OPEN
    )
    return msgspec.structs.replace(
        like,
        instrument=instrument,
        instrument_id=number,
        created=created,
        settlement_period="month" if monthly else "week",
        delivery_fee=MONTHLY_DELIVERY_FEE if monthly else 0.0,
    )


def _fees(instrument: Instrument, maker: float, taker: float) -> Instrument:
    return msgspec.structs.replace(instrument, maker_fee=maker, taker_fee=taker)


def _datetime(now: Nanos) -> datetime:
    return datetime.fromtimestamp(now // SECOND, tz=UTC)
