"""The clean-up of plain documents: the format of `frontwire normalise`, and its figures on the development set."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.normaliser.cli_io import normalise_document
from services.normaliser.rules import Rules
from shared.errors import Reason, Rejected

pytestmark = pytest.mark.slow

LABELLED = Path(__file__).parents[4] / "shared" / "data" / "normaliser"
TEXT = (
    "Phà thay cầu sập\nHội đồng thành phố cảng thông qua kế hoạch sửa ba cây cầu bị bom đánh sập. &amp;\nẢnh: Reuters"
)


def test_one_document(rules: Rules) -> None:
    given = {"text": TEXT, "url": "https://bien.example/2025/11/21/pha", "fetched_at": "2025-11-23T00:00:00Z"}
    out = normalise_document({"id": "d1", "input": given}, rules)
    assert (out["id"], out["language"], out["languages"]) == ("d1", "vi", [])
    assert [(part["start"], part["end"], part["truncated"], part["title"]) for part in out["parts"]] == [
        (0, len(TEXT), False, "Phà thay cầu sập")
    ]
    assert [(TEXT[span["start"] : span["end"]], span["rule"]) for span in out["removed"]] == [
        ("Ảnh: Reuters", "vi.credit.line")
    ]
    assert (out["published"]["value"], out["published"]["origin"]) == ("2025-11-21", "url")
    assert out["text"] == TEXT.replace("&amp;", "&")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, Reason.MISSING_FIELD),
        ({"input": {"fetched_at": "2025-11-23T00:00:00Z"}}, Reason.MISSING_FIELD),
        ({"input": {"text": TEXT}}, Reason.WRONG_TYPE),
        ({"input": {"text": TEXT, "fetched_at": "2025-11-23T00:00:00"}}, Reason.WRONG_TYPE),
        ({"input": {"text": TEXT, "fetched_at": "2025-11-23T00:00:00Z", "title": 5}}, Reason.WRONG_TYPE),
        ({"input": {"text": " ", "fetched_at": "2025-11-23T00:00:00Z"}}, Reason.EMPTY_BODY),
    ],
)
def test_a_document_that_cannot_be_read(document: dict[str, object], reason: Reason, rules: Rules) -> None:
    with pytest.raises(Rejected) as refused:
        normalise_document(document, rules)
    assert refused.value.reason is reason


@pytest.mark.skipif(not LABELLED.is_dir(), reason="the development set is not beside the checkout")
def test_figures_on_the_development_set(rules: Rules, tmp_path: Path) -> None:
    gold = LABELLED / "dev.jsonl"
    documents = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    predictions = tmp_path / "out.jsonl"
    predictions.write_text(
        "\n".join(json.dumps(normalise_document(document, rules)) for document in documents), encoding="utf-8"
    )
    command = [sys.executable, str(LABELLED / "score.py"), str(gold), str(predictions)]
    last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    figures = {name: float(value) for name, value in (pair.split("=") for pair in last.split())}
    assert figures["removal_f1"] >= 0.95
    assert figures["body_lost"] <= 0.001
    assert figures["split_f1"] >= 0.95
    assert figures["false_splits"] == 0
    assert figures["language"] == 1
    assert figures["published"] >= 0.97
    assert figures["repair"] >= 0.95
