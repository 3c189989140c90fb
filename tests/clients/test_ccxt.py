"""ccxt, REST and WebSocket, unmodified but for the address, trades on the mock as on Deribit."""

import pytest

from tests.support.exchange import Json

SCRIPT = "with_ccxt.py"
PERP = "BTC/USD:BTC"

pytestmark = pytest.mark.timeout(600)


def test_it_reads_the_market(told: Json) -> None:
    public = told["public"]
    market = public["markets"][PERP]
    assert (market["type"], market["inverse"], market["contractSize"]) == ("swap", True, 10.0)
    assert market["precision"] == {"amount": 10.0, "price": 0.5}
    dated = [one for one in public["markets"].values() if one["type"] == "future"]
    assert {"BTC", "ETH"} <= {one["settle"] for one in dated}
    assert "BTC" in public["currencies"]
    assert public["status"]["status"] == "ok"
    for prices in (public["ticker"], public["tickers"][PERP]):
        assert (prices["bid"], prices["ask"]) == (59_999.5, 60_000.5)
    assert public["book"]["bids"][0] == [59_999.5, 10_000.0]
    assert public["ticker"]["markPrice"] == 60_000.0
    assert public["open interest"]["openInterestValue"] == 0.0
    assert public["funding rate"]["fundingRate"] == 0.0
    assert public["funding history"] == public["liquidations"] == []


def test_it_places_edits_and_cancels(told: Json) -> None:
    quote = told["quote"]
    order_id = quote["placed"]["id"]
    assert [quote[name]["status"] for name in ("placed", "edited", "cancelled")] == [
        "open",
        "open",
        "canceled",
    ]
    assert quote["placed"]["postOnly"] is True
    for seen in (quote["resting"], *quote["open"], *quote["open in BTC"]):
        assert (seen["id"], seen["price"], seen["amount"]) == (order_id, 58_990.0, 200.0)
    assert quote["open after all"] == []


def test_every_stream_speaks_and_tells_of_fills(told: Json) -> None:
    streams = told["streams"]
    assert streams["silent"] == []
    bought = {order["id"]: order for order in streams["bought"]}
    assert streams["book"]["bids"][0][:2] == [59_999.5, 10_000.0]
    assert streams["ticker"]["bid"] == streams["best"][PERP]["bid"] == 59_999.5
    assert streams["trades"][0]["price"] == 60_000.5
    assert streams["candles"][-1][1:5] == [60_000.5] * 4
    assert bought[streams["orders"][0]["id"]]["status"] == "closed"
    [fill] = bought[streams["fills"][0]["order"]]["trades"]
    assert streams["fills"][0]["id"] == fill["id"]
    assert streams["balance"]["BTC"]["total"]["BTC"] < 0.9


def test_it_reads_back_what_the_exchange_knows(told: Json) -> None:
    account, bought = told["account"], told["streams"]["bought"]
    books = told["ledger"]["accounts"]["maker"]
    size = sum(position["size"] for position in books["positions"])
    assert size == 10.0 * len(bought)
    for position in (account["position"], *account["positions"]):
        assert (position["side"], position["info"]["size"]) == ("long", size)
        assert position["entryPrice"] == 60_000.5
    for balance in (account["balance"], account["balance of BTC"]):
        assert balance["total"]["BTC"] == pytest.approx(
            books["portfolios"]["BTC"]["equity"], abs=1e-8
        )
    fills = {fill["id"]: fill for fill in account["fills"]}
    assert set(fills) <= {trade["trade"]["trade_id"] for trade in books["trades"]}
    [fill] = account["fills of one"]
    assert fill["order"] == bought[0]["id"]
    assert (fill["takerOrMaker"], fill["fee"]["currency"]) == ("taker", "BTC")
    assert {order["status"] for order in account["closed"]} == {"closed"}
    assert account["fees"][PERP]["taker"] == 0.00035
    assert account["accounts"][0]["type"] == "main"
    assert {fill["side"] for fill in account["public trades"]} == {"buy"}
    assert account["candles"][-1][1:5] == [60_000.5] * 4


def test_it_knows_the_exchanges_refusals(told: Json) -> None:
    assert told["refusals"] == {
        "far above": "InvalidOrder",
        "far too much": "InsufficientFunds",
        "unknown order": "OrderNotFound",
        "wrong secret": "AuthenticationError",
    }
