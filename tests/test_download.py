"""Downloads from a server of this test's own: resumed, truncated, refused, wrong, unreachable."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convolith.data import network
from convolith.data.idx import pack_idx
from convolith.data.mnist import FILES, MNIST
from convolith.data.network import download

BODY = np.random.default_rng(0).bytes(700_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; with `breaks_at` it hangs up after so many bytes of a file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file": BODY}
        self.ranges = True
        self.breaks_at: int | None = None
        self.asked: list[str | None] = []

    def url(self, name: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_port}{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path not in self.server.files:
            return self.send_error(404)
        body, start = self.server.files[self.path], 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : self.server.breaks_at])
        return None

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_comes_whole_and_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.bin"
    for _ in range(2):
        assert download(server.url(), path, sha256=SHA256, md5=MD5.upper()) == path
    assert path.read_bytes() == BODY
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    assert len(server.asked) == 1


def test_what_broke_off_goes_on(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file"
    server.breaks_at = 300_000
    with pytest.raises(ConnectionError, match=r"after 300,000 of 700,000 bytes") as caught:
        download(server.url(), path, md5=MD5)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    assert (tmp_path / "file.part").stat().st_size == 300_000
    server.breaks_at = None
    download(server.url(), path, md5=MD5)
    assert path.read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-"]
    assert not (tmp_path / "file.part").exists()


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(BODY[:1000])
    assert download(server.url(), tmp_path / "file", sha256=SHA256).read_bytes() == BODY


def test_a_part_that_is_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY)
    assert download(server.url(), tmp_path / "file", sha256=SHA256).read_bytes() == BODY


def test_a_part_of_something_longer_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(BODY + b"x")
    with pytest.raises(ConnectionError, match="416"):
        download(server.url(), tmp_path / "file", sha256=SHA256)
    assert download(server.url(), tmp_path / "file", sha256=SHA256).read_bytes() == BODY


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum_names_both_and_leaves_nothing(
    server: Server, tmp_path: Path, kind: str
) -> None:
    right = SHA256 if kind == "sha256" else MD5
    wrong = "0" * len(right)
    with pytest.raises(ValueError, match=rf"{kind} is {right}, expected {wrong}"):
        download(server.url(), tmp_path / "file", **{kind: wrong})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_what_has_come(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = network._chunks

    def interrupted(*arguments: Any) -> Iterator[bytes]:
        yield next(chunks(*arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(network, "_chunks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download(server.url(), tmp_path / "file", md5=MD5)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.part"]
    assert 0 < (tmp_path / "file.part").stat().st_size < len(BODY)
    download(server.url(), tmp_path / "file", md5=MD5)
    assert server.asked[1] is not None


def test_refusals_are_one_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"/nothing: the server says 404 Not Found$"):
        download(server.url("/nothing"), tmp_path / "file")
    with pytest.raises(ValueError, match="expected an address with http"):
        download("file:///etc/hostname", tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_offline(tmp_path: Path) -> None:
    with Server() as gone:
        url = gone.url()
    with pytest.raises(ConnectionError, match=r"cannot be reached .* put the file at .*/file$"):
        download(url, tmp_path / "file")


def test_a_data_set_fetches_what_is_missing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = np.zeros((2, 28, 28), np.uint8), np.array([3, 1], np.uint8)
    files = [pack_idx(array) for array in (images, labels, images, labels)]
    server.files = {f"/{name}.gz": raw for name, raw in zip(FILES, files, strict=True)}
    sums = tuple(hashlib.md5(raw, usedforsecurity=False).hexdigest() for raw in files)
    monkeypatch.setattr(MNIST, "URL", server.url("/"))
    with pytest.raises(ValueError, match=f"md5 is {sums[2]}, expected {MNIST.MD5[2]}"):
        MNIST(tmp_path, train=False, download=True)
    monkeypatch.setattr(MNIST, "MD5", sums)
    for _ in range(2):
        assert MNIST(tmp_path, train=False, download=True).labels.tolist() == [3, 1]
    assert len(server.asked) == 3
