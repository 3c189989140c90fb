"""The table of verbs: the one place that says what `./mm` can do.

A verb `name` lives in `console/<name>.py`, which offers `add_arguments(parser) -> None` and
`run(args) -> int` (the exit code); it is imported only when called, inside its environment.
Standard library only: a Python without any package reads this table.
"""

from typing import Literal, NamedTuple

Dependencies = Literal["runtime", "dev"]


class Verb(NamedTuple):
    """One row. With `passes_on`, arguments it does not know arrive as `args.further`."""

    name: str
    summary: str
    needs: Dependencies = "runtime"
    examples: tuple[str, ...] = ()
    passes_on: bool = False


VERBS = (
    Verb(
        "demo",
        "run the whole system here: real bus and state servers, mock exchange, five services",
        examples=("./mm demo", "./mm demo --for 60 --headless --report r.json"),
    ),
    Verb(
        "kill",
        "throw the kill switch: by the control API, or by the state store where that is dead",
        examples=("./mm kill", "./mm kill --flatten --reason lunch"),
    ),
    Verb(
        "exchange",
        "run only the mock Deribit, to point any client at",
        examples=("./mm exchange", "./mm exchange --port 0 --scenario flaky-feed --json"),
    ),
    Verb(
        "replay",
        "put a recorded book stream through the market-data service",
        examples=("./mm replay recording.jsonl.gz",),
    ),
    Verb(
        "simulate",
        "run the whole system in simulated time under seeded faults, every invariant checked",
        examples=("./mm simulate --seeds 100", "./mm simulate --replay 7"),
    ),
    Verb(
        "validate",
        "is the simulated market like a recorded one, and honest to naive probes",
        examples=("./mm validate --recordings FOLDER",),
    ),
    Verb(
        "chaos",
        "kill, hang and cut off the real services, round after round, and compare every trade",
        examples=("./mm chaos --rounds 20",),
    ),
    Verb(
        "bench",
        "measure our speed beside a floor of empty work, in the same run",
        examples=("./mm bench tick-to-order",),
    ),
    Verb(
        "test",
        "run the whole test suite; further arguments go to pytest",
        needs="dev",
        examples=("./mm test", "./mm test -k book"),
        passes_on=True,
    ),
    Verb(
        "check",
        "check format, lint, strict types, import contracts and the rules on the source",
        needs="dev",
        examples=("./mm check",),
    ),
    Verb(
        "setup",
        "prepare the environment; every other verb does so by itself",
        needs="dev",
    ),
)
