"""The table of verbs: the one place that says what `./mm` can do.

A verb `name` lives in `console/<name>.py`, which offers `add_arguments(parser) -> None` and
`run(args) -> int` (the exit code). Standard library only: a Python without any package reads this table.
"""

from typing import Literal, NamedTuple

Dependencies = Literal["runtime", "dev"]


class Verb(NamedTuple):
    """One row: the verb, its line in the overview, and which locked dependencies it needs."""

    name: str
    summary: str
    needs: Dependencies
    examples: tuple[str, ...] = ()


VERBS = (
    Verb("setup", "prepare the environment (every other verb does it by itself)", "dev"),
    Verb("test", "run the test suite; further arguments go to pytest", "dev", ("./mm test -k book",)),
    Verb("check", "format, lint, strict types, import contracts, rules on the source", "dev"),
)
