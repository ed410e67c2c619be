"""`python -m deploy.demo up | stop | reset | status`."""

import sys

from deploy.demo.commands import main

if __name__ == "__main__":
    sys.exit(main())
