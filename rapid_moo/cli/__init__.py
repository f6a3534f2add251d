"""The command line: ``rapid-moo problems | data | audit | tune | search | compare``."""

from rapid_moo.cli.main import main

__all__ = ["main"]
