"""A frame written without the protocol's help is the frame that the protocol would have written."""

import pytest
from websockets.frames import Frame, Opcode

from mock_deribit.shell.port import text_header


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_the_head_of_a_text_frame_is_that_of_the_protocol(size: int) -> None:
    text = b"x" * size
    assert text_header(size) + text == Frame(Opcode.TEXT, text).serialize(mask=False)
