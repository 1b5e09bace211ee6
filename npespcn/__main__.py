"""``python -m npespcn``."""

import sys

from npespcn.cli import main

sys.exit(main())
