"""What survives every process: the latch above all, the parameters, and who reads which key."""

import pytest

from services.gateway.view import Gateway
from services.system import CORES
from shared import state
from shared.kernel import Nanos
from shared.messages import Kill, ParamsChanged
from shared.messages.codec import encode
from shared.params import BadParams, Params, change_params
from shared.shell.state_redis import URGENT
from shared.state import Latch, latch_of, read_latch, read_params, write_latch

KILL = Kill(ts=Nanos(7), command_id="k", by="ana", reason="drill", flatten=True)


def read_by() -> dict[str, set[str]]:
    """Key to its readers, as the module's own table says it."""
    assert state.__doc__ is not None
    table = state.__doc__.partition("holds\n")[2].partition("\n\n")[0]
    rows = [line.split("  ") for line in table.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {row[0]: set(row[2].split()) for row in cells}


def test_the_table_of_keys_says_who_is_told_what_at_the_start() -> None:
    cores = [build(Params()) for build in CORES.values()] + [Gateway(Params())]
    remembered: dict[str, set[str]] = {}
    for core in cores:
        for key in core.remembers:
            remembered.setdefault(key, set()).add(core.name)
    assert read_by() == remembered


def test_what_says_that_trading_is_off_is_written_first() -> None:
    assert URGENT == (state.KILL_LATCH, state.MODE)


@pytest.mark.parametrize("latch", [None, latch_of(KILL)])
def test_a_latch_is_read_as_it_was_written(latch: Latch | None) -> None:
    assert read_latch(write_latch(latch)) == latch


def test_a_latch_is_the_kill_that_set_it() -> None:
    latch = latch_of(KILL)
    assert (latch.reason, latch.by, latch.ts, latch.flatten) == ("drill", "ana", 7, True)


@pytest.mark.parametrize("stored", ["null", "{}", "{torn", '{"by":"ana"}', " "])
def test_whatever_is_no_latch_counts_as_one(stored: str) -> None:
    latch = read_latch(stored)
    assert latch is not None
    assert not latch.flatten
    assert "unreadable" in latch.reason


def test_a_key_never_written_or_emptied_latches_nothing() -> None:
    assert read_latch(None) is None
    assert read_latch("") is None


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False)])
def test_a_second_kill_keeps_the_first_word_and_never_takes_flattening_back(
    first: bool, second: bool
) -> None:
    earlier = Latch(reason="drill", by="ana", ts=Nanos(1), flatten=first)
    later = Latch(reason="again", by="bo", ts=Nanos(2), flatten=second)
    joined = earlier.joined(later)
    assert (joined.reason, joined.by, joined.ts, joined.flatten) == ("drill", "ana", 1, True)


def test_stored_parameters_come_back_with_whose_they_are() -> None:
    wanted = change_params(Params(), {"quoter.gamma": 0.03})
    change = ParamsChanged(ts=Nanos(5), version=4, by="ana", params=wanted.model_dump())
    found = read_params(encode(change).decode())
    assert (found.params, found.version, found.by, found.ts) == (wanted, 4, "ana", 5)


@pytest.mark.parametrize(
    "stored",
    ["", "{torn", "[]", '{"ts":1,"version":1,"by":"ana","params":{"quoter":{"gama":0.1}}}'],
)
def test_stored_parameters_that_cannot_be_used_are_refused(stored: str) -> None:
    with pytest.raises(BadParams):
        read_params(stored)
