"""The tape is a book that holds, moves as often as asked, and is the same for the same seed."""

import pytest

from bench.tape import TOUR, Tape, centre_price
from services.marketdata.book import L2Book
from shared.deribit.codec import decode_book
from shared.deribit.envelope import decode_frame

COUNT, MOVES = 2_000, 90


def applied(book: L2Book, data: bytes) -> None:
    frame = decode_frame(data)
    assert not isinstance(frame, str)
    assert frame.params is not None
    assert book.apply(decode_book(frame.params.data)) is None


def _on_grid(price: float) -> bool:
    """Not one of the half-dollar steps that the best price takes in between."""
    return price % 1.0 == 0.0


def test_no_frame_breaks_the_chain_or_crosses_the_book_and_a_move_centres_it() -> None:
    tape, book = Tape("7"), L2Book()
    applied(book, tape.snapshot(0))
    for frame in tape.frames(COUNT, MOVES, 0, 1000.0):
        applied(book, frame.data)
        assert book.synced
        if frame.centre is not None:
            centre, rungs = centre_price(frame.centre), (1.0, 3.0, 5.0, 7.0)
            assert [centre - price for price, _ in book.bids.top(8) if _on_grid(price)][:4] == [
                *rungs
            ]
            assert [price - centre for price, _ in book.asks.top(8) if _on_grid(price)][:4] == [
                *rungs
            ]
            assert book.bids.best == centre - 1.0
            assert book.asks.best == centre + 1.0


def test_it_moves_as_often_as_asked_along_the_tour() -> None:
    frames = Tape("7").frames(COUNT, MOVES, 0, 1000.0)
    centres = [frame.centre for frame in frames if frame.centre is not None]
    assert len(frames) == COUNT
    assert centres == [TOUR[(k + 1) % len(TOUR)] for k in range(MOVES)]


def test_the_tour_visits_every_centre_once_before_it_repeats_one() -> None:
    assert sorted(TOUR) == list(range(len(TOUR)))


def test_a_snapshot_taken_later_continues_the_chain() -> None:
    tape, book = Tape("7"), L2Book()
    tape.frames(100, 4, 0, 1000.0)
    applied(book, tape.snapshot(0))
    for frame in tape.frames(100, 4, 0, 1000.0):
        applied(book, frame.data)
    assert book.synced


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, same, other = (Tape(seed).frames(200, 8, 0, 1000.0) for seed in ("7", "7", "8"))
    assert first == same
    assert first != other


def test_more_moves_than_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 3 moves"):
        Tape("7").frames(3, 4, 0, 1000.0)
