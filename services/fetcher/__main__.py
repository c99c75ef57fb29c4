"""Starts the fetcher: `python -m services.fetcher`."""

from services.fetcher.run import run
from shared.service import main

main(run)
