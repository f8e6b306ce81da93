"""Downloads from a server on this machine that misbehaves in every way a server can."""

import hashlib
import http.server
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from htsr.errors import InputError
from htsr.models.download import fetch, place

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `plan` holds what to do with the next requests, `seen` their paths and ranges."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.seen, self.content = [], [], CONTENT
        self.url = f"http://127.0.0.1:{self.server_address[1]}/models/net.th"

    def handle_error(self, request, client_address):
        """Quiet: clients that go away are part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.seen.append((self.path, wanted))
        act = server.plan.pop(0) if server.plan else "ok"
        if isinstance(act, int):
            return self.send_error(act)
        if act == "redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere/net.th")
            return self.end_headers()
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and act != "no ranges" else 0
        if start >= len(server.content):
            return self.send_error(416)
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            shown = 0 if act == "wrong range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if act == "slow":
            self.wfile.write(body[:100_000])
            time.sleep(1)
            body = body[100_000:]
        self.wfile.write(body[: len(body) // 2] if act in ("drop", "no ranges, drop") else body)

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, cache, **options):
    path, found = fetch(server.url, cache, **{"sha256": SHA256, "timeout": 5.0, "pause": 0.001} | options)
    assert path.read_bytes() == server.content
    assert found == hashlib.sha256(server.content).hexdigest()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]  # nothing else is left
    return path


def part_of(server, cache) -> Path:
    part = Path(cache, place(server.url)).with_name(".net.th.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    return part


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://Host.org/a/b.pth", "host.org/a/b.pth"),
        ("https://user:secret@host.org:8080/a//b%20c.pth#part", "host.org:8080/a/b c.pth"),
        ("https://host.org/get?file=a/b&v=1", "host.org/get?file=a%2Fb&v=1"),
    ],
)
def test_place(url, path):
    assert str(place(url)) == path


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host.org/a",
        "file:///etc/passwd",
        "/a/b",
        "https://host.org/",
        "https://host.org/a/",
        "https://host.org/a/../../b",
        "https://host.org/%2e%2e/b",
        "https://host.org/a%2F..%2Fb",
        "https://../b",
        "https://host.org/a%00b",
    ],
)
def test_place_refuses(url):
    with pytest.raises(InputError, match=re.escape(repr(url))):
        place(url)


def test_download_then_cache(server, tmp_path):
    path = get(server, tmp_path)
    assert path.relative_to(tmp_path) == Path(place(server.url))
    assert get(server, tmp_path) == path
    assert server.seen == [("/models/net.th", None)]


def test_dropped_connection_is_resumed(server, tmp_path):
    server.plan = ["drop", "drop"]
    get(server, tmp_path, retries=0)  # each try brings new bytes, so none counts as failed
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    assert [wanted for _, wanted in server.seen] == [None, f"bytes={half}-", f"bytes={three_quarters}-"]


def test_server_that_knows_no_ranges_begins_again(server, tmp_path):
    server.plan = ["drop", "no ranges"]
    get(server, tmp_path)


def test_wrong_range_begins_again(server, tmp_path):
    server.plan = ["drop", "wrong range"]
    get(server, tmp_path)
    assert server.seen[-1][1] is None


def test_truncated_for_good(server, tmp_path):
    server.plan = ["no ranges, drop"] * 10
    server.content = CONTENT[:1]  # half of one byte: no try brings anything
    with pytest.raises(InputError, match=r"dropped \(3 tries\).*mirror as 127"):
        get(server, tmp_path, retries=2)
    assert len(server.seen) == 3


def test_without_checksum_nothing_is_resumed(server, tmp_path):
    part_of(server, tmp_path).write_bytes(b"of another version")
    server.plan = ["drop"]
    get(server, tmp_path, sha256=None)
    assert [wanted for _, wanted in server.seen] == [None, None]


def test_part_of_an_earlier_run(server, tmp_path):
    part_of(server, tmp_path).write_bytes(CONTENT[:1000])
    get(server, tmp_path)
    assert server.seen[0][1] == "bytes=1000-"


def test_complete_part_of_an_earlier_run(server, tmp_path):
    part_of(server, tmp_path).write_bytes(CONTENT)
    get(server, tmp_path)
    assert server.seen == []


@pytest.mark.parametrize("junk", [b"x" * 1000, b"x" * (len(CONTENT) + 1)])
def test_part_of_another_version_begins_again_once(server, tmp_path, junk):
    part_of(server, tmp_path).write_bytes(junk)
    get(server, tmp_path)
    assert [wanted for _, wanted in server.seen] == [f"bytes={len(junk)}-", None]


@pytest.mark.parametrize("code", [503, 500, 429])
def test_passing_errors_are_retried(server, tmp_path, code):
    server.plan = [code, code]
    get(server, tmp_path)
    assert len(server.seen) == 3


@pytest.mark.parametrize("code", [404, 403])
def test_lasting_errors_are_not(server, tmp_path, code):
    server.plan = [code] * 3
    with pytest.raises(InputError, match=f"net.th: the server answers {code} .*correct the url"):
        get(server, tmp_path)
    assert len(server.seen) == 1
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_server_down(tmp_path):
    with Server() as gone:
        url = gone.url
    with pytest.raises(InputError, match=r"[Rr]efused.* \(2 tries\)"):
        fetch(url, tmp_path, sha256=SHA256, retries=1, pause=0.001)


def test_silent_server(server, tmp_path):
    server.plan = ["slow", "ok"]
    get(server, tmp_path, timeout=0.2)
    assert server.seen[1][1] == "bytes=100000-"


def test_redirect(server, tmp_path):
    server.plan = ["redirect"]
    path = get(server, tmp_path)
    assert [path for path, _ in server.seen] == ["/models/net.th", "/elsewhere/net.th"]
    assert path.name == "net.th"


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    wrong = "0" * 64
    with pytest.raises(InputError, match=f"sha256 is {SHA256}, expected {wrong}"):
        get(server, tmp_path, sha256=wrong)
    assert len(server.seen) == 1
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
    get(server, tmp_path)


def test_damaged_cache_is_replaced(server, tmp_path):
    path = get(server, tmp_path)
    path.write_bytes(CONTENT[:-1])
    get(server, tmp_path)
    assert len(server.seen) == 2


def test_first_digits_of_a_checksum(server, tmp_path):
    get(server, tmp_path, sha256=SHA256[:8].upper())
    with pytest.raises(InputError, match="expected 12345678"):
        get(server, tmp_path, sha256="12345678")


@pytest.mark.parametrize("sha256", ["", "1234567", "x" * 64, "0" * 65])
def test_malformed_checksum(tmp_path, sha256):
    with pytest.raises(InputError, match="8 to 64 hexadecimal"):
        fetch("http://host.org/a", tmp_path, sha256=sha256)


def test_mirror_comes_first(server, tmp_path):
    kept = tmp_path / "mirror" / place(server.url)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(CONTENT)
    assert get(server, tmp_path / "cache", mirror=tmp_path / "mirror") == kept
    assert server.seen == []
    assert not (tmp_path / "cache").exists()


def test_wrong_file_in_the_mirror_is_not_touched(server, tmp_path):
    kept = tmp_path / "mirror" / place(server.url)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"wrong")
    found = hashlib.sha256(b"wrong").hexdigest()
    with pytest.raises(InputError, match=f"{re.escape(str(kept))}: sha256 is {found}, expected {SHA256}"):
        get(server, tmp_path / "cache", mirror=tmp_path / "mirror")
    assert kept.read_bytes() == b"wrong"
    assert server.seen == []


def test_missing_in_the_mirror(server, tmp_path):
    (tmp_path / "mirror").mkdir()
    path = get(server, tmp_path / "cache", mirror=tmp_path / "mirror")
    assert path.is_relative_to(tmp_path / "cache")


def test_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="could not be written: "):
        get(server, tmp_path / "cache")


def in_process(server, cache) -> subprocess.Popen:
    code = "import sys; from htsr.models.download import fetch; fetch(*sys.argv[1:3], sha256=sys.argv[3], pause=0.01)"
    return subprocess.Popen([sys.executable, "-c", code, server.url, str(cache), SHA256])


def test_two_processes_want_the_same_file(server, tmp_path):
    server.plan = ["slow"]
    processes = [in_process(server, tmp_path) for _ in range(2)]
    assert [process.wait(20) for process in processes] == [0, 0]
    assert len(server.seen) == 1
    get(server, tmp_path)


def test_killed_download_goes_on(server, tmp_path):
    server.plan = ["slow"]
    process = in_process(server, tmp_path)
    part = part_of(server, tmp_path)
    while not (part.exists() and part.stat().st_size == 100_000):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not part.with_name("net.th").exists()
    get(server, tmp_path)
    assert server.seen[-1][1] == "bytes=100000-"


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no small disk here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(server, small_disk):
    with pytest.raises(InputError, match=r"net.th.part: could not be written: No space left on device: make room"):
        get(server, small_disk)
    assert not Path(small_disk, place(server.url)).exists()
    server.content = CONTENT[:100_000]
    part_of(server, small_disk).unlink()
    get(server, small_disk, sha256=None)
