"""The differences that are meant, between recorded messages and the mock's, each with its reason.

By kind of message, or by file where one recording differs from the others of its kind. A difference that is
not here fails, and so does an entry that no longer has one.
"""

from typing import NamedTuple

OURS, THEIRS = "only ours", "only theirs"


class Allowance(NamedTuple):
    """Members under a path that differ in the same way for the same reason."""

    where: str
    under: str
    members: str
    difference: str
    reason: str

    def differences(self) -> list[str]:
        """What it allows, as `shapes.differences` puts it."""
        return [f"{self.under}.{member}: {self.difference}" for member in self.members.split()]


_OPTIONS = "of options, which are not listed here"
_COMBO = "of a spread trade; there are no spreads here"
_STARBASE = "of the matching engine of 2026, through which no order goes here"
_CATALOGUE = "an identifier of the exchange's catalogue, seen on the test network only"
_CROSS = "of accounts with cross margin; the mock's are segregated"
_SINCE_2020 = "not in the recording of 2020, but in today's documents"
_SINCE_2021 = "not in the recording of 2021, but in those of 2025"
_SINCE_2022 = "not in the recording of 2022, but in those of 2025"
_SINCE_2026 = "not in the recording of 2025, but in those of 2026"

ALLOWED = (
    Allowance(
        "account summary",
        ".result",
        "additional_reserve creation_timestamp cross_collateral_enabled delta_total_map email fee_balance "
        "fees id interuser_transfers_enabled locked_balance login_enabled margin_model mmp_enabled "
        "options_gamma_map options_theta_map options_value options_vega_map projected_delta_total "
        "projected_initial_margin projected_maintenance_margin security_keys_enabled "
        "self_trading_extended_to_subaccounts self_trading_reject_mode spot_reserve system_name type "
        "username limits.limits_per_currency",
        OURS,
        _SINCE_2020,
    ),
    Allowance("account summary", ".result", "session_funding", THEIRS, "gone from the documents"),
    Allowance("account summary", ".result", "deposit_address", THEIRS, "there is no wallet here"),
    Allowance(
        "account summary",
        ".result.limits",
        "matching_engine_burst non_matching_engine_burst",
        THEIRS,
        "limits were regrouped in 2024",
    ),
    Allowance(
        "account summary",
        ".result.limits",
        "matching_engine non_matching_engine",
        "int / dict",
        "limits were regrouped in 2024",
    ),
    Allowance("currencies", ".result[]", "in_cross_collateral_pool", OURS, _SINCE_2020),
    Allowance("position", ".result", "interest_value", OURS, _SINCE_2020),
    Allowance("positions", ".result[]", "interest_value", OURS, _SINCE_2020),
    Allowance(
        "instruments of 2021",
        ".result[]",
        "block_trade_min_trade_amount block_trade_tick_size counter_currency future_type instrument_id "
        "instrument_type lot_size max_non_default_leverage price_index product_group settlement_currency "
        "state tick_size_steps underlying_type",
        OURS,
        _SINCE_2021,
    ),
    Allowance("instruments of 2021", ".result[]", "option_type strike", THEIRS, _OPTIONS),
    Allowance(
        "fastmm-engine/get_instruments_future.json",
        ".result[]",
        "base_currency_uuid index_id quote_currency_uuid",
        THEIRS,
        _CATALOGUE,
    ),
    Allowance(
        "nautilus_trader/http_get_instrument.json",
        ".result",
        "lot_size product_group state underlying_type",
        OURS,
        _SINCE_2026,
    ),
    Allowance(
        "nautilus_trader/http_get_instrument.json",
        ".result",
        "max_non_default_leverage",
        "int / float",
        "5 in 2025 and 5.0 in 2026",
    ),
    Allowance(
        "nautilus_trader/http_get_instruments.json",
        ".result[]",
        "lot_size max_non_default_leverage product_group state underlying_type",
        OURS,
        _SINCE_2026,
    ),
    Allowance(
        "nautilus_trader/http_get_instruments.json",
        ".result[]",
        "option_type strike",
        THEIRS,
        _OPTIONS,
    ),
    Allowance(
        "nautilus_trader/http_get_last_trades_perpetual_with_combo_tags.json",
        ".result.trades[]",
        "combo_id combo_trade_id",
        THEIRS,
        _COMBO,
    ),
    Allowance("nautilus_trader/ws_trades.json", ".params.data[]", "combo_trade_id", THEIRS, _COMBO),
    Allowance(
        "nautilus_trader/ws_ticker.json",
        ".params.data",
        "open_interest",
        "float / int",
        "an integer in twenty recordings; this one has been through another printer, which shows in all "
        "its numbers",
    ),
    Allowance(
        "portfolio",
        ".params.data",
        "total_delta_total_usd total_equity_usd total_initial_margin_usd total_maintenance_margin_usd "
        "total_margin_balance_usd",
        THEIRS,
        _CROSS,
    ),
    Allowance(
        "portfolio", ".params.data.delta_total_map", "btc_usd", OURS, "theirs holds no position"
    ),
    Allowance(
        "fastmm-engine/trades_perp.json",
        ".params.data[]",
        "starbase_match_id starbase_timestamp",
        THEIRS,
        _STARBASE,
    ),
    Allowance("ssc2ce-python/deribit_dump.jsonl", ".params.data", "type", OURS, _SINCE_2020),
    Allowance(
        "openbb/trades_instrument.json",
        ".trades[]",
        "starbase_match_id starbase_timestamp",
        THEIRS,
        _STARBASE,
    ),
    *(
        Allowance("crypto-msg-parser/deribit_messages.jsonl", under, members, OURS, _SINCE_2022)
        for under, members in (
            (".params.data[]", "contracts"),
            (".params.data.stats", "volume_notional"),
            (".params.data", "interest_value"),
            (".result.stats", "volume_notional"),
            (".result", "interest_value"),
        )
    ),
)
