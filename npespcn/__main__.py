"""``python -m npespcn``."""

import sys

from npespcn.cli import main

if __name__ == "__main__":
    sys.exit(main())
