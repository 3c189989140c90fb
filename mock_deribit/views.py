"""Owns what an operator or an auditor sees of the exchange: plain data, ready to be written as JSON."""

from mock_deribit.exchange.engine import Exchange
from mock_deribit.market.market import Market
from mock_deribit.rpc import wire
from mock_deribit.rpc.session import Session
from mock_deribit.rpc.venue import Venue
from mock_deribit.sockets import Sockets, account_of
from shared.kernel import Nanos

View = dict[str, object]


def ledger(now: Nanos, exchange: Exchange, market: Market, venue: Venue) -> View:
    """What an auditor compares a client's books with, account by account."""
    coins = dict.fromkeys(listing.instrument.settlement for listing in exchange.listings)
    return {
        "ts": now,
        "market_ended": market.ended,
        "connections": len(venue.sessions),
        "fees_paid": {coin: exchange.fees_paid(coin) for coin in coins},
        "accounts": {
            name: {
                "portfolios": {coin: exchange.portfolio(name, coin) for coin in coins},
                "positions": exchange.positions(name),
                "open_orders": exchange.open_orders(name),
                "trades": exchange.user_trades(name),
            }
            for name in venue.user_ids
        },
    }


def state(now: Nanos, exchange: Exchange, market: Market, venue: Venue) -> View:
    """The exchange at a glance."""
    return {
        "now": now,
        "market_ended": market.ended,
        "maintenance": venue.maintenance,
        "connections": len(venue.sessions),
        "accounts": list(venue.user_ids),
        "indices": {
            index: {"price": exchange.index_price(index), "locked": exchange.is_locked(index)}
            for index in dict.fromkeys(each.instrument.index for each in exchange.listings)
        },
        "books": {listing.name: _book(exchange, listing.name) for listing in exchange.listings},
    }


def _book(exchange: Exchange, name: str) -> View:
    ticker = exchange.ticker(name)
    return {
        "state": ticker.state,
        "best_bid": ticker.best_bid_price,
        "best_ask": ticker.best_ask_price,
        "mark": ticker.mark_price,
        "index": ticker.index_price,
    }


def connections(now: Nanos, venue: Venue, sockets: Sockets) -> list[View]:
    """Every open WebSocket."""
    return [_connection(now, session, sockets) for session in venue.sessions.values()]


def _connection(now: Nanos, session: Session, sockets: Sockets) -> View:
    return {
        "conn": session.conn,
        "peer": session.peer,
        "account": account_of(session) or None,
        "scope": session.grant.scope if session.grant is not None else None,
        "channels": list(session.channels),
        "heartbeat": session.heartbeat is not None,
        "cancel_on_disconnect": session.cancel_on_disconnect,
        "open_orders": list(session.orders),
        "heard_ms_ago": (now - session.heard) // 1_000_000,
        "half_open": sockets.half_open(session.conn),
    }


def listings(exchange: Exchange) -> list[View]:
    """Every instrument, as `public/get_instrument` shows it."""
    return [wire.instrument(listing) for listing in exchange.listings]
