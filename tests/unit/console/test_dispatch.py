"""The dispatcher explains itself and answers what it does not understand with one line."""

from importlib import import_module

import pytest

from console.__main__ import Parser, main, overview, unknown
from console.verbs import VERBS


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_alone_it_lists_every_verb_and_succeeds(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert all(f"  {verb.name} " in told and verb.summary in told for verb in VERBS)


def test_the_overview_is_no_wider_than_a_terminal() -> None:
    assert max(map(len, overview().splitlines())) <= 100


def test_an_unknown_verb_is_one_line_on_stderr_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["frobnicate"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "mm: there is no verb 'frobnicate'; ./mm alone lists the verbs.\n"


def test_a_mistyped_verb_is_answered_with_the_near_one() -> None:
    assert unknown("tset").endswith("did you mean './mm test'?")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_its_module_and_its_help(
    verb: object, capsys: pytest.CaptureFixture[str]
) -> None:
    name = getattr(verb, "name", "")
    module = import_module(f"console.{name}")
    parser = Parser(prog=f"./mm {name}", allow_abbrev=False)
    module.add_arguments(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--help"])
    assert ended.value.code == 0
    assert f"usage: ./mm {name}" in capsys.readouterr().out
    assert callable(module.run)


def test_a_wrong_option_is_one_line_that_says_where_the_options_stand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        Parser(prog="./mm check").parse_args(["--bla"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told == "mm: unrecognized arguments: --bla; './mm check --help' tells the options.\n"
