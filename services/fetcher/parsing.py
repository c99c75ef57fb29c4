"""The owner's side of the parser processes: starts them when first needed, stops one that takes too long, renews them."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from services.fetcher.documents import Document, Page, Reading

TIMEOUT_SECONDS: Final = 20.0
# lxml and trafilatura keep what they have seen: a new process every so often keeps memory flat.
DOCUMENTS_PER_PROCESS: Final = 500
# A page takes 160 ms of a core; each process holds 65 MB, 42 of them its own.
PROCESSES: Final = min(4, os.cpu_count() or 1)
_PACKAGES: Final = Path(__file__).resolve().parents[2]
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class ParseFailed(Exception):
    """The document cannot be read as what it should be; the message says why."""


class Parser:
    """A few parser processes, each at one document at a time; `close` ends them."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS, processes: int = PROCESSES) -> None:
        self._processes = [_Process(timeout) for _ in range(processes)]
        # The one that was free last comes first: a quiet fetcher keeps one process busy, and starts no other.
        self._free: asyncio.LifoQueue[_Process] = asyncio.LifoQueue()
        for process in reversed(self._processes):
            self._free.put_nowait(process)

    async def feed(self, body: bytes, url: str, content_type: str | None, reading: Reading) -> Document:
        """Return what a feed document holds. Raises `ParseFailed`."""
        answer = await self._ask("feed", body, url, content_type, reading)
        return Document.model_validate(answer["feed"])

    async def page(self, body: bytes, url: str, content_type: str | None, reading: Reading) -> Page:
        """Return the article of a page; its text is empty when there is none. Raises `ParseFailed`."""
        answer = await self._ask("page", body, url, content_type, reading)
        return Page.model_validate(answer["page"])

    async def links(self, body: bytes, url: str, content_type: str | None) -> list[str]:
        """Return the addresses that a page names as feeds. Raises `ParseFailed`."""
        links: list[str] = (await self._ask("links", body, url, content_type, Reading()))["links"]
        return links

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(process.close() for process in self._processes))

    async def _ask(
        self, kind: str, body: bytes, url: str, content_type: str | None, reading: Reading
    ) -> dict[str, Any]:
        request = {
            "kind": kind,
            "url": url,
            "content_type": content_type,
            "reading": reading.model_dump(exclude_defaults=True),
            "length": len(body),
        }
        process = await self._free.get()
        try:
            answer = await process.ask(json.dumps(request).encode() + b"\n" + body)
        finally:
            self._free.put_nowait(process)
        if "error" in answer:
            raise ParseFailed(answer["error"])
        return answer


class _Process:
    """One parser process, used by one caller at a time."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process: asyncio.subprocess.Process | None = None
        self._documents = 0

    async def close(self) -> None:
        """End the process; it starts again when it is asked again."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def ask(self, request: bytes) -> dict[str, Any]:
        """Return the answer to a request. Raises `ParseFailed` when there is none in time."""
        reusable = False
        try:
            answer = await asyncio.wait_for(self._exchange(request), self._timeout)
            reusable = self._documents < DOCUMENTS_PER_PROCESS and not answer.pop("worn", False)
        except TimeoutError:
            raise ParseFailed(f"not parsed within {self._timeout:g} s") from None
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise ParseFailed(f"the parser stopped: {error}") from None
        finally:
            if not reusable:
                await self.close()
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
