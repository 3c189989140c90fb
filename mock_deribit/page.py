"""Owns the tables of the documentation page, made from the tables the mock itself works with.

A page is text with places between `<!-- table NAME -->` and `<!-- end -->`; `filled` puts each table into
its place, so that a page which equals its own filling tells the truth about the code.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mock_deribit.exchange.rules import Choice, Rules, choices
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
from mock_deribit.rpc.catalogue import NOT_HERE
from mock_deribit.rpc.channels import FORMS, parse
from mock_deribit.rpc.methods_subscriptions import SCOPE_OF_TOPIC
from mock_deribit.rpc.rules import FACTS, WireRules
from mock_deribit.rpc.venue import Method
from mock_deribit.settings import MockSettings
from mock_deribit.words import CLOCK, FAULTS, Field, Vocabulary

_FAMILIES = {
    "Connection": methods_session.METHODS,
    "Subscriptions": methods_subscriptions.METHODS,
    "Catalogue and platform": methods_instruments.METHODS,
    "Market": methods_market.METHODS,
    "Orders": methods_orders.METHODS,
    "Cancelling": methods_cancel.METHODS,
    "Protection and mass quotes": methods_quotes.METHODS,
    "What became of orders": methods_history.METHODS,
    "Account": methods_account.METHODS,
    "Records": methods_records.METHODS,
}

_PLACE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with every table made anew. Raises KeyError for a place with an unknown name."""

    def put(place: re.Match[str]) -> str:
        return f"{place[1]}\n{TABLES[place[2]]()}\n{place[3]}"

    return _PLACE.sub(put, page)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _methods() -> str:
    parts = []
    for family, methods in _FAMILIES.items():
        heads = (family, "what it does", "scope", "credits", "parameters")
        parts.append(_table(heads, [_method(name, method) for name, method in methods.items()]))
    return "\n".join(parts)


def _method(name: str, method: Method) -> tuple[str, ...]:
    said = (method.run.__doc__ or "").partition("\n")[0]
    credits = method.credit_class
    if method.narrowed_by:
        credits += f"; with `{method.narrowed_by}` trading"
    parameters = " ".join(f"`{word}`" for word in method.parameters)
    return f"`{name}`", said, method.scope or "", credits, parameters


def _absent() -> str:
    reasons: dict[str, list[str]] = {}
    for name, why in NOT_HERE.items():
        reasons.setdefault(why, []).append(f"`{name}`")
    return _table(("why", "methods"), [(why, " ".join(names)) for why, names in reasons.items()])


def _channels() -> str:
    rows = []
    for form in FORMS:
        channel = parse(form.example) if form.example else None
        scope = "" if channel is None or not channel.private else "trade:read"
        if channel is not None and channel.topic in SCOPE_OF_TOPIC:
            scope = SCOPE_OF_TOPIC[channel.topic]
        served = f"no: {form.absent}" if form.absent else "yes"
        rows.append((f"`{form.form}`", served, form.carries, scope))
    return _table(("channel", "served", "what it carries", "scope"), rows)


def _credits() -> str:
    limits = MockSettings().limits()
    rows = []
    for name in limits.__struct_fields__:
        limit = limits.of(name)
        rows.append((name, f"{limit.rate:g}", f"{limit.burst:g}"))
    return _table(("class", "requests a second", "at once"), rows)


def _rules() -> str:
    rows = [_rule(choice) for choice in (*choices(Rules()), *choices(WireRules()))]
    rows += [(fact.question, fact.choice, "", fact.where) for fact in FACTS]
    return _table(("what is open", "chosen", "may also be", "setting"), rows)


def _rule(choice: Choice) -> tuple[str, ...]:
    others = [_word(value) for value in choice.alternatives if value != choice.chosen]
    may_be = ", ".join(others) if choice.alternatives else "any number in bounds"
    return choice.question, _word(choice.chosen), may_be, f"rule `{choice.name}`"


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _settings() -> str:
    rows = []
    for name, field in MockSettings.model_fields.items():
        default = field.default
        shown = f"`{default}`" if isinstance(default, str | int | float) and default != "" else ""
        rows.append((f"`{name}`", shown, field.description or ""))
    return _table(("setting", "default", "meaning"), rows)


def _faults() -> str:
    return _vocabulary("fault", FAULTS)


def _clock() -> str:
    return _vocabulary("clock", CLOCK)


def _vocabulary(name: str, words: Vocabulary[Any]) -> str:
    rows = [
        (f"`{word}`", kind.does, " ".join(map(_taken, kind.takes)), "armed" if kind.armed else "")
        for word, kind in words.kinds.items()
    ]
    return _table((name, "what it does", "takes", "waits"), rows)


def _taken(field: Field) -> str:
    """Bare when it must be given, with a question mark when it may be."""
    if field.required:
        return f"`{field.name}`"
    return (
        f"`{field.name}?`"
        if field.default in (None, "")
        else f"`{field.name}={_word(field.default)}`"
    )


TABLES: dict[str, Callable[[], str]] = {
    "methods": _methods,
    "absent": _absent,
    "channels": _channels,
    "credits": _credits,
    "rules": _rules,
    "settings": _settings,
    "faults": _faults,
    "clock": _clock,
}
