"""``python -m incidentnb`` is the command ``incidentnb``."""

import sys

from incidentnb.cli import main

if __name__ == "__main__":
    sys.exit(main())
