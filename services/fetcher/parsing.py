"""The owner's side of the parser process: starts it when first needed, stops it when it takes too long, renews it."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from services.fetcher.transform import Item, Page

TIMEOUT_SECONDS: Final = 20.0
# lxml and trafilatura keep what they have seen: a new process every so often keeps memory flat.
DOCUMENTS_PER_PROCESS: Final = 500
_PACKAGES: Final = Path(__file__).resolve().parents[2]
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class ParseFailed(Exception):
    """The document cannot be read as what it should be; the message says why."""


class Parser:
    """One parser process, used by one caller at a time; `close` ends it."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        self.timeout = timeout
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._documents = 0

    async def feed(self, body: bytes, url: str, content_type: str | None) -> list[Item]:
        """Return the items of a feed document. Raises `ParseFailed`."""
        answer = await self._ask("feed", body, url, content_type)
        return [Item.model_validate(item) for item in answer["items"]]

    async def page(self, body: bytes, url: str, content_type: str | None) -> Page:
        """Return the article of a page; its text is empty when there is none. Raises `ParseFailed`."""
        answer = await self._ask("page", body, url, content_type)
        return Page.model_validate(answer["page"])

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, kind: str, body: bytes, url: str, content_type: str | None) -> dict[str, Any]:
        request = {"kind": kind, "url": url, "content_type": content_type, "length": len(body)}
        async with self._lock:
            finished = False
            try:
                answer = await asyncio.wait_for(
                    self._exchange(json.dumps(request).encode() + b"\n" + body), self.timeout
                )
                finished = True
            except TimeoutError:
                raise ParseFailed(f"not parsed within {self.timeout:g} s") from None
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                raise ParseFailed(f"the parser stopped: {error}") from None
            finally:
                if not finished or self._documents >= DOCUMENTS_PER_PROCESS:
                    await self.close()
        if "error" in answer:
            raise ParseFailed(answer["error"])
        return answer

    async def _exchange(self, request: bytes) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._documents = 0
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.fetcher.parser_process", cwd=_PACKAGES,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_MAX_ANSWER_BYTES,
            )  # fmt: skip
        self._documents += 1
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise OSError("no pipe to the parser")
        requests.write(request)
        await requests.drain()
        answer: dict[str, Any] = json.loads(await answers.readuntil(b"\n"))
        return answer
