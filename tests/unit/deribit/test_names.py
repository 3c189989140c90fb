"""Channel names, request parameters and error codes."""

import pytest

from shared.deribit import channels, requests
from shared.deribit.channels import Channel, Interval, Topic, parse_channel
from shared.deribit.errors import Meaning, classify, name_of
from shared.kernel import Nanos
from shared.units import MILLISECOND, Side


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        (
            channels.book_channel("BTC-PERPETUAL", Interval.MS100),
            Channel(Topic.BOOK, "BTC-PERPETUAL"),
        ),
        (
            channels.trades_channel("BTC-27MAR26", Interval.RAW),
            Channel(Topic.TRADES, "BTC-27MAR26"),
        ),
        (channels.ticker_channel("BTC-6AUG26", Interval.AGG2), Channel(Topic.TICKER, "BTC-6AUG26")),
        (channels.instrument_state_channel("future", "BTC"), Channel(Topic.INSTRUMENT_STATE)),
        (channels.user_changes_channel("future", "BTC"), Channel(Topic.USER_CHANGES)),
        (channels.user_orders_channel("future", "BTC"), Channel(Topic.USER_ORDERS)),
        (channels.user_trades_channel("future", "BTC"), Channel(Topic.USER_TRADES)),
        (channels.user_portfolio_channel("BTC"), Channel(Topic.USER_PORTFOLIO)),
        (channels.PLATFORM_STATE, Channel(Topic.PLATFORM_STATE)),
        (channels.USER_LOCK, Channel(Topic.USER_LOCK)),
    ],
)
def test_a_channel_name_that_was_built_can_be_read(name: str, channel: Channel) -> None:
    assert parse_channel(name) == channel


@pytest.mark.parametrize(
    "name",
    [
        "",
        "book",
        "book.BTC-PERPETUAL.none.10.100ms",
        "platform_state.public_methods_state",
        "user",
        "announcements",
        "user.access_log",
    ],
)
def test_channels_this_system_does_not_use_are_other(name: str) -> None:
    assert parse_channel(name) == Channel(Topic.OTHER)


def test_names_are_spelt_as_the_venue_spells_them() -> None:
    assert channels.book_channel("BTC-PERPETUAL", Interval.MS100) == "book.BTC-PERPETUAL.100ms"
    assert channels.user_changes_channel("future", "BTC") == "user.changes.future.BTC.raw"
    assert channels.user_portfolio_channel("BTC") == "user.portfolio.btc"


@pytest.mark.parametrize("side", list(Side))
def test_a_resting_order_is_always_post_only_with_rejection_and_has_an_end(side: Side) -> None:
    method, params = requests.post(
        instrument="BTC-PERPETUAL",
        side=side,
        amount=100.0,
        price=60_000.5,
        label="mm-1",
        valid_until=Nanos(1_790_000_000_123 * MILLISECOND),
    )
    assert method == f"private/{side.value}"
    assert params["post_only"] is True
    assert params["reject_post_only"] is True
    assert params["reduce_only"] is False
    assert params["valid_until"] == 1_790_000_000_123
    assert params["label"] == "mm-1"


def test_an_edit_says_post_only_again() -> None:
    method, params = requests.edit(
        order_id="7", amount=10.0, price=60_000.0, valid_until=Nanos(MILLISECOND)
    )
    assert method == "private/edit"
    assert params["post_only"] is True
    assert params["reject_post_only"] is True


def test_an_order_that_takes_never_rests() -> None:
    _, params = requests.take(
        instrument="BTC-PERPETUAL",
        side=Side.SELL,
        amount=10.0,
        price=1.0,
        label="h",
        valid_until=Nanos(MILLISECOND),
    )
    assert params["time_in_force"] == "immediate_or_cancel"
    assert params["post_only"] is False
    assert params["reduce_only"] is True


def test_no_request_sends_a_null() -> None:
    asked = [
        requests.cancel("1"),
        requests.cancel_by_label("mm", "BTC"),
        requests.get_open_orders("BTC"),
        requests.get_order_state_by_label("mm", "BTC"),
        requests.get_user_trades("BTC", Nanos(0), Nanos(MILLISECOND)),
        requests.get_positions("BTC"),
        requests.get_account_summary("BTC"),
        requests.get_instruments("BTC"),
        requests.get_ticker("BTC-PERPETUAL"),
    ]
    for method, params in asked:
        assert method.split("/")[0] in ("private", "public")
        assert None not in params.values()


@pytest.mark.parametrize(
    ("meaning", "codes"),
    [
        (Meaning.RETRY_LATER, (10040, 10041, 10066, 11051, 13030)),
        (Meaning.UNPROVEN, (10028, 10047, 10050, 13666, 13777, 13888)),
        (Meaning.UNKNOWN_OUTCOME, (11094, 13028, 424242)),
        (Meaning.NEVER_RETRY, (10002, 10005, 10007, 10009, 10043, 11021, 13004, 13009, -32602)),
        (Meaning.NORMAL, (10004, 10010, 11044, 11054)),
    ],
)
def test_codes_mean_what_the_reference_says(meaning: Meaning, codes: tuple[int, ...]) -> None:
    assert [classify(code) for code in codes] == [meaning] * len(codes)


def test_codes_have_their_documented_names() -> None:
    assert name_of(11054) == "post_only_reject"
    assert name_of(1) == "unlisted"
