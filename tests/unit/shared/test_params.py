"""Parameters are refused whole, by name, with what came and what was expected."""

import tomllib
from pathlib import Path
from typing import Literal, get_origin

import pytest
from pydantic import BaseModel

from shared.params import BadParams, Params, change_params, parse_params

CONFIG = Path(__file__).parents[3] / "config"


def test_a_change_gives_a_new_set_and_leaves_the_old_one() -> None:
    before = Params()
    after = change_params(before, {"quoter": {"gamma": 0.05}, "risk.soft_limit_btc": 0.1})
    assert (after.quoter.gamma, after.risk.soft_limit_btc) == (0.05, 0.1)
    assert before == Params()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quoter": {"gama": 0.01}}, "quoter.gama: there is no such parameter"),
        ({"qoter.gamma": 0.01}, "qoter.gamma: there is no such parameter"),
        ({"gamma": 0.01}, "gamma: there is no such parameter"),
        ({"quoter.gamma": 5}, r"quoter.gamma: .*less than or equal to 0.2 \(came: 5\)"),
        ({"quoter.gamma": "much"}, r"quoter.gamma: .*number.* \(came: 'much'\)"),
        ({"quoter.gamma": float("nan")}, "quoter.gamma: .*finite"),
        ({"risk.soft_limit_btc": 0.4}, r"soft_limit_btc \(0.4\) must be below risk.hard_limit"),
        ({"risk.hedge_target_btc": 0.3}, "hedge_target_btc .* must be below risk.hedge_trigger"),
        ({"risk.lease_ms": 600}, r"lease_renewal_ms \* 2 \(1000\) must be below risk.lease_ms"),
        (
            {"risk.lease_ms": 500, "risk.lease_renewal_ms": 175},
            r"lease_renewal_ms \* 2 \(350\) must be below risk.lease_ms - 150 \(350\)",
        ),
        ({"oms.reconcile_s": 20}, "reconcile_s .* must be below risk.position_age_max"),
        ({"oms.reserve": 16}, r"oms.reserve \(16\) must be below oms.burst \(16\)"),
        ({"quoter.order_size_btc": 0.1, "risk.soft_limit_btc": 0.05}, "order_size_btc .* exceed"),
    ],
)
def test_a_bad_change_names_the_parameter_and_what_came(
    changes: dict[str, object], says: str
) -> None:
    with pytest.raises(BadParams, match=says):
        change_params(Params(), changes)


def test_a_typo_in_a_whole_set_is_an_error_not_a_default() -> None:
    with pytest.raises(BadParams, match=r"quoter\.gama"):
        parse_params({"quoter": {"gama": 0.01}})


@pytest.mark.parametrize("name", ["default.toml", "demo.toml"])
def test_the_shipped_files_are_valid_and_complete(name: str) -> None:
    raw = tomllib.loads((CONFIG / name).read_text())
    params = parse_params(raw)
    for section, model in params:
        assert isinstance(model, BaseModel)
        assert set(raw[section]) == set(type(model).model_fields), section


def test_the_default_file_says_what_the_code_does() -> None:
    assert parse_params(tomllib.loads((CONFIG / "default.toml").read_text())) == Params()


def test_every_parameter_explains_itself_and_is_bounded() -> None:
    for _, section in Params():
        for name, field in type(section).model_fields.items():
            assert field.description, name
            bounded = len(field.metadata) == 2 or get_origin(field.annotation) is Literal
            assert bounded, f"{name} needs a lower and an upper bound, or a list of words"
