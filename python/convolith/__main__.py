"""``python -m convolith`` is the command ``convolith``."""

import sys

from convolith.cli import main

sys.exit(main())
