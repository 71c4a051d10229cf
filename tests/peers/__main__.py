"""Prints the verdict on every case: `python -m tests.peers [folder of cases]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.peers.verdicts import cases_folder, judge_folder, report, too_many_unsupported


def main() -> int:
    """Print the report; 1 if a case failed, or too many were left out."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else cases_folder()
    with tempfile.TemporaryDirectory(prefix="northstar-peers-") as scratch:
        verdicts = judge_folder(folder, Path(scratch))
    print(report(verdicts))
    failed = any(verdict.outcome == "failed" for verdict in verdicts)
    return int(failed or too_many_unsupported(verdicts))


if __name__ == "__main__":
    sys.exit(main())
