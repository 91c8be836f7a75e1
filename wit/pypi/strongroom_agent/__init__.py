"""Where the WIT package `strongroom:agent` is, for `componentize-py --wit-path`."""

from pathlib import Path

WIT = Path(__file__).parent / "wit"
