"""Starts the extractor: `python -m services.extractor`."""

from services.extractor.run import run
from shared.service import main

main(run)
