"""`python -m services.extractor.dates < docs.jsonl > out.jsonl`: the date mentions of documents {id, lang?, published?, text}."""

import json
import sys

from services.extractor.dates import annotate_dates


def main() -> None:
    """Annotate standard input line by line."""
    for line in sys.stdin:
        if line.strip():
            document = json.loads(line)
            record = {"id": document["id"], "mentions": annotate_dates(document)}
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
