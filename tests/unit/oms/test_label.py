"""Labels say whose an order is and what it is for, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oms.label import Label, check_prefix, read_label, write_label
from shared.messages import Purpose
from shared.units import Side

labels = st.builds(
    Label,
    incarnation=st.integers(0, 36**10),
    instrument=st.sampled_from(["BTC-PERPETUAL", "BTC-27MAR26", "BTC_USDC-PERPETUAL"]),
    side=st.sampled_from(list(Side)),
    purpose=st.just(Purpose.QUOTE),
    layer=st.integers(0, 99),
    number=st.integers(0, 36**6),
)


@given(label=labels)
def test_a_quotes_label_reads_back_and_fits_the_venue(label: Label) -> None:
    text = write_label("mm", label)
    assert read_label("mm", text) == label
    assert len(text) <= 64


def test_a_hedges_label_says_hedge() -> None:
    label = Label(
        incarnation=3,
        instrument="BTC-PERPETUAL",
        side=Side.SELL,
        purpose=Purpose.HEDGE,
        layer=0,
        number=71,
    )
    assert write_label("mm", label) == "mm-3-BTC-PERPETUAL-sh-1z"
    assert read_label("mm", "mm-3-BTC-PERPETUAL-sh-1z") == label


@pytest.mark.parametrize(
    "text",
    ["", "mm", "mm-manual", "mm-1-BTC-PERPETUAL-b0-", "xx-1-BTC-PERPETUAL-b0-1", "mm-1-b0-1"],
)
def test_everything_else_is_somebody_elses(text: str) -> None:
    assert read_label("mm", text) is None


@pytest.mark.parametrize("prefix", ["", "m-m", "a" * 13, "ä"])
def test_a_prefix_that_would_not_read_back_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="label prefix"):
        check_prefix(prefix)


def test_a_label_beyond_the_venues_length_is_refused() -> None:
    label = Label(
        incarnation=1, instrument="X" * 60, side=Side.BUY, purpose=Purpose.QUOTE, layer=0, number=1
    )
    with pytest.raises(ValueError, match="64"):
        write_label("mm", label)
