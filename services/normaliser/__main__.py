"""Starts the normaliser: `python -m services.normaliser`."""

from services.normaliser.run import run
from shared.service import main

main(run)
