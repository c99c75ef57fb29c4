"""Starts the deduplicator: `python -m services.deduplicator [sketch|decide]`, both roles by default."""

import sys
from typing import cast, get_args

from services.deduplicator.run import Role, run
from shared.service import main

_role = sys.argv[1] if len(sys.argv) > 1 else "both"
if _role not in get_args(Role):
    sys.exit(f"unknown role {_role}: choose one of {', '.join(get_args(Role))}")
main(lambda settings: run(settings, cast(Role, _role)))
