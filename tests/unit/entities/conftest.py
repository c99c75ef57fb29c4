"""The knowledge of the shipped configuration, loaded once for all tests of this folder."""

from pathlib import Path

import pytest

from services.extractor.entities import Knowledge, load_knowledge

CONFIG = Path(__file__).parents[3] / "deploy" / "config"


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load_knowledge(CONFIG)
