"""Owns the questions about an account: positions, money, margin, limits, locks."""

from mock_deribit.exchange.messages import SelfMatch
from mock_deribit.rpc import wire, wire_records
from mock_deribit.rpc.credits import Limit
from mock_deribit.rpc.errors import forbidden
from mock_deribit.rpc.venue import Call, Method
from shared.units import to_ms

_TRADE_READ = "trade:read"
_READ = "account:read"


def _get_position(call: Call) -> object:
    """The position in an instrument, flat if there is none."""
    listing = call.venue.listing(call)
    view = call.venue.exchange.position(call.account, listing.name)
    return wire.asked_position(view, listing.instrument.perpetual)


def _get_positions(call: Call) -> object:
    """Every position that settles in a currency."""
    currency, account = call.currency("any"), call.account
    if call.params.has("subaccount_id"):
        account = _subaccount(call, "subaccount_id")
    return _positions(call, account, currency) if call.futures_wanted() else []


def _positions(call: Call, account: str, currency: str | None) -> list[wire.Json]:
    return [
        wire.asked_position(view, call.venue.listed(view.instrument).instrument.perpetual)
        for view in call.venue.exchange.positions(account, currency)
    ]


def _subaccount(call: Call, parameter: str) -> str:
    """The account a main account asks about; anyone may ask about their own."""
    account = call.venue.account_numbered(call.params.integer(parameter), parameter)
    if account != call.account and not (call.grant is not None and call.grant.main):
        raise forbidden("mainaccount")
    return account


def _get_account_summary(call: Call) -> object:
    """Balance, equity, margin, limits and fees of one currency; `extended` adds the account."""
    currency = call.currency() or "BTC"
    account = _subaccount(call, "subaccount_id") if call.params.has("subaccount_id") else ""
    account = account or call.account
    summary = _summary(call, account, currency)
    return summary | (_person(call, account) if call.params.flag("extended") else {})


def _get_account_summaries(call: Call) -> object:
    """The account once, and a summary for each currency."""
    account = _subaccount(call, "subaccount_id") if call.params.has("subaccount_id") else ""
    account = account or call.account
    rows = [_summary(call, account, currency) for currency in call.venue.settled()]
    return _person(call, account) | {"summaries": rows}


def _summary(call: Call, account: str, currency: str) -> wire.Json:
    summary = wire.portfolio(call.venue.exchange.portfolio(account, currency))
    summary["limits"] = _limits(call)
    if call.params.flag("extended"):
        summary["fees"] = _fees(call)
    return summary


def _person(call: Call, account: str) -> wire.Json:
    """The members of the account itself."""
    venue = call.venue
    mode, extended = venue.exchange.self_match(account)
    mmp, _ = venue.exchange.features(account)
    return {
        "id": venue.user_ids[account],
        "username": account,
        "system_name": account,
        "email": f"{account}@example.com",
        "type": "main" if account == venue.main_account else "subaccount",
        "creation_timestamp": to_ms(venue.opened),
        "mmp_enabled": mmp,
        "login_enabled": True,
        "security_keys_enabled": False,
        "interuser_transfers_enabled": False,
        "self_trading_reject_mode": mode.value,
        "self_trading_extended_to_subaccounts": extended,
    }


def _limits(call: Call) -> wire.Json:
    limits = call.venue.limits

    def rate(limit: Limit) -> wire.Json:
        return {"rate": limit.rate, "burst": limit.burst}

    return {
        "limits_per_currency": False,
        "non_matching_engine": rate(limits.non_matching),
        "matching_engine": {
            "trading": {"total": rate(limits.trading)},
            "spot": rate(limits.trading),
            "cancel_all": rate(limits.cancel_all),
            "maximum_quotes": rate(limits.quotes),
            "maximum_mass_quotes": rate(limits.mass_quotes),
            "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
            "block_rfq_maker": {"rate": 10, "burst": 20},
        },
    }


def _fees(call: Call) -> dict[str, dict[str, wire.Json]]:
    """By index and kind: the fees of its perpetual, and of its first dated future."""
    fees: dict[str, dict[str, wire.Json]] = {}
    for listing in call.venue.exchange.listings:
        future = listing.instrument
        fee = {"type": "fixed", "maker": future.maker_fee, "taker": future.taker_fee}
        kind = "perpetual" if future.perpetual else "future"
        fees.setdefault(future.index, {}).setdefault(kind, {"default": fee})
    return fees


def _get_subaccounts(call: Call) -> object:
    """The accounts the caller may see; `with_portfolio` adds their money."""
    venue, with_portfolio = call.venue, call.params.flag("with_portfolio")
    main = call.grant is not None and call.grant.main
    rows = []
    for account, number in venue.user_ids.items():
        if not main and account != call.account:
            continue
        row: wire.Json = {
            "id": number,
            "username": account,
            "system_name": account,
            "email": f"{account}@example.com",
            "type": "main" if account == venue.main_account else "subaccount",
            "is_password": True,
            "login_enabled": True,
            "security_keys_enabled": False,
            "security_keys_assignments": [],
            "receive_notifications": False,
            "tfa_enabled": False,
            "margin_model": "segregated_sm",
        }
        if with_portfolio:
            row["portfolio"] = {
                currency.lower(): wire.portfolio(venue.exchange.portfolio(account, currency))
                for currency in venue.settled()
            }
        rows.append(row)
    return rows


def _get_subaccounts_details(call: Call) -> object:
    """Positions, and open orders on demand, of the accounts the caller may see."""
    currency, with_orders = call.currency(), call.params.flag("with_open_orders")
    main = call.grant is not None and call.grant.main
    rows = []
    for account, number in call.venue.user_ids.items():
        if not main and account != call.account:
            continue
        row: wire.Json = {"uid": number, "positions": _positions(call, account, currency)}
        if with_orders:
            orders = call.venue.exchange.open_orders(account, currency=currency)
            row["open_orders"] = [call.venue.order(view, account) for view in orders]
        rows.append(row)
    return rows


def _get_user_locks(call: Call) -> object:
    """Whether the account is locked, currency by currency."""
    locked = call.venue.exchange.is_liquidating(call.account)
    return [{"currency": currency, "locked": locked} for currency in call.venue.settled()]


def _get_access_log(call: Call) -> object:
    """Logins with the account's keys, newest first."""
    offset = call.params.integer("offset", 0, low=0)
    count = call.params.integer("count", 10, low=1, high=1000)
    log = list(call.venue.accesses.get(call.account, ()))[::-1]
    rows = [wire_records.access(entry) for entry in log[offset : offset + count]]
    return {"records_total": len(log), "data": rows}


def _set_self_trading_config(call: Call) -> object:
    """Choose what happens when the account would trade with itself."""
    mode = SelfMatch(call.params.choice("mode", [mode.value for mode in SelfMatch]))
    extended = call.params.flag("extended_to_subaccounts")
    call.params.flag("block_rfq_self_match_prevention")
    call.venue.exchange.set_self_match(call.account, mode, extended=extended)
    return "ok"


METHODS: dict[str, Method] = {
    "private/get_position": Method(_get_position, _TRADE_READ, takes="instrument_name"),
    "private/get_positions": Method(
        _get_positions, _TRADE_READ, takes="currency kind subaccount_id"
    ),
    "private/get_account_summary": Method(
        _get_account_summary, _READ, takes="currency subaccount_id extended"
    ),
    "private/get_account_summaries": Method(
        _get_account_summaries, _READ, takes="subaccount_id extended"
    ),
    "private/get_subaccounts": Method(_get_subaccounts, _READ, takes="with_portfolio"),
    "private/get_subaccounts_details": Method(
        _get_subaccounts_details, _READ, takes="currency with_open_orders"
    ),
    "private/get_user_locks": Method(_get_user_locks, _READ),
    "private/get_access_log": Method(_get_access_log, _READ, takes="offset count"),
    "private/set_self_trading_config": Method(
        _set_self_trading_config,
        "account:read_write",
        takes="mode extended_to_subaccounts block_rfq_self_match_prevention",
    ),
}
