"""The page of documentation says what the code does."""

from pathlib import Path

from mock_deribit.exchange.rules import Rules
from mock_deribit.page import TABLES, filled
from mock_deribit.rpc.catalogue import METHODS, NOT_HERE
from mock_deribit.rpc.channels import FORMS, parse
from mock_deribit.rpc.rules import WireRules

PAGE = Path(__file__).parents[3] / "docs" / "exchange.md"


def test_the_page_equals_the_code() -> None:
    page = PAGE.read_text()
    assert filled(page) == page, (
        "docs/exchange.md is not what the code says; "
        "make it anew with: .venv/bin/python -m mock_deribit.shell.page"
    )


def test_every_method_channel_rule_and_table_has_its_place_on_the_page() -> None:
    page = PAGE.read_text()
    words = [f"`{name}`" for name in (*METHODS, *NOT_HERE)]
    words += [f"`{name}`" for name in (*Rules.__struct_fields__, *WireRules.__struct_fields__)]
    words += [f"<!-- table {name} -->" for name in TABLES]
    assert [word for word in words if word not in page] == []


def test_every_form_of_channel_is_served_or_says_why_not() -> None:
    for form in FORMS:
        assert (parse(form.example) is None) == bool(form.absent), form.form
