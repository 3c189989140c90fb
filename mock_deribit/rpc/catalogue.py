"""Owns the list of Deribit's methods: those served here, and those that are not and why.

A method that Deribit does not have is answered -32601; one that it has and this mock has not, 13025.
"""

from mock_deribit.rpc import (
    methods_account,
    methods_cancel,
    methods_history,
    methods_instruments,
    methods_market,
    methods_orders,
    methods_quotes,
    methods_records,
    methods_session,
    methods_subscriptions,
)
from mock_deribit.rpc.venue import Method

METHODS: dict[str, Method] = (
    methods_session.METHODS
    | methods_subscriptions.METHODS
    | methods_instruments.METHODS
    | methods_market.METHODS
    | methods_orders.METHODS
    | methods_cancel.METHODS
    | methods_quotes.METHODS
    | methods_history.METHODS
    | methods_account.METHODS
    | methods_records.METHODS
)

_ABSENT = {
    "options are not listed here": (
        "public/get_historical_volatility public/get_volatility_index_data "
        "public/get_mark_price_history public/get_rfqs private/send_rfq"
    ),
    "combos are not listed here": (
        "public/get_combo_details public/get_combo_ids public/get_combos private/create_combo "
        "private/get_leg_prices"
    ),
    "block trades are not made here": (
        "private/verify_block_trade private/execute_block_trade private/simulate_block_trade "
        "private/approve_block_trade private/reject_block_trade "
        "private/invalidate_block_trade_signature private/get_block_trade private/get_block_trades "
        "private/get_last_block_trades_by_currency private/get_block_trade_requests "
        "private/get_pending_block_trades private/get_broker_trade_requests "
        "private/get_broker_trades private/move_positions"
    ),
    "block requests for quote are not made here": (
        "public/get_block_rfq_trades private/create_block_rfq private/cancel_block_rfq "
        "private/accept_block_rfq private/get_block_rfqs private/get_block_rfq_quotes "
        "private/get_block_rfq_makers private/get_block_rfq_user_info "
        "private/add_block_rfq_quote private/edit_block_rfq_quote "
        "private/cancel_block_rfq_quote private/cancel_all_block_rfq_quotes "
        "private/cancel_block_rfq_trigger"
    ),
    "there is no wallet here": (
        "private/withdraw private/cancel_withdrawal private/get_withdrawals private/get_deposits "
        "private/get_transfers private/submit_transfer_to_user "
        "private/submit_transfer_to_subaccount private/submit_transfer_between_subaccounts "
        "private/cancel_transfer_by_id private/get_current_deposit_address "
        "private/create_deposit_address private/get_deposit_address private/add_to_address_book "
        "private/get_address_book private/remove_from_address_book "
        "private/update_in_address_book private/set_clearance_originator "
        "private/save_address_beneficiary private/get_address_beneficiary "
        "private/delete_address_beneficiary private/list_address_beneficiaries "
        "private/list_custody_accounts private/get_reward_eligibility public/get_apr_history"
    ),
    "keys and accounts are set when the mock starts": (
        "private/create_api_key private/edit_api_key private/remove_api_key private/reset_api_key "
        "private/enable_api_key private/disable_api_key private/list_api_keys "
        "private/change_api_key_name private/change_scope_in_api_key private/create_subaccount "
        "private/remove_subaccount private/change_subaccount_name "
        "private/set_email_for_subaccount private/toggle_subaccount_login "
        "private/toggle_notifications_from_subaccount private/set_disabled_trading_products "
        "private/change_margin_model"
    ),
    "a matter of the website": (
        "private/get_email_language private/set_email_language private/get_new_announcements "
        "private/set_announcement_as_read private/enable_affiliate_program "
        "private/get_affiliate_program_info"
    ),
    "portfolio margin is not computed here": (
        "private/simulate_portfolio private/get_portfolio_margins public/get_portfolio_margins "
        "private/pme/simulate public/pme/simulate"
    ),
    "the index keeps no history here": "public/get_index_chart_data",
}

NOT_HERE: dict[str, str] = {name: why for why, names in _ABSENT.items() for name in names.split()}
