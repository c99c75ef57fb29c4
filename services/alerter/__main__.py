"""Starts the alerter: `python -m services.alerter`."""

from services.alerter.run import run
from shared.service import main

main(run)
