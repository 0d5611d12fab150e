"""Files from the network: resumed where they broke off, checked, and whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte


def download(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    md5: str | None = None,
    progress: bool = False,
) -> Path:
    """Fetch `url` to `path`, unless the file is there already.

    What has come so far is kept in ``path.part``: a download that was interrupted, by Ctrl-C or by
    the network, goes on from there at the next call. `path` itself appears when all of it has come
    and its checksum is right.

    Parameters
    ----------
    url : str
        http or https.
    path : path
        The file; its directory is made if it is not there.
    sha256, md5 : str, optional
        Checksums, in hexadecimal digits.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    Path

    Raises
    ------
    ConnectionError
        If the server cannot be reached, refuses, or breaks off.
    ValueError
        If a checksum is wrong: the file is removed, and both sums are named.
    OSError
        If the file cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"download: {url}: expected an address with http:// or https://")
    path = Path(path)
    if path.is_file():
        _verify(path, url, sha256=sha256, md5=md5)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _fetch(url, part, progress)
    _verify(part, url, sha256=sha256, md5=md5)
    part.replace(path)
    return path


def _verify(path: Path, url: str, **expected: str | None) -> None:
    for kind, wanted in expected.items():
        if wanted is None:
            continue
        digest = hashlib.new(kind, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != wanted.lower():
            path.unlink()
            raise ValueError(
                f"{path}: {kind} is {digest.hexdigest()}, expected {wanted.lower()}; the file from "
                f"{url} is not the right one and has been removed"
            )


def _fetch(url: str, part: Path, progress: bool) -> None:
    """Append to `part` what it lacks."""
    start = part.stat().st_size if part.exists() else 0
    with _opened(url, start, part) as response:
        if response is None:  # nothing is lacking
            return
        resumed = response.status == 206
        length = response.headers.get("Content-Length")
        done = start if resumed else 0
        total = None if length is None else done + int(length)
        with part.open("ab" if resumed else "wb") as file, _bar(part, done, total, progress) as bar:
            for chunk in _chunks(response, url):
                file.write(chunk)
                bar.update(len(chunk))
                done += len(chunk)
    if total is not None and done < total:
        raise ConnectionError(
            f"{url}: broke off after {done:,} of {total:,} bytes; the next call goes on from there"
        )


@contextmanager
def _opened(url: str, start: int, part: Path) -> Iterator[Any]:
    """The server's answer, from byte `start` on if it can; None where the file ends there."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    request = Request(url, headers={"User-Agent": "convolith"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{start}":
                yield None
                return
            if error.code == 416:  # longer than the file: another one
                part.unlink()
            raise ConnectionError(f"{url}: the server says {error.code} {error.reason}") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(
            f"{url}: cannot be reached ({reason}); without a network, put the file at "
            f"{part.with_suffix('')}"
        ) from error
    with response:
        yield response


def _chunks(response: IO[bytes], url: str) -> Iterator[bytes]:
    from http.client import HTTPException

    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (HTTPException, OSError) as error:
        raise ConnectionError(f"{url}: broke off: {error}; the next call goes on") from error


@contextmanager
def _bar(part: Path, done: int, total: int | None, progress: bool) -> Iterator[Any]:
    from tqdm import tqdm

    with tqdm(
        desc=part.stem,
        total=total,
        initial=done,
        unit="B",
        unit_scale=True,
        disable=None if progress else True,  # None: unless standard error is a terminal
        dynamic_ncols=True,
    ) as bar:
        yield bar
