"""``python -m tutorials.exercises``."""

import sys

from tutorials.exercises.checker.cli import main

sys.exit(main())
