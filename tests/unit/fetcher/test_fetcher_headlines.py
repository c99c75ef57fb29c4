"""Headlines are what a feed gives in any case: their language must be told offline, Vietnamese without accents included."""

import json
import subprocess
import sys

import pytest

from services.commands.common import project_folder

# The identifier's model is loaded, in a process of its own: its memory is measured.
pytestmark = pytest.mark.slow


def test_the_language_of_ninety_eight_of_a_hundred_headlines_is_right_in_little_memory() -> None:
    command = [sys.executable, "-m", "tests.bench.headlines"]
    measured = json.loads(subprocess.run(command, cwd=project_folder(), capture_output=True, check=True).stdout)
    assert measured["headlines"] == 100
    assert len(measured["wrong"]) <= 2, measured["wrong"]
    assert measured["resident_mb"] < 150
    assert measured["peak_mb"] is None or measured["peak_mb"] < 150
