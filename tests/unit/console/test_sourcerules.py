"""Every rule on the source flags a source that breaks it, and leaves a sound one alone."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from console.sourcerules import check_module, check_text, check_tree, is_pure

CORE = PurePosixPath("services/oms/core.py")
SHELL = PurePosixPath("services/oms/shell.py")
TEST = PurePosixPath("tests/unit/oms/test_core.py")
DOC = PurePosixPath("README.md")


def messages(path: PurePosixPath, source: str) -> str:
    return "\n".join(str(finding) for finding in check_module(path, source))


def test_a_sound_core_breaks_no_rule() -> None:
    source = '"""Owns x."""\n\ndef f(seen: set[int]) -> list[int]:\n    return sorted(seen)\n'
    assert messages(CORE, source) == ""


def test_a_module_may_have_400_lines_and_no_more() -> None:
    assert messages(CORE, "x = 1\n" * 400) == ""
    assert "module of 401 lines" in messages(CORE, "x = 1\n" * 401)


def test_a_function_may_have_70_lines_and_no_more() -> None:
    assert messages(CORE, "def f():\n" + "    x = 1\n" * 69) == ""
    assert "f has 71 lines" in messages(CORE, "def f():\n" + "    x = 1\n" * 70)


@pytest.mark.parametrize(
    "path", ["shared/utils.py", "services/oms/helpers.py", "shared/common/x.py"]
)
def test_a_vague_module_name_is_flagged(path: str) -> None:
    assert "vague module name" in messages(PurePosixPath(path), "")


def test_what_does_not_parse_is_flagged() -> None:
    assert f"{CORE}:1: is not Python" in messages(CORE, "def (:\n")


@pytest.mark.parametrize("call", ["open('x')", "hash('x')", "id(x)", "print(x)", "input()"])
def test_a_call_that_leaves_the_pure_world_is_flagged_in_pure_code_only(call: str) -> None:
    assert "in pure code" in messages(CORE, f"x = 1\n{call}\n")
    assert messages(SHELL, f"x = 1\n{call}\n") == ""


@pytest.mark.parametrize(
    "walk",
    [
        "for x in {1, 2}: pass",
        "for x in set(xs): pass",
        "for x in {x for x in xs}: pass",
        "for x in a.keys() - b.keys(): pass",
        "[x for x in frozenset(xs)]",
        "{x: 1 for x in set(xs)}",
        "sum(x for x in set(xs))",
        "list(set(xs))",
        "tuple(set(xs) | set(ys))",
        "next(iter(set(xs)))",
        "', '.join(set(xs))",
        "f(*set(xs))",
        "[*set(xs)]",
        "list(set(xs).difference(ys))",
        "def f():\n    seen = set()\n    for x in seen: pass",
        "def f(seen: set[int]):\n    for x in seen: pass",
        "def f():\n    seen: frozenset[int] = g()\n    for x in seen: pass",
        "class C:\n    def a(self): self.seen = set()\n    def b(self):\n        for x in self.seen: pass",
    ],
)
def test_a_walk_over_a_set_is_flagged_in_pure_code_only(walk: str) -> None:
    assert "walks a set" in messages(CORE, walk)
    assert messages(SHELL, walk) == ""


@pytest.mark.parametrize(
    "walk",
    [
        "for x in sorted({1, 2}): pass",
        "for x in {1: 2}: pass",
        "for x in a.keys(): pass",
        "{x + 1 for x in set(xs)}",
        "len(set(xs))",
        "1 in {1, 2}",
        "def f():\n    seen = set()\ndef g(seen):\n    for x in seen: pass",
    ],
)
def test_a_set_whose_order_does_not_show_is_fine(walk: str) -> None:
    assert messages(CORE, walk) == ""


@pytest.mark.parametrize(
    ("path", "pure"),
    [
        ("services/oms/core.py", True),
        ("shared/units.py", True),
        ("mock_deribit/exchange/book.py", True),
        ("backtest/world.py", True),
        ("services/oms/shell.py", False),
        ("services/oms/shell/venue.py", False),
        ("shared/shell/clock.py", False),
        ("services/oms/__main__.py", False),
        ("console/setup.py", False),
        ("tests/unit/test_x.py", False),
    ],
)
def test_pure_is_all_of_the_system_that_is_not_called_shell(path: str, pure: bool) -> None:
    assert is_pure(PurePosixPath(path)) is pure


@pytest.mark.parametrize("nap", ["time.sleep(1)", "await asyncio.sleep(0.1)", "sleep(1)"])
def test_a_test_that_sleeps_is_flagged(nap: str) -> None:
    source = f"async def test_it():\n    {nap}\n    assert f()\n"
    assert "test_core.py:2: sleeps" in messages(TEST, source)


def test_a_test_that_claims_nothing_is_flagged() -> None:
    source = "async def test_it():\n    f()\n"
    assert "test_it claims nothing" in messages(TEST, source)


@pytest.mark.parametrize(
    "claim",
    [
        "assert f()",
        "with pytest.raises(ValueError): f()",
        "pytest.fail('x')",
        "world.check_invariants()",
        "assert_same(1, 2)",
        "await until(lambda: done(), 'it is done')",
    ],
)
def test_a_test_with_a_claim_is_fine(claim: str) -> None:
    assert messages(TEST, f"async def test_it():\n    {claim}\n") == ""


@pytest.mark.parametrize(
    "line",
    [
        "see " + "/" + "tmp/x",
        "cd " + "/" + "work/main",
        "'" + "/" + "home/me/x'",
        "https://" + "pypi" + ".org/simple",
        "--index" + "-url x",
        "--extra-index" + "-url x",
    ],
)
def test_a_machine_path_or_a_package_index_is_flagged(line: str) -> None:
    findings = list(check_text(DOC, f"fine\n{line}\n"))
    assert [finding.line for finding in findings] == [2]


@pytest.mark.parametrize("line", ["docs/home/x", "tmpfs: /tmp", "$root/tmp/x", "../shared/data/x"])
def test_other_paths_are_fine(line: str) -> None:
    assert list(check_text(DOC, line)) == []


def test_the_tree_is_what_git_tracks_or_would_track(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    for name in ("ignored.py", "tracked.py", "new.py"):
        (tmp_path / name).write_text("def (\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    subprocess.run(["git", "add", "tracked.py"], cwd=tmp_path, check=True)
    assert [str(finding.path) for finding in check_tree(tmp_path)] == ["new.py", "tracked.py"]
