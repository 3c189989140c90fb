"""The dispatcher behind `./mm`: explains itself, prepares `.venv`, hands over to the verb's module.

Standard library only: it starts in any Python and continues in the project's own.
"""

import argparse
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

from console.setup import SetupFailed, project
from console.verbs import VERBS, Verb

OVERVIEW = """\
A market maker for BTC perpetual and dated futures on Deribit.

usage: ./mm VERB [options]      (./mm VERB --help tells the options of a verb)

{verbs}

examples:
{examples}
"""


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong option is answered by one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mm: {message}; '{self.prog} --help' tells the options.\n")


def overview() -> str:
    """What `./mm` alone prints."""
    width = max(len(verb.name) for verb in VERBS)
    return OVERVIEW.format(
        verbs="\n".join(f"  {verb.name:<{width}}  {verb.summary}" for verb in VERBS),
        examples="\n".join(f"  {example}" for verb in VERBS for example in verb.examples),
    )


def unknown(name: str) -> str:
    """The line for a verb that is not there."""
    near = get_close_matches(name, [verb.name for verb in VERBS], n=1)
    what_to_do = f"did you mean './mm {near[0]}'?" if near else "./mm alone lists the verbs."
    return f"mm: there is no verb '{name}'; {what_to_do}"


def hand_over(verb: Verb, arguments: list[str]) -> int:
    """Run the verb's module; its environment is complete and this Python is in it."""
    module = import_module(f"console.{verb.name}")
    parser = Parser(prog=f"./mm {verb.name}", description=verb.summary, allow_abbrev=False)
    module.add_arguments(parser)
    if not verb.passes_on:
        return int(module.run(parser.parse_args(arguments)))
    args, further = parser.parse_known_args(arguments)
    args.further = further
    return int(module.run(args))


def main(arguments: list[str]) -> int:
    """The exit code: 0 done, 1 failed, 2 not understood."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(overview(), end="")
        return 0
    verb = next((verb for verb in VERBS if verb.name == arguments[0]), None)
    if verb is None:
        print(unknown(arguments[0]), file=sys.stderr)
        return 2
    ours = project()
    try:
        ours.ensure(verb.needs)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    if sys.prefix != str(ours.folder):
        os.execv(ours.python, [str(ours.python), "-P", "-m", "console", *arguments])
    return hand_over(verb, arguments[1:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nmm: interrupted", file=sys.stderr)
        sys.exit(130)
