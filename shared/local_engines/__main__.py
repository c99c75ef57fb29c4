"""`python -m shared.local_engines lock [REPOSITORY]` writes deploy/local/engines.lock.yaml anew."""

import sys

from shared.local_engines.lock import default_repository, write_lock

if len(sys.argv) not in (2, 3) or sys.argv[1] != "lock":
    sys.exit("usage: python -m shared.local_engines lock [REPOSITORY]")
write_lock(sys.argv[2] if len(sys.argv) == 3 else default_repository())
