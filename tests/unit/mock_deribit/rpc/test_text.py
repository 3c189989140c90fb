"""How the mock prints JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_deribit.rpc.text import encode, number


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (76914.0, "76914.0"),
        (6000.0, "6.0e3"),
        (1000200.0, "1.0002e6"),
        (0.00028, "2.8e-4"),
        (999990.0, "999990.0"),
        (200.0, "200.0"),
        (12000.0, "1.2e4"),
        (-3.1e-06, "-3.1e-6"),
        (4.061551261705112e-05, "4.061551261705112e-5"),
        (0.0, "0.0"),
    ],
)
def test_numbers_are_printed_as_in_recorded_frames(value: float, printed: str) -> None:
    assert number(value) == printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_printed_number_reads_back_as_itself_and_shows_it_is_no_integer(
    value: float,
) -> None:
    printed = number(value)
    assert json.loads(printed) == value
    assert "." in printed


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    )
)
def test_everything_else_reads_back_as_itself(value: object) -> None:
    assert json.loads(encode(value)) == value


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        number(float("nan"))
    with pytest.raises(TypeError, match="expected a JSON value"):
        encode(object())
