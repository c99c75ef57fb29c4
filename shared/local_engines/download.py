"""Brings the locked files into the cache: resumed, verified, four at a time, once for all processes."""

import hashlib
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree
from threading import Event

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from shared.local_engines.files import folder_lock, open_to_all
from shared.local_engines.lock import Artefact, repository_path
from shared.local_engines.model import EngineError

_CONNECTIONS = 4
_ATTEMPTS = 8
_CHUNK = 1 << 18
_TIMEOUT = (15, 60)  # seconds to connect, seconds without a byte


def fetch(artefacts: tuple[Artefact, ...], cache: Path, repository: str, console: Console) -> list[Path]:
    """Returns the files of `artefacts` in `cache`, in the same order, downloading what is absent or damaged.

    A download that was cut off goes on where it stopped. Raises EngineError when the repository cannot be reached
    or serves a file whose sha256 is not the lock's.
    """
    paths = [cache / artefact.file for artefact in artefacts]
    with folder_lock(cache), ThreadPoolExecutor(_CONNECTIONS) as pool:
        good = list(pool.map(_matches, artefacts, paths))
        missing = [artefact for artefact, present in zip(artefacts, good, strict=True) if not present]
        if missing:
            _fetch_missing(missing, cache, repository, console, pool)
    return paths


def unpack(archive: Path, target: Path, wanted: Callable[[str], bool], empty: tuple[str, ...]) -> None:
    """Unpacks the members of a zip whose path below its one top folder is `wanted`, and makes the `empty` folders.

    `target` appears complete or not at all.
    """
    with folder_lock(target.parent):
        if target.exists():
            return
        partial = target.with_name(f".{target.name}.partial")
        rmtree(partial, ignore_errors=True)
        with zipfile.ZipFile(archive) as source:
            top = source.namelist()[0].split("/", 1)[0]
            source.extractall(partial, [name for name in source.namelist() if wanted(name.split("/", 1)[1])])
            for name in empty:
                (partial / top / name).mkdir(exist_ok=True)
        open_to_all(partial)
        (partial / top).rename(target)
        rmtree(partial)


def _matches(artefact: Artefact, path: Path) -> bool:
    return path.is_file() and path.stat().st_size == artefact.size and _sha256(path) == artefact.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _fetch_missing(
    missing: list[Artefact], cache: Path, repository: str, console: Console, pool: ThreadPoolExecutor
) -> None:
    total = sum(artefact.size for artefact in missing)
    console.print(f"fetching {len(missing)} files of the engines ({total / 1e6:.0f} MB) to {cache}", soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("engines", total=total)
        stopped = Event()

        def advance(count: int) -> None:
            if stopped.is_set():
                raise EngineError("the download was stopped; start again (it resumes)")
            progress.advance(task, count)

        jobs = [pool.submit(_fetch_one, artefact, cache, repository, advance) for artefact in missing]
        try:
            for artefact, job in zip(missing, jobs, strict=True):
                job.result()
                if not console.is_terminal and artefact.size > 1_000_000:
                    console.print(f"fetched {artefact.file} ({artefact.size / 1e6:.0f} MB)", soft_wrap=True)
        except BaseException:
            stopped.set()  # Ctrl-C or one bad file ends the others too
            raise


def _fetch_one(artefact: Artefact, cache: Path, repository: str, advance: Callable[[int], None]) -> None:
    address = f"{repository.rstrip('/')}/{repository_path(artefact.coordinates)}"
    partial = cache / f"{artefact.file}.part"
    advance(partial.stat().st_size if partial.exists() else 0)
    try:
        for attempt in Retrying(
            retry=retry_if_exception(_is_passing),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=10),
            reraise=True,
        ):
            with attempt:
                _continue(address, partial, artefact.size, advance)
    except requests.RequestException as error:
        raise EngineError(
            f"cannot fetch {artefact.file} from {address}: {error}; check the network, "
            "or set FRONTWIRE_MAVEN_REPOSITORY to a mirror, and start again (it resumes)"
        ) from error
    got = _sha256(partial)
    if got != artefact.sha256:
        partial.unlink()
        raise EngineError(
            f"{artefact.file} from {address} is not the file of the lock: expected sha256 {artefact.sha256}, got {got}; "
            "it was deleted: start again, and if it happens twice, distrust the repository or proxy in between"
        )
    partial.chmod(0o644)
    partial.replace(cache / artefact.file)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, requests.RequestException)


def _continue(address: str, partial: Path, size: int, advance: Callable[[int], None]) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if have > size:
        partial.unlink()
        have = 0
    if have == size:
        return
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    with requests.get(address, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        with partial.open("ab" if resumed else "wb") as out:
            for chunk in answer.iter_content(_CHUNK):
                out.write(chunk)
                advance(len(chunk))
    if partial.stat().st_size < size:
        raise requests.ConnectionError(f"the connection ended after {partial.stat().st_size} of {size} bytes")
