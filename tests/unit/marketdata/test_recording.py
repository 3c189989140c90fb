"""What is written can be read, a whole recording replays through the core, and a bad one is told apart."""

import argparse
import gzip
import json
from pathlib import Path

import pytest

from console import replay as verb
from mock_deribit.faults import CrossedBook, DropFrames
from services.marketdata.core import Marketdata
from services.marketdata.recorder import Rotation, entry_of
from services.marketdata.replay import Summary, replay
from services.marketdata.shell import Recording, lines_of, recorded
from shared.kernel import FrameIn, LinkDown, LinkUp, Nanos, Started, Wake
from shared.messages import Book
from shared.params import Params
from shared.recordings.frames import (
    HEADER,
    Entry,
    MalformedRecording,
    decode_entry,
    encode_entry,
)
from shared.shell.settings import SettingsError
from shared.units import SECOND, Side
from tests.unit.marketdata.scene import PERPETUAL, Scene

DATA = Path(__file__).parents[4] / "shared" / "data" / "deribit"
TARDIS = DATA / "tardis-node" / "BTC-PERPETUAL_book_change_and_trades_2019-04-01T00-00.jsonl.gz"
CHANNEL = f"book.{PERPETUAL}.100ms"


def test_an_entry_survives_the_line() -> None:
    for entry in (
        Entry(Nanos(1_790_000_000_123_456_789), "frame", '{"a":"é\\n"}\n'),
        Entry(Nanos(2), "down", "cut"),
        Entry(Nanos(3), "up", ""),
    ):
        line = encode_entry(entry)
        assert b"\n" not in line
        assert decode_entry(line) == entry


def test_frames_and_the_line_are_recorded_and_nothing_else() -> None:
    now = Nanos(5)
    assert entry_of(now, FrameIn(link="public", data=b"{}")) == Entry(now, "frame", "{}")
    assert entry_of(now, LinkUp(link="public")) == Entry(now, "up", "")
    assert entry_of(now, LinkDown(link="public", reason="x")) == Entry(now, "down", "x")
    assert entry_of(now, LinkUp(link="bus")) is None
    assert entry_of(now, Wake(timer="health")) is None


@pytest.mark.parametrize("line", [b"", b"[1]", b'[1,"song","x"]', b'{"at":1}', b'["x","frame",""]'])
def test_a_line_that_is_none_is_refused_with_what_was_expected(line: bytes) -> None:
    with pytest.raises(MalformedRecording, match="expected \\[time, kind, text\\]"):
        decode_entry(line)


def test_segments_are_started_when_full_and_the_oldest_go() -> None:
    rotation = Rotation(segment_bytes=100, segments=2, existing=("1.jsonl.gz",))
    due = [rotation.due]
    assert rotation.start(Nanos(2_000_000)) == ("2.jsonl.gz", ())
    for size in (99, 1):
        rotation.wrote(size)
        due.append(rotation.due)
    assert due == [True, False, True]
    assert rotation.start(Nanos(3_000_000)) == ("3.jsonl.gz", ("1.jsonl.gz",))
    rotation.wrote(100)
    assert rotation.start(Nanos(4_000_000)) == ("4.jsonl.gz", ("2.jsonl.gz",))


class RecordedScene(Scene):
    """A scene whose core has a recorder on its line."""

    def __init__(self, folder: Path, segment_bytes: int = 10**9, segments: int = 10) -> None:
        super().__init__()
        self.core = Recording(Marketdata(Params()), folder, Rotation(segment_bytes, segments))
        self.tell(Started(incarnation=1))


def recording_of(folder: Path, *, gap: bool = False, crossed: bool = False) -> list[Path]:
    """The files of a few seconds on the mock, with the faults asked for."""
    play(RecordedScene(folder), gap=gap, crossed=crossed)
    return sorted(folder.glob("*.jsonl.gz"))


def play(scene: Scene, *, gap: bool = False, crossed: bool = False) -> None:
    """A few seconds in which the book changes, from the connection to the end of the service."""
    scene.connect()
    for step in range(20):
        if gap and step == 10:
            scene.bench.fault(DropFrames(channel=CHANNEL))
        if crossed and step == 10:
            scene.bench.fault(CrossedBook(instrument=PERPETUAL))
        scene.bench.others(PERPETUAL, Side.BUY, 59_990.0 + step * 0.5, 10.0)
        scene.pass_time(0.2)
    scene.tell(Wake(timer="stop"))


def replayed(files: list[Path]) -> Summary:
    return replay(lambda: lines_of(files))


def test_what_was_recorded_replays_to_the_same_books(tmp_path: Path) -> None:
    scene = RecordedScene(tmp_path)
    play(scene)
    summary = replayed(list(tmp_path.iterdir()))
    assert summary.is_clean
    assert len(summary.spreads) == 3
    published = {book.change_id for book in scene.heard(Book, PERPETUAL)}
    assert summary.spreads[PERPETUAL].books == len(published) > 5
    assert summary.anomalies == []
    assert summary.seconds == pytest.approx(4.0, abs=0.5)


def test_a_gap_in_a_recording_is_found(tmp_path: Path) -> None:
    summary = replayed(recording_of(tmp_path, gap=True))
    assert not summary.is_clean
    assert summary.counters["gaps"] == 1
    assert summary.anomalies[0].startswith("book_gap: BTC-PERPETUAL: expected a change of ")


def test_a_crossed_book_in_a_recording_is_found(tmp_path: Path) -> None:
    summary = replayed(recording_of(tmp_path, crossed=True))
    assert not summary.is_clean
    assert summary.counters["crossed"] == 1


def test_a_frame_taken_out_of_a_good_recording_is_a_gap(tmp_path: Path) -> None:
    (file,) = recording_of(tmp_path)
    lines = gzip.decompress(file.read_bytes()).splitlines()
    changes = [n for n, line in enumerate(lines) if b"prev_change_id" in line]
    del lines[changes[len(changes) // 2]]
    assert replay(lambda: lines).counters["gaps"] == 1


def test_every_segment_replays_by_itself(tmp_path: Path) -> None:
    scene = RecordedScene(tmp_path, segment_bytes=12_000)
    scene.connect()
    for step in range(60):
        scene.bench.others(PERPETUAL, Side.BUY, 59_990.0 + step % 19 * 0.5, 10.0)
        scene.pass_time(0.2)
    scene.tell(Wake(timer="stop"))
    files = sorted(tmp_path.glob("*.jsonl.gz"))
    assert len(files) >= 3
    for file in files:
        summary = replayed([file])
        assert summary.is_clean, (file, summary)
        assert len(summary.spreads) == 3
    assert replayed(files).is_clean


def test_only_so_many_segments_are_kept(tmp_path: Path) -> None:
    scene = RecordedScene(tmp_path, segment_bytes=20_000, segments=2)
    scene.connect()
    for step in range(60):
        scene.bench.others(PERPETUAL, Side.BUY, 59_990.0 + step % 19 * 0.5, 10.0)
        scene.pass_time(0.2)
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 2


def test_a_recording_that_ends_in_the_middle_is_read_so_far(tmp_path: Path) -> None:
    (file,) = recording_of(tmp_path)
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(file.read_bytes()[:-200])
    whole, part = list(lines_of([file])), list(lines_of([torn]))
    assert 0 < len(part) <= len(whole)
    assert part == whole[: len(part)]


def test_a_disk_that_fails_ends_the_recording_and_not_the_service(tmp_path: Path) -> None:
    core = Marketdata(Params())
    recording = Recording(core, tmp_path / "not there", Rotation(100, 1))
    assert recording.handle(SECOND, Started(incarnation=1))
    assert recording.handle(Nanos(2 * SECOND), LinkUp(link="public"))
    assert recording.handle(Nanos(3 * SECOND), FrameIn(link="public", data=b"x"))


def test_recording_is_off_unless_asked_for_and_its_settings_are_checked(tmp_path: Path) -> None:
    core = Marketdata(Params())
    assert recorded(core, {}) is core
    folder = tmp_path / "new" / "folder"
    assert isinstance(recorded(core, {"MM_RECORD_DIR": str(folder)}), Recording)
    assert folder.is_dir()
    for size in ("much", "1", "-5"):
        with pytest.raises(SettingsError, match="MM_RECORD_MB_MAX: expected whole megabytes"):
            recorded(core, {"MM_RECORD_DIR": str(folder), "MM_RECORD_MB_MAX": size})
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="MM_RECORD_DIR"):
        recorded(core, {"MM_RECORD_DIR": str(tmp_path / "file" / "below")})


@pytest.mark.skipif(
    not TARDIS.exists(), reason=f"the recorded book stream is not here: {TARDIS.name}"
)
def test_a_minute_of_production_replays_without_a_gap_or_a_crossed_book() -> None:
    summary = replayed([TARDIS])
    counters = summary.counters
    assert summary.is_clean
    assert (summary.frames, counters["books"], counters["trades"]) == (3778, 3770, 8)
    assert (counters["gaps"], counters["crossed"], counters["missed_trades"]) == (0, 0, 0)
    # One tick, as it was in 2019, from the first book to the last.
    spread = summary.spreads[PERPETUAL]
    assert (spread.least, spread.greatest) == (0.25, 0.25)
    assert summary.seconds == pytest.approx(59.56, abs=0.01)


@pytest.mark.skipif(
    not TARDIS.exists(), reason=f"the recorded book stream is not here: {TARDIS.name}"
)
def test_the_same_minute_with_one_bid_above_the_market_is_crossed() -> None:
    lines = list(lines_of([TARDIS]))
    record = json.loads(lines[2000])
    record["bids"].append({"price": 5000.0, "amount": 10})
    lines[2000] = json.dumps(record).encode()
    summary = replay(lambda: lines)
    assert summary.counters["crossed"] == 1
    assert not summary.is_clean


def arguments(*files: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return parser.parse_args([str(file) for file in files])


def test_the_verb_prints_the_figures_and_says_by_its_exit_code_whether_all_was_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.run(arguments(*recording_of(tmp_path))) == 0
    out = capsys.readouterr().out
    assert "gaps                       0" in out
    assert "BTC-PERPETUAL" in out
    bad = tmp_path / "bad"
    bad.mkdir()
    assert verb.run(arguments(*recording_of(bad, gap=True))) == 1
    assert "book_gap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the recording is empty"),
        (b"hello\n", "expected a recording of this system"),
        (HEADER + b"\nhello\n", "expected [time, kind, text]"),
        (b'{"localTimestamp":1}\n', "line 1"),
    ],
)
def test_a_file_that_is_no_recording_is_one_clear_line(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.jsonl"
    file.write_bytes(content)
    assert verb.run(arguments(file)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert verb.run(arguments(tmp_path / "missing.gz")) == 1
    assert "No such file" in capsys.readouterr().err
