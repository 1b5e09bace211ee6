"""``python -m npespcn``."""

import sys

from npespcn.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
