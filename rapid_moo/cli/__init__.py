"""The command line: ``rapid-moo problems | data | audit | tune | search``."""

from rapid_moo.cli.main import main

__all__ = ["main"]
