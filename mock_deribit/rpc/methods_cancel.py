"""Owns the methods that cancel orders, one or a family at a time.

Of the families, `type` may name kinds of orders that are not here (stop, take, trailing_stop); those find
nothing. The answer is a count, or with `detailed` a list with one entry for each book.
"""

from mock_deribit.exchange.messages import OrderView
from mock_deribit.rpc import wire
from mock_deribit.rpc.errors import invalid_params
from mock_deribit.rpc.venue import CURRENCIES, KINDS, Call, Method, taken

_TYPES = ("all", "limit", "trigger_all", "stop", "take", "trailing_stop")
_TRADE = "trade:read_write"
_OPTIONS = "detailed freeze_quotes"


def _cancel(call: Call) -> object:
    """Cancel one order; the answer is the order itself."""
    order_id = call.params.text("order_id")
    view = taken(call.venue.exchange.cancel(call.now, call.account, order_id))
    return call.venue.order(view, call.account)


def _cancel_by_label(call: Call) -> object:
    """Cancel every order with a label."""
    label = call.params.word("label")
    currency = call.currency() if call.params.has("currency") else None
    exchange = call.venue.exchange
    return len(exchange.cancel_all(call.now, call.account, label=label, currency=currency))


def _cancel_all(call: Call) -> object:
    """Cancel every order."""
    return _family(call, [(None, None)])


def _cancel_all_by_instrument(call: Call) -> object:
    """Cancel every order of an instrument."""
    return _family(call, [(call.venue.listing(call).name, None)])


def _cancel_all_by_currency(call: Call) -> object:
    """Cancel every order that settles in a currency."""
    return _family(call, [(None, call.currency())])


def _cancel_all_by_currency_pair(call: Call) -> object:
    """Cancel every order on an index."""
    index = call.index("currency_pair")
    listed = call.venue.exchange.listings
    return _family(call, [(one.name, None) for one in listed if one.instrument.index == index])


def _cancel_all_by_kind_or_type(call: Call) -> object:
    """Cancel every order of one, several or any currencies, by kind and type."""
    return _family(call, [(None, currency) for currency in _currencies(call)])


def _currencies(call: Call) -> list[str | None]:
    """`currency` as a name, a list of names, or `any`."""
    if not call.params.lists("currency"):
        return [call.currency()]
    names = [name.upper() for name in call.params.texts("currency")]
    if not names or any(name not in CURRENCIES for name in names):
        raise invalid_params("currency", "invalid currency")
    return [None] if "ANY" in names else [*dict.fromkeys(names)]


def _family(call: Call, targets: list[tuple[str | None, str | None]]) -> object:
    """Cancel what fits any of the targets, each an instrument or a currency or neither."""
    detailed, freeze = call.params.flag("detailed"), call.params.flag("freeze_quotes")
    wanted = call.params.choice("type", _TYPES, "all") in ("all", "limit")
    orders: list[OrderView] = []
    if _futures_wanted(call) and wanted:
        for instrument, currency in targets:
            orders += call.venue.exchange.cancel_all(
                call.now,
                call.account,
                instrument=instrument,
                currency=currency,
                freeze_quotes=freeze,
            )
    return by_book(call, orders) if detailed else len(orders)


def _futures_wanted(call: Call) -> bool:
    """Whether `kind`, a name or a list of names, includes futures."""
    if not call.params.lists("kind"):
        return call.futures_wanted()
    kinds = call.params.texts("kind")
    if any(kind not in KINDS for kind in kinds):
        raise invalid_params("kind", "invalid value")
    return "future" in kinds or "any" in kinds


def by_book(call: Call, orders: list[OrderView]) -> list[wire.Json]:
    """Cancelled orders as `detailed` shows them, one entry for each book."""
    books: dict[str, list[wire.Json]] = {}
    for order in orders:
        books.setdefault(order.instrument, []).append(call.venue.order(order, call.account))
    return [
        {
            "currency": call.venue.listed(name).instrument.settlement,
            "type": "limit",
            "instrument_name": name,
            "result": cancelled,
        }
        for name, cancelled in books.items()
    ]


METHODS: dict[str, Method] = {
    "private/cancel": Method(_cancel, _TRADE, "trading", "order_id"),
    "private/cancel_by_label": Method(
        _cancel_by_label, _TRADE, "cancel_all", "label currency", narrowed_by="currency"
    ),
    "private/cancel_all": Method(_cancel_all, _TRADE, "cancel_all", _OPTIONS),
    "private/cancel_all_by_instrument": Method(
        _cancel_all_by_instrument,
        _TRADE,
        "trading",
        f"instrument_name type include_combos {_OPTIONS}",
    ),
    "private/cancel_all_by_currency": Method(
        _cancel_all_by_currency, _TRADE, "trading", f"currency kind type {_OPTIONS}"
    ),
    "private/cancel_all_by_currency_pair": Method(
        _cancel_all_by_currency_pair, _TRADE, "trading", f"currency_pair kind type {_OPTIONS}"
    ),
    "private/cancel_all_by_kind_or_type": Method(
        _cancel_all_by_kind_or_type, _TRADE, "trading", f"currency kind type {_OPTIONS}"
    ),
}
