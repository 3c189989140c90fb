"""Owns the translation of market maker protection and mass quotes, both ways.

Source: Deribit's market-maker-protection and mass-quotes articles.
"""

from mock_deribit.exchange.events import MmpTriggered
from mock_deribit.exchange.maker_messages import Frozen, Protection, QuoteError
from mock_deribit.rpc.wire import Json
from shared.units import to_ms


def protection(configured: Protection) -> Json:
    """One configuration; limits that are off are left out."""
    body: Json = {
        "index_name": configured.index,
        "interval": configured.interval_s,
        "frozen_time": configured.frozen_time_s,
        "max_quote_quantity": configured.max_quote_quantity,
        "quantity_limit": configured.quantity_limit,
        "delta_limit": configured.delta_limit,
        "vega_limit": configured.vega_limit,
        "mmp_group": configured.group or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def frozen(state: Frozen | MmpTriggered) -> Json:
    """A protection that is frozen, as the status lists it and the channel tells it."""
    body: Json = {"index_name": state.index, "frozen_until": to_ms(state.frozen_until)}
    if state.group:
        body["mmp_group"] = state.group
    return body


def quote_error(error: QuoteError) -> Json:
    """A side that was refused."""
    refused: Json = {"code": error.refused.code, "message": error.refused.message}
    if error.refused.data is not None:
        refused["data"] = error.refused.data
    return {
        "error": refused,
        "instrument_name": error.instrument,
        "side": "bid" if error.side.sign > 0 else "ask",
    }
