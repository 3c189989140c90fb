"""Rules on the project's own source that no ready-made tool checks.

Sizes and names of modules; what pure code must not call or iterate; what a test must contain; what
no text file may say. Imports are not looked at here: the contracts in pyproject.toml see them
through every detour. Run as a module it checks every file that git tracks or would track.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from console.setup import ROOT

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
VAGUE_NAMES = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})
PURE_PACKAGES = frozenset({"backtest", "calibration", "mock_deribit", "services", "shared"})

# hash() of a string and id() differ from run to run; the others touch the outside world.
IMPURE_CALLS = frozenset({"breakpoint", "hash", "id", "input", "open", "print"})
# Calls whose result depends on the order in which their argument is walked.
ORDERED_CALLS = frozenset({"enumerate", "iter", "list", "map", "next", "tuple", "zip"})
SET_METHODS = frozenset({"difference", "intersection", "symmetric_difference", "union"})
SLEEPS = frozenset({"asyncio.sleep", "time.sleep", "sleep"})
CLAIMS = frozenset({"fail", "raises", "until", "warns"})

TEXT_RULES = (
    (
        re.compile(r"(?<![\w.$}~-])/(?:home|opt|root|tmp|Users|work)/\w"),
        "names a path of one machine; say it relative to the project",
    ),
    (
        re.compile(r"pypi\.org|python[h]osted|--(?:extra-)?index-url|--find[-]links"),
        "names a package index; which index is used is the machine's own setting",
    ),
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = list[ast.AST]
"""Every node of one top-level statement."""


class Finding(NamedTuple):
    """A rule broken at a place."""

    path: PurePosixPath
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def is_pure(path: PurePosixPath) -> bool:
    """Whether the module is one of those that may not touch the outside world."""
    names = {*path.parts[:-1], path.stem}
    return path.parts[0] in PURE_PACKAGES and not names & {"shell", "__main__"}


def is_test(path: PurePosixPath) -> bool:
    """Whether pytest collects tests from the module."""
    return path.parts[0] == "tests" and path.name.startswith("test_")


def check_text(path: PurePosixPath, text: str) -> Iterator[Finding]:
    """What no file may say, whatever its kind."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, message in TEXT_RULES:
            if pattern.search(line):
                yield Finding(path, number, message)


def check_module(path: PurePosixPath, text: str) -> Iterator[Finding]:
    """Every rule on one Python module."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield Finding(path, error.lineno or 1, f"is not Python: {error.msg}")
        return
    lines = len(text.splitlines())
    if lines > MODULE_LINES_MAX:
        yield Finding(path, 1, f"module of {lines} lines; split it at {MODULE_LINES_MAX}")
    if path.stem in VAGUE_NAMES or path.parent.name in VAGUE_NAMES:
        yield Finding(path, 1, "vague module name; name it after what it owns")
    # Walked once, scope by scope: this is where the time goes.
    scopes = [list(ast.walk(statement)) for statement in tree.body]
    for function in _functions(scopes):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES_MAX:
            message = f"{function.name} has {length} lines; split it at {FUNCTION_LINES_MAX}"
            yield Finding(path, function.lineno, message)
    if is_pure(path):
        yield from _check_pure(path, scopes)
    if is_test(path):
        yield from _check_tests(path, scopes)


def _functions(scopes: list[Scope]) -> Iterator[Function]:
    return (node for nodes in scopes for node in nodes if isinstance(node, Function))


def _check_pure(path: PurePosixPath, scopes: list[Scope]) -> Iterator[Finding]:
    for nodes in scopes:
        sets = _names_of_sets(nodes)
        for walked in _walked_in_order(nodes):
            if _is_set(walked, sets):
                message = "walks a set, whose order differs from run to run; sort it or use a dict"
                yield Finding(path, walked.lineno, message)
        for node in nodes:
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                    yield Finding(path, node.lineno, f"{name}() in pure code; let a shell do it")


def _names_of_sets(nodes: Scope) -> frozenset[str]:
    """The variables and attributes that one top-level function or class binds to a set."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and _is_set(node.value, frozenset()):
            names.update(ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.AnnAssign | ast.arg) and _is_set_type(node.annotation):
            names.add(ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else node.arg)
    return frozenset(names)


def _walked_in_order(nodes: Scope) -> Iterator[ast.expr]:
    """The expressions that something iterates, in an order that shows."""
    for node in nodes:
        match node:
            case ast.For(iter=walked) | ast.Starred(value=walked):
                yield walked
            case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                yield from (generator.iter for generator in node.generators)
            case ast.Call(func=ast.Name(id=name), args=[*walked]) if name in ORDERED_CALLS:
                yield from walked
            case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=[walked]):
                yield walked


def _is_set_type(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    return isinstance(annotation, ast.Name) and annotation.id in {"set", "frozenset", "Set"}


def _is_set(value: ast.expr, names: frozenset[str]) -> bool:
    match value:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(attr=method, value=owner)) if method in SET_METHODS:
            return _is_set(owner, names)
        case ast.BinOp(op=ast.Sub() | ast.BitAnd() | ast.BitOr() | ast.BitXor()):
            return any(_is_set(s, names) or _is_keys(s) for s in (value.left, value.right))
        case ast.Name() | ast.Attribute():
            return ast.unparse(value) in names
    return False


def _is_keys(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).endswith(".keys")


def _check_tests(path: PurePosixPath, scopes: list[Scope]) -> Iterator[Finding]:
    for nodes in scopes:
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS:
                message = "sleeps; wait for the condition itself, with a deadline"
                yield Finding(path, node.lineno, message)
    for function in _functions(scopes):
        if function.name.startswith("test_") and not any(map(_can_fail, ast.walk(function))):
            yield Finding(path, function.lineno, f"{function.name} claims nothing; it cannot fail")


def _can_fail(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func).rpartition(".")[2]
    return called in CLAIMS or called.startswith(("assert_", "check_", "run_state_machine"))


def tracked_files(root: Path) -> list[PurePosixPath]:
    """Every file that git tracks, or would track, that is there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    names = sorted({name for name in listed.stdout.split("\0") if name})
    return [PurePosixPath(name) for name in names if (root / name).is_file()]


def check_tree(root: Path) -> list[Finding]:
    """All findings in the project at `root`."""
    findings: list[Finding] = []
    for path in tracked_files(root):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        findings.extend(check_text(path, text))
        if path.suffix == ".py":
            findings.extend(check_module(path, text))
    return findings


if __name__ == "__main__":
    found = check_tree(ROOT)
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)
