"""The process in which documents of strangers are parsed: reads requests on standard input, answers on standard output.

A request is one line of JSON (`kind`, `url`, `content_type`, `reading`, `length`) and `length` bytes of document; an answer is
one line of JSON: `{"feed": …}`, `{"links": …}`, `{"page": …}` or `{"error": "…"}`, with `"worn": true` when the process has grown
so much that its owner had better start another. It ends when its standard input does: it never outlives its owner.
"""

import json
import mmap
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from services.fetcher.documents import Reading
from services.fetcher.feed_links import feed_links
from services.fetcher.feed_parser import NotAFeed, parse_feed

# Data segment of this process: a document that needs more is refused, before the machine notices.
MEMORY_LIMIT_BYTES: Final = 400 * 1024 * 1024
# A parser at work holds 65 MB; what a large document made it take, it hardly ever gives back.
WORN_BYTES: Final = 90 * 1024 * 1024
_MEMORY: Final = Path("/proc/self/statm")


def main() -> None:
    """Answer requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory()
    # trafilatura would load it, and NumPy with it (15 MB), to filter by a language that nobody asks it for.
    sys.modules["py3langid"] = None  # type: ignore[assignment]
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request of a stream, in order."""
    while line := requests.readline():
        request = json.loads(line)
        body = requests.read(request["length"])
        found = answer(request, body)
        if resident_bytes() > WORN_BYTES:
            found["worn"] = True
        answers.write(json.dumps(found).encode() + b"\n")
        answers.flush()


def answer(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return what one document holds; whatever goes wrong in a parser is an `error`, never the end of the process."""
    try:
        reading = Reading.model_validate(request["reading"])
        if request["kind"] == "feed":
            document = parse_feed(body, request["url"], request["content_type"], reading)
            return {"feed": document.model_dump(exclude_none=True)}
        if request["kind"] == "links":
            return {"links": feed_links(body, request["url"], request["content_type"])}
        # trafilatura takes half a second and 30 MB to load: only when the first page comes.
        from services.fetcher.page_parser import parse_page

        page = parse_page(body, request["url"], request["content_type"], reading)
        return {"page": page.model_dump(exclude_none=True)}
    except (NotAFeed, UnicodeError) as refusal:
        return {"error": str(refusal)[:200]}
    except Exception as bug:  # a parser's bug on a stranger's document concerns that document only
        return {"error": f"{type(bug).__name__}: {bug}"[:200]}


def resident_bytes() -> int:
    """Return the memory this process holds; 0 where the system does not say."""
    try:
        return int(_MEMORY.read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def limit_memory() -> None:
    """Cap the data segment where the system can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))


if __name__ == "__main__":
    main()
