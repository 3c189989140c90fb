"""Owns which market trades on the mock, by its settings."""

import gzip
from itertools import chain
from pathlib import Path

import msgspec

from mock_deribit.market.levels import QueueModel
from mock_deribit.market.market import Market
from mock_deribit.market.recorded import RecordedMarket
from mock_deribit.market.recorded_book import RecordedBook
from mock_deribit.market.regime import Regime, regime_of
from mock_deribit.market.several import SeveralMarkets
from mock_deribit.market.simulated import SimulatedMarket
from mock_deribit.market.still import StillMarket
from mock_deribit.settings import MockSettings
from shared.recordings.books import is_frames, read_book
from shared.recordings.tape import read_recording


def market_of(settings: MockSettings) -> Market:
    """A market for everything that is listed: simulated, still, or one that plays the tape of BTC.

    Raises OSError for a tape that cannot be opened, ValueError for one that cannot be understood.
    """
    if settings.listed == "btc":
        return _bitcoin(settings)
    return SeveralMarkets([_bitcoin(settings), _ether(settings)])


def _bitcoin(settings: MockSettings) -> Market:
    if settings.market == "simulated":
        return SimulatedMarket(str(settings.seed), settings.price, _regime(settings))
    if settings.market == "still":
        return StillMarket(settings.price)
    return _recorded(settings)


def _recorded(settings: MockSettings) -> Market:
    """A tape of trades or a stream of a book, by what the file begins with."""
    seed, regime = str(settings.seed), _regime(settings)
    speed, queue = settings.speed, QueueModel(settings.queue)
    path = Path(settings.tape)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        first = file.readline()
        lines = chain([first], file)
        if is_frames(first):
            return RecordedBook(read_book(lines), seed, regime, speed=speed, queue=queue)
        tape = read_recording(line.decode() for line in lines)
    return RecordedMarket(tape, seed, regime, speed=speed, queue=queue)


def _ether(settings: MockSettings) -> Market:
    if settings.market == "still":
        return StillMarket(settings.eth_price, "eth_usd")
    seed, price = f"{settings.seed}|eth", settings.eth_price
    return SimulatedMarket(seed, price, _regime(settings), "eth_usd")


def _regime(settings: MockSettings) -> Regime:
    dials = {name: value for name, value in settings.dials().items() if value is not None}
    return msgspec.structs.replace(regime_of(settings.regime), **dials)
