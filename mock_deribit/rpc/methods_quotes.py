"""Owns the methods of a market maker: protection (MMP) and mass quotes.

Quotes need cancel on disconnect on the asking connection, hence a socket.
"""

from mock_deribit.exchange.maker_messages import (
    MassQuote,
    MassQuoted,
    Protection,
    Quote,
    QuoteError,
    QuoteFilter,
    QuoteSide,
)
from mock_deribit.exchange.messages import OrderView, Placed, Refused, UserTrade
from mock_deribit.rpc import wire, wire_quotes
from mock_deribit.rpc.errors import invalid_params, too_many_quotes
from mock_deribit.rpc.methods_cancel import by_book
from mock_deribit.rpc.params import Params
from mock_deribit.rpc.venue import Call, Method, taken
from shared.units import from_ms

GROUP_LENGTH = 64
DECIMALS = 4

_TRADE = "trade:read_write"
_READ = "trade:read"
_CANCEL_TYPES = (
    "delta",
    "quote_set_id",
    "instrument",
    "instrument_kind",
    "currency",
    "currency_pair",
    "all",
)


def _set_mmp_config(call: Call) -> object:
    """Set, replace or (with interval 0) remove a protection."""
    params = call.params
    interval = params.integer("interval", low=0, high=3600)
    config = Protection(
        index=call.index("index_name"),
        group=_group(call),
        interval_s=interval,
        frozen_time_s=params.integer("frozen_time", low=0, high=3600),
        max_quote_quantity=_quantity(params, "max_quote_quantity", required=interval > 0) or 0.0,
        quantity_limit=_quantity(params, "quantity_limit"),
        delta_limit=_quantity(params, "delta_limit"),
        vega_limit=_quantity(params, "vega_limit"),
    )
    if params.flag("block_rfq"):
        raise invalid_params("block_rfq", "block requests for quote are not made here")
    answer = taken(call.venue.exchange.set_protection(call.now, call.account, config))
    rows = [wire_quotes.protection(each) for each in answer]
    alone = call.venue.rules.protection_answer == "object" and len(rows) == 1
    return rows[0] if alone else rows


def _group(call: Call) -> str:
    return call.params.text("mmp_group", "", longest=GROUP_LENGTH)


def _quantity(params: Params, name: str, *, required: bool = False) -> float | None:
    """A limit with at most four decimals."""
    value = params.required_number(name) if required else params.number(name)
    if value is not None and abs(round(value, DECIMALS) - value) > 1e-9:
        raise invalid_params(name, f"at most {DECIMALS} decimals")
    return value


def _get_mmp_config(call: Call) -> object:
    """The account's protections."""
    exchange = call.venue.exchange
    found = exchange.protections(call.account, _wanted_index(call), _wanted_group(call))
    return [wire_quotes.protection(each) for each in found]


def _get_mmp_status(call: Call) -> object:
    """Which protections are frozen."""
    exchange = call.venue.exchange
    found = exchange.frozen(call.account, _wanted_index(call), _wanted_group(call))
    return [wire_quotes.frozen(each) for each in found]


def _wanted_index(call: Call) -> str | None:
    return call.index("index_name") if call.params.has("index_name") else None


def _wanted_group(call: Call) -> str | None:
    return _group(call) if call.params.has("mmp_group") else None


def _reset_mmp(call: Call) -> object:
    """End a freeze and start the counters anew."""
    index, group = call.index("index_name"), _group(call)
    refused = call.venue.exchange.reset_protection(call.now, call.account, index, group)
    return "ok" if refused is None else taken(refused)


def _mass_quote(call: Call) -> object:
    """Place, amend and cancel many quotes in one request."""
    params, detailed = call.params, call.params.flag("detailed")
    waits = params.flag("wait_for_response", default=True)
    until = params.optional_integer("valid_until")
    request = MassQuote(
        quote_id=params.text("quote_id"),
        group=params.text("mmp_group", longest=GROUP_LENGTH),
        quotes=tuple(_quote(entry) for entry in params.objects("quotes")),
        guarded=call.socket.cancel_on_disconnect,
        valid_until=None if until is None else from_ms(until),
    )
    sides = sum((each.bid is not None) + (each.ask is not None) for each in request.quotes)
    if not call.venue.purse(call.account).take(call.now, "quotes", sides):
        raise too_many_quotes()
    quoted = taken(call.venue.exchange.mass_quote(call.now, call.account, request))
    tickets = tuple(side.ticket for side in quoted.held)
    if tickets and waits:
        call.wait(
            tickets, lambda answers: _quoted(call, _joined(quoted, answers), detailed=detailed)
        )
        return None
    call.follow(tickets)
    return _quoted(call, quoted, detailed=detailed)


def _joined(quoted: MassQuoted, answers: list[Placed | Refused]) -> MassQuoted:
    """The mass quote with what became of the sides that were held."""
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    errors = [
        QuoteError(instrument=held.instrument, side=held.side, refused=answer)
        for held, answer in zip(quoted.held, answers, strict=True)
        if isinstance(answer, Refused)
    ]
    return MassQuoted(
        orders=(*quoted.orders, *[each.order for each in placed]),
        trades=(*quoted.trades, *[fill for each in placed for fill in each.trades]),
        errors=(*quoted.errors, *errors),
    )


def _quote(entry: Params) -> Quote:
    bid, ask = entry.nested("bid"), entry.nested("ask")
    if bid is None and ask is None:
        raise invalid_params("quotes", "bid or ask required")
    return Quote(
        instrument=entry.text("instrument_name"),
        quote_set_id=entry.text("quote_set_id", ""),
        bid=_side(bid),
        ask=_side(ask),
    )


def _side(entry: Params | None) -> QuoteSide | None:
    if entry is None:
        return None
    return QuoteSide(
        price=entry.number("price"),
        amount=entry.number("amount"),
        post_only=entry.flag("post_only"),
        reject_post_only=entry.flag("reject_post_only"),
    )


def _quoted(call: Call, quoted: MassQuoted, *, detailed: bool) -> object:
    """Orders and trades always; errors in full only with `detailed`, else their number. The socket
    remembers what rests, for cancel on disconnect."""
    for order in quoted.orders:
        call.venue.adopt(call.socket, order, call.account)
    body: wire.Json = {
        "orders": [call.venue.order(order, call.account) for order in quoted.orders],
        "trades": [_trade(call, fill) for fill in quoted.trades],
    }
    if detailed:
        body["errors"] = [wire_quotes.quote_error(error) for error in quoted.errors]
    else:
        body["errors_count"] = len(quoted.errors)
    if quoted.held:
        body["pending_requests_count"] = len(quoted.held)
    return body


def _trade(call: Call, fill: UserTrade) -> wire.Json:
    listing = call.venue.listed(fill.trade.instrument)
    return wire.user_trade(fill, listing, call.venue.user_ids[call.account])


def _cancel_quotes(call: Call) -> object:
    """Cancel quotes by what they have in common."""
    params = call.params
    kind = params.choice("cancel_type", _CANCEL_TYPES)
    detailed, freeze = params.flag("detailed"), params.flag("freeze_quotes")
    chosen = _chosen(call, kind)
    cancelled: tuple[OrderView, ...] = ()
    if kind != "instrument_kind" or call.futures_wanted():
        cancelled = call.venue.exchange.cancel_quotes(call.now, call.account, chosen, freeze=freeze)
    return by_book(call, [*cancelled]) if detailed else len(cancelled)


def _chosen(call: Call, kind: str) -> QuoteFilter:
    params = call.params
    match kind:
        case "delta":
            return QuoteFilter(
                delta=(params.required_number("min_delta"), params.required_number("max_delta"))
            )
        case "quote_set_id":
            return QuoteFilter(quote_set_id=params.text("quote_set_id"))
        case "instrument":
            return QuoteFilter(instrument=call.venue.listing(call).name)
        case "currency":
            return QuoteFilter(currency=call.currency())
        case "currency_pair":
            return QuoteFilter(index=call.index("currency_pair"))
        case _:
            return QuoteFilter(currency=call.currency("any"))


METHODS: dict[str, Method] = {
    "private/set_mmp_config": Method(
        _set_mmp_config,
        _TRADE,
        takes=(
            "index_name mmp_group interval frozen_time max_quote_quantity quantity_limit delta_limit "
            "vega_limit block_rfq"
        ),
    ),
    "private/get_mmp_config": Method(_get_mmp_config, _READ, takes="index_name mmp_group"),
    "private/get_mmp_status": Method(_get_mmp_status, _READ, takes="index_name mmp_group"),
    "private/reset_mmp": Method(_reset_mmp, _TRADE, takes="index_name mmp_group"),
    "private/mass_quote": Method(
        _mass_quote,
        _TRADE,
        "mass_quotes",
        "quote_id mmp_group quotes wait_for_response detailed valid_until",
    ),
    "private/cancel_quotes": Method(
        _cancel_quotes,
        _TRADE,
        "trading",
        (
            "cancel_type min_delta max_delta quote_set_id instrument_name kind currency currency_pair "
            "detailed freeze_quotes"
        ),
    ),
}
