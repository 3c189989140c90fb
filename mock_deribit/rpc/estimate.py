"""Owns the estimate of what an index's nearest expiry will settle at."""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.exchange.listing import Listing
from shared.instruments import BookState

_ENDED = (BookState.DELIVERED, BookState.ARCHIVIZED)


def nearest(exchange: Exchange, index: str) -> Listing | None:
    """What expires next on an index; a perpetual where nothing else is listed, None where nothing is."""
    listed = [
        listing
        for listing in exchange.listings
        if listing.instrument.index == index and listing.instrument.state not in _ENDED
    ]
    return min(listed, key=lambda listing: listing.instrument.expiry, default=None)


def delivery_price(exchange: Exchange, index: str) -> float:
    """The index, or in the last half hour before an expiry its average so far."""
    listing = nearest(exchange, index)
    if listing is None:
        return exchange.index_price(index)
    return exchange.ticker(listing.name).estimated_delivery_price
