"""Deribit's error codes as data: what each is called and what it means for the request it answers.

Source: Deribit's published code table and the order-management article; the races (10004, 11044) as
third-party clients report them. A code that is not listed is read as an unknown outcome.
"""

from enum import StrEnum

import msgspec

ORDER_NOT_FOUND = 10004
TOO_MANY_REQUESTS = 10028
MMP_TRIGGER = 13030
POST_ONLY_REJECT = 11054
UNAUTHORIZED = 13009
RAW_NEEDS_LOGIN = 13778


class Meaning(StrEnum):
    """What a refusal says about the request."""

    RETRY_LATER = "retry_later"
    """Not executed; the same request may pass after a pause."""
    UNPROVEN = "unproven"
    """Said not to be executed, by a queue on the way and not by the book: looked up by label all the same."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """It may have been executed: look it up by label before anything else."""
    NEVER_RETRY = "never_retry"
    """Not executed, and it never will be unchanged."""
    NORMAL = "normal"
    """An ordinary outcome of a race with the market: the order is closed or was not placed."""


class _Entry(msgspec.Struct, frozen=True):
    name: str
    meaning: Meaning


def _table(meaning: Meaning, rows: str) -> dict[int, _Entry]:
    pairs = (row.split() for row in rows.strip().splitlines())
    return {int(code): _Entry(name, meaning) for code, name in pairs}


_CODES = (
    _table(
        Meaning.NORMAL,
        """
        10004 order_not_found
        10010 already_closed
        11008 already_filled
        11044 not_open_order
        11054 post_only_reject
        """,
    )
    | _table(
        Meaning.RETRY_LATER,
        """
        10012 book_closed
        10019 locked_by_admin
        10040 retry
        10041 settlement_in_progress
        10066 too_many_concurrent_requests
        11051 system_maintenance
        11056 unauthenticated_public_requests_temporarily_disabled
        11098 account_locked
        13030 mmp_trigger
        13043 quotes_frozen
        13903 too_many_quotes
        """,
    )
    | _table(
        Meaning.UNPROVEN,
        """
        10028 too_many_requests
        10047 matching_engine_queue_full
        10050 lock_time_exceeded
        13666 request_cancelled_by_user
        13777 replaced
        13888 timed_out
        """,
    )
    | _table(
        Meaning.UNKNOWN_OUTCOME,
        """
        10001 error
        11031 other_error
        11094 internal_server_error
        13008 request_failed
        13028 temporarily_unavailable
        13503 unavailable
        """,
    )
    | _table(
        Meaning.NEVER_RETRY,
        """
        10000 authorization_required
        10002 qty_too_low
        10003 order_overlap
        10005 price_too_low
        10006 price_too_low4idx
        10007 price_too_high
        10009 not_enough_funds
        10011 price_not_allowed
        10013 pme_max_total_open_orders
        10014 pme_max_future_open_orders
        10015 pme_max_option_open_orders
        10016 pme_max_future_open_orders_size
        10017 pme_max_option_open_orders_size
        10018 non_pme_max_future_position_size
        10020 invalid_or_unsupported_instrument
        10021 invalid_amount
        10023 invalid_price
        10025 invalid_order_id
        10026 price_precision_exceeded
        10027 non_integer_contract_amount
        10029 not_owner_of_order
        10030 must_be_websocket_request
        10031 invalid_args_for_instrument
        10032 whole_cost_too_low
        10034 trigger_price_too_high
        10035 trigger_price_too_low
        10038 pme_max_risk_reducing_orders
        10043 price_wrong_tick
        10044 trigger_price_wrong_tick
        10048 not_on_this_server
        10049 cancel_on_disconnect_failed
        11021 post_only_price_modification_not_possible
        11029 invalid_arguments
        11030 other_reject
        11035 no_more_triggers
        11036 invalid_trigger_price
        11041 not_adv_order
        11042 permission_denied
        11043 bad_argument
        11045 invalid_event
        11047 unsupported_arg_combination
        11049 bad_arguments
        11050 bad_request
        11052 subscribe_error_unsubscribed
        11055 post_only_not_allowed
        12003 login_over_limit
        13004 invalid_credentials
        13007 user_not_found
        13009 unauthorized
        13010 value_required
        13016 invalid_input
        13019 orderbook_closed
        13020 not_found
        13021 forbidden
        13025 method_switched_off_by_admin
        13032 non_unique_order_label
        13040 mmp_required
        13042 cod_not_enabled
        13403 scope_exceeded
        13668 security_key_authorization_error
        13778 raw_subscriptions_not_available_for_unauthorized
        13901 no_more_oto_orders
        13902 mass_quotes_disabled
        13904 security_key_setup_required
        -32700 parse_error
        -32602 invalid_params
        -32601 method_not_found
        -32600 request_entity_too_large
        -32000 missing_params
        """,
    )
)


def classify(code: int) -> Meaning:
    """What a code means; an unlisted one is UNKNOWN_OUTCOME, the careful reading."""
    entry = _CODES.get(code)
    return Meaning.UNKNOWN_OUTCOME if entry is None else entry.meaning


def name_of(code: int) -> str:
    """The code's documented name, `unlisted` where there is none."""
    entry = _CODES.get(code)
    return "unlisted" if entry is None else entry.name
