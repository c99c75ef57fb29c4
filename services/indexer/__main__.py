"""Starts the indexer: `python -m services.indexer`."""

from services.indexer.run import run
from shared.service import main

main(run)
