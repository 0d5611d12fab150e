"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that at any moment the old or the new file stands there, whole.

    Parameters
    ----------
    path : path
    data : bytes

    Raises
    ------
    OSError
        If it cannot be written; then the old file is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def writable_directory(path: str | os.PathLike[str]) -> Path:
    """Make the directory `path` if it is not there, and see that files can be written to it.

    Parameters
    ----------
    path : path

    Returns
    -------
    Path

    Raises
    ------
    OSError
        Saying that the output folder is not writable, and why.
    """
    directory = Path(path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / ".writable", b"")
        (directory / ".writable").unlink()
    except OSError as error:
        raise OSError(f"{directory}: output folder not writable: {error.strerror}") from error
    return directory
