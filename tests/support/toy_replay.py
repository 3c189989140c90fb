"""Replays a toy's journal and prints the numbers of records and of differences.

python -m tests.support.toy_replay FOLDER NAME
"""

import sys
from pathlib import Path

from backtest.world import replay
from shared.shell.journal import journal_parts, read_parts
from tests.support.toy_service import build

if __name__ == "__main__":
    folder, name = Path(sys.argv[1]), sys.argv[2]
    header, records = read_parts(journal_parts(folder, name))
    kept = list(records)
    print(len(kept), len(replay(header, kept, build(name))))
