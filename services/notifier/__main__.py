"""Starts the notifier: `python -m services.notifier`."""

from services.notifier.run import run
from shared.service import main

main(run)
