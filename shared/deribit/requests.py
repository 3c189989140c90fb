"""What can be asked of Deribit, as (method, params).

Every resting order is post-only with rejection, both said explicitly: the default is documented and
recorded differently, and without rejection the venue slides the price. Times given to the venue are on
the venue's clock (ours plus `Session.clock_offset`).
"""

from shared.kernel import Nanos
from shared.units import Side, to_ms

Request = tuple[str, dict[str, object]]

LABEL_LENGTH_MAX = 64


def post(
    *,
    instrument: str,
    side: Side,
    amount: float,
    price: float,
    label: str,
    valid_until: Nanos,
    mmp: bool = False,
) -> Request:
    """A resting limit order that never takes; `mmp`: under market maker protection."""
    return f"private/{side}", {
        "instrument_name": instrument,
        "amount": amount,
        "type": "limit",
        "price": price,
        "label": label,
        "time_in_force": "good_til_cancelled",
        "post_only": True,
        "reject_post_only": True,
        "reduce_only": False,
        "valid_until": to_ms(valid_until),
        **({"mmp": True} if mmp else {}),
    }


def take(
    *,
    instrument: str,
    side: Side,
    amount: float,
    price: float,
    label: str,
    valid_until: Nanos,
) -> Request:
    """An immediate reduction: what does not fill at `price` or better is gone."""
    return f"private/{side}", {
        "instrument_name": instrument,
        "amount": amount,
        "type": "limit",
        "price": price,
        "label": label,
        "time_in_force": "immediate_or_cancel",
        "post_only": False,
        "reduce_only": True,
        "valid_until": to_ms(valid_until),
    }


def edit(
    *,
    order_id: str,
    amount: float,
    price: float,
    valid_until: Nanos,
) -> Request:
    """Move a resting order; `amount` is the new total including what has filled.

    A move that would take cancels the order (`cancel_reason` edit_post_only_reject). Flags are sent
    again because it is not documented that they persist.
    """
    return "private/edit", {
        "order_id": order_id,
        "amount": amount,
        "price": price,
        "post_only": True,
        "reject_post_only": True,
        "reduce_only": False,
        "valid_until": to_ms(valid_until),
    }


def cancel(order_id: str) -> Request:
    """One order; answered with the order itself."""
    return "private/cancel", {"order_id": order_id}


def cancel_by_label(label: str, currency: str) -> Request:
    """Every order of that label; answered with a count, 0 is a success."""
    return "private/cancel_by_label", {"label": label, "currency": currency}


def cancel_label_anywhere(label: str) -> Request:
    """As `cancel_by_label` in every currency: drawn from the pool of mass cancels, not from trading's."""
    return "private/cancel_by_label", {"label": label}


def set_mmp_config(
    index: str, *, interval_s: int, frozen_s: int, quantity: float, delta: float, quote_max: float
) -> Request:
    """Replace the market maker protection of an index; decode with `decode_protection`."""
    return "private/set_mmp_config", {
        "index_name": index,
        "interval": interval_s,
        "frozen_time": frozen_s,
        "quantity_limit": quantity,
        "delta_limit": delta,
        "max_quote_quantity": quote_max,
    }


def get_mmp_status(index: str) -> Request:
    """What is frozen now; decode with `decode_freezes`."""
    return "private/get_mmp_status", {"index_name": index}


def reset_mmp(index: str) -> Request:
    """End a freeze."""
    return "private/reset_mmp", {"index_name": index}


def get_open_orders(currency: str) -> Request:
    """Open orders of the account in one currency; decode with `decode_orders`."""
    return "private/get_open_orders_by_currency", {"currency": currency}


def get_order_state_by_label(label: str, currency: str) -> Request:
    """Recent orders of a label: how an unknown outcome is settled; decode with `decode_orders`."""
    return "private/get_order_state_by_label", {"currency": currency, "label": label}


def get_user_trades(
    currency: str, start: Nanos, end: Nanos, *, historical: bool = False
) -> Request:
    """Own trades in a span of venue time, oldest first; decode with `decode_trade_page`."""
    return "private/get_user_trades_by_currency_and_time", {
        "currency": currency,
        "start_timestamp": to_ms(start),
        "end_timestamp": to_ms(end),
        "count": 1_000,
        "sorting": "asc",
        "historical": historical,
    }


def get_positions(currency: str) -> Request:
    """Positions in futures of one settlement currency; decode with `decode_positions`."""
    return "private/get_positions", {"currency": currency, "kind": "future"}


def get_account_summary(currency: str) -> Request:
    """Account, fees and limits; decode with `decode_account` and `decode_limits`."""
    return "private/get_account_summary", {"currency": currency, "extended": True}


def get_instruments(currency: str) -> Request:
    """Listed futures and perpetuals; decode with `decode_instruments`."""
    return "public/get_instruments", {"currency": currency, "kind": "future", "expired": False}


def get_ticker(instrument: str) -> Request:
    """One ticker now; decode with `decode_ticker`."""
    return "public/ticker", {"instrument_name": instrument}
