"""Journals: the format, the files, their bounds, and ends torn by a crash."""

import asyncio
import resource
from pathlib import Path

import pytest

from shared.journal import (
    Header,
    MalformedJournal,
    decode_header,
    decode_record,
    decode_records,
    encode_effects,
    encode_header,
    encode_record,
)
from shared.kernel import Effect, FrameIn, Nanos, Publish, Send, Started, Store, Wake, WakeAt
from shared.shell.journal import (
    Journals,
    JournalWriter,
    journal_parts,
    read_journal,
    read_parts,
)
from tests.support.toys import refusal
from tests.support.waiting import until

EFFECTS: tuple[Effect, ...] = (
    Publish(refusal(Nanos(7), 3)),
    Send("private", b"\x00frame"),
    WakeAt("t", Nanos(9)),
    Store("k", "v"),
)


def header(core: str = "oms", incarnation: int = 5) -> Header:
    return Header(core=core, version="1", incarnation=incarnation, part=0, config={"a": [1, "b"]})


def test_a_record_comes_back_as_it_was_and_its_effects_as_bytes() -> None:
    event = FrameIn(link="private", data=b"\xff{}")
    line = encode_record(Nanos(11), event, EFFECTS)
    assert line.endswith(b"\n")
    record = decode_record(line)
    assert (record.now, record.event) == (11, event)
    assert bytes(record.effects) == encode_effects(list(EFFECTS))


def test_a_header_comes_back_and_another_format_is_refused() -> None:
    assert decode_header(encode_header(header())) == header()
    with pytest.raises(MalformedJournal, match="the file has 2"):
        decode_header(encode_header(header()).replace(b'"format":1', b'"format":2'))
    with pytest.raises(MalformedJournal, match="not a journal header"):
        decode_header(b"")


def test_a_torn_last_line_is_left_out_and_a_broken_one_within_is_an_error() -> None:
    whole = encode_record(Nanos(1), Wake(timer="t"), ())
    assert len(list(decode_records([whole, whole[:-5]]))) == 1
    with pytest.raises(MalformedJournal, match="not a journal record"):
        list(decode_records([whole[:-5] + b"\n", whole]))


async def written(folder: Path, count: int, bytes_max: int = 2**20, incarnation: int = 5) -> None:
    """A journal of numbered wakes."""
    writer = JournalWriter(folder, header(incarnation=incarnation), bytes_max)
    for number in range(count):
        writer.append(Nanos(number), Wake(timer=f"{number * 7919 % 10_007:x}" * 30), EFFECTS)
        if number % 500 == 0:
            await writer.flush()
    await writer.close()


async def test_a_file_gives_back_header_and_records(tmp_path: Path) -> None:
    await written(tmp_path, 1_200)
    (path,) = journal_parts(tmp_path, "oms")
    found, records = read_journal(path)
    assert found == header()
    assert [record.now for record in records] == list(range(1_200))


async def test_a_file_torn_anywhere_gives_back_a_beginning(tmp_path: Path) -> None:
    await written(tmp_path, 600)
    (path,) = journal_parts(tmp_path, "oms")
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        times = [record.now for record in read_journal(path)[1]]
        assert times == list(range(len(times)))
    assert len(times) >= 501


async def test_files_rotate_and_the_oldest_go_when_the_space_is_used_up(tmp_path: Path) -> None:
    bytes_max = 64_000
    await written(tmp_path, 20_000, bytes_max)
    parts = journal_parts(tmp_path, "oms")
    assert len(parts) > 2
    assert sum(path.stat().st_size for path in parts) <= bytes_max * 1.2
    assert "-00000" not in parts[0].name
    found, records = read_parts(parts)
    times = [record.now for record in records]
    assert found.part > 0
    assert times == list(range(times[0], 20_000))


async def test_the_latest_incarnation_is_found_and_old_ones_make_room(tmp_path: Path) -> None:
    for incarnation in (3, 20, 100):
        await written(tmp_path, 100, incarnation=incarnation)
    assert [path.name[:14] for path in journal_parts(tmp_path, "oms")] == ["00000000000100"]
    assert len(journal_parts(tmp_path, "oms", 20)) == 1
    assert journal_parts(tmp_path, "quoter") == []


async def test_a_full_disk_ends_the_journal_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted", encoding="utf-8")
    journals = Journals(blocked, [header("oms"), header("risk")], 2**20)
    journals.note("oms", Nanos(1), Started(incarnation=1), EFFECTS)
    await journals.close()
    journals.note("oms", Nanos(2), Started(incarnation=1), EFFECTS)
    assert journals.pending == 0
    assert "journal ended" in caplog.text


async def test_a_flush_that_is_cut_short_by_the_end_leaves_no_hole(tmp_path: Path) -> None:
    count = 20_000
    journals = Journals(tmp_path, [header()], 2**26)
    keeping = asyncio.create_task(journals.keep())
    for number in range(count):
        journals.note("oms", Nanos(number), Wake(timer="t"), EFFECTS)
    await until(lambda: journals.pending < count, "a flush has begun")
    journals.note("oms", Nanos(count), Wake(timer="stop"), EFFECTS)
    keeping.cancel()
    await asyncio.wait((keeping,))
    await journals.close()
    _, records = read_parts(journal_parts(tmp_path, "oms"))
    assert [record.now for record in records] == list(range(count + 1))


async def test_a_disk_that_fills_up_later_does_not_keep_the_process_from_ending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journals = Journals(tmp_path, [header()], 2**26)
    journals.note("oms", Nanos(1), Wake(timer="t"), EFFECTS)
    keeping = asyncio.create_task(journals.keep())
    await until(lambda: journal_parts(tmp_path, "oms"), "a file")
    keeping.cancel()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        journals.note("oms", Nanos(2), Wake(timer="t"), EFFECTS)
        await journals.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "journal ended" in caplog.text


async def test_rubbish_among_the_files_stops_no_writer_and_is_named_when_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "oms").mkdir()
    rubbish = tmp_path / "oms" / f"{3:014d}-00000.jsonl.gz"
    rubbish.write_bytes(bytes(range(256)))
    journals = Journals(tmp_path, [header()], 2**20)
    journals.note("oms", Nanos(11), Started(incarnation=5), EFFECTS)
    await journals.close()
    found, records = read_parts(journal_parts(tmp_path, "oms"))
    assert (found.incarnation, len(list(records))) == (5, 1)
    with pytest.raises((OSError, MalformedJournal)):
        read_journal(rubbish)


async def test_a_folder_that_cannot_be_one_ends_the_journal_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "oms").write_text("a file where the folder should be")
    journals = Journals(tmp_path, [header()], 2**20)
    journals.note("oms", Nanos(11), Started(incarnation=5), EFFECTS)
    await journals.close()
    assert "journal ended" in caplog.text
    assert journals.pending == 0
