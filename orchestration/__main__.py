"""The command line; see `cli.py`."""

from __future__ import annotations

import sys

from orchestration.cli import main

sys.exit(main())
