"""`python -m graphc`: the command line."""

from __future__ import annotations

from graphc.cli import main

main()
