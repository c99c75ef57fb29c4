"""What a fetcher holds in memory while a site sends it bombs: `frontwire fetch --once` in a process of its own."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest

from services.commands.common import project_folder
from tests.support.site import serving

# A command is started.
pytestmark = pytest.mark.slow

BOMB_MEGABYTES = 60
# The fetcher and the one parser it starts have 250 MB together; the larger of the two may have half of it.
MOST_MEGABYTES = 125
# Prints the peak memory in kB of the largest process under a command.
WATCHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def packed(packer: Any, give: str, end: str) -> bytes:
    """Return 60 MB of blanks compressed, made piece by piece: a forked process begins with the memory of its parent."""
    blanks = b" " * 1_000_000
    parts: list[bytes] = [getattr(packer, give)(blanks) for _ in range(BOMB_MEGABYTES)]
    return b"".join([*parts, getattr(packer, end)()])


def test_bombs_in_feeds_and_pages_do_not_fill_memory(tmp_path: Path) -> None:
    single = packed(zlib.compressobj(wbits=31), "compress", "flush")
    with serving() as site:
        site.pages = {
            "/single": (200, {"Content-Encoding": "gzip"}, single),
            "/double": (200, {"Content-Encoding": "gzip"}, gzip.compress(single)),
            "/brotli": (200, {"Content-Encoding": "br"}, packed(brotli.Compressor(quality=1), "process", "finish")),
            "/sitemap.xml.gz": (200, {}, single),
        }
        text = "<link>/single</link><title>Tin</title><description>Lời tóm tắt của tờ báo.</description>"
        site.pages["/rss"] = (200, {}, f"<rss version='2.0'><channel><item>{text}</item></channel></rss>")
        host = f"127.0.0.1:{site.server_port}"
        feeds = [{"name": path, "url": f"http://{host}{path}", "allow_private": [host]} for path in sorted(site.pages)]
        (tmp_path / "feeds.yaml").write_text(json.dumps({"delay": "0s", "feeds": feeds}), encoding="utf-8")
        command = [sys.executable, "-m", "services.cli", "fetch", "--once", "--feeds", str(tmp_path / "feeds.yaml")]
        watched = subprocess.run(
            [sys.executable, "-c", WATCHED, *command],
            cwd=project_folder(), capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    *articles, peak = watched.stdout.splitlines()
    assert [json.loads(article)["text"] for article in articles] == ["Lời tóm tắt của tờ báo."]
    reasons = dict(line.split(": ")[:2] for line in watched.stderr.splitlines() if line.startswith("/"))
    assert reasons == {
        "/brotli": "too_large", "/double": "unparsable", "/single": "too_large", "/sitemap.xml.gz": "unparsable",
    }  # fmt: skip
    assert int(peak) / 1000 < MOST_MEGABYTES
