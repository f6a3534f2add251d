"""``python -m rapid_moo`` is ``rapid-moo``."""

import sys

from rapid_moo.cli import main

if __name__ == "__main__":
    sys.exit(main())
