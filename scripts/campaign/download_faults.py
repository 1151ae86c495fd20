#!/usr/bin/env python3
"""Runs `podctl get`, curl, aria2c and wget against an HTTP server with faults, and judges what each makes of them.

The server has two origins on loopback and does Range, If-Range, ETag and keep-alive right; each fault changes one
thing. Every fault is met by one connection and, where that makes another case, by several: a server that gives each
connection 4 MiB/s. Nobody is told the file's hash, where the fault is not about it: what the transfer itself cannot
tell is what is looked for. curl, aria2c and wget get the options that a careful user gives them.

An outcome is: right (the right bytes, exit 0, nothing beside them), error (not 0, nothing under the final name),
error+part (not 0, and a broken file under the final name), WRONG FILE (exit 0, other bytes), hang (after 60 s),
and how often its size was sent, where that is more than 1.1 times.

Prints Markdown. Exit: 0; 1 podctl does wrong somewhere; 2 usage, or a tool lacks.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ("podctl", "curl", "aria2c", "wget")
PACKAGES = {"curl": "curl", "aria2c": "aria2", "wget": "wget"}  # program: apt package
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
TIMEOUT = 60
TOKEN = "token-of-the-first-origin"


# --- the server


class Closed(Exception):
    """The connection is over."""


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict
    store: bool  # it came to the second origin
    index: int  # of the GETs, from 0
    connection: object

    def range(self, size):
        """(begin, end) that were asked for, None without a Range."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if not match:
            return None
        return int(match[1]), min(int(match[2]) + 1, size) if match[2] else size


def safetensors(length, seed):
    header = json.dumps({"x": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    header += b" " * (-len(header) % 8)
    luck = random.Random(seed)
    parts = [luck.randbytes(min(MIB, length - at)) for at in range(0, length, MIB)]
    return b"".join([struct.pack("<Q", len(header)), header, *parts])


class Site:
    """What one tool meets in one fault: a file at two origins, and how they serve it."""

    def __init__(self, behave, content, other, rate=0):
        self.behave, self.rate = behave, rate
        self.versions = [content, other]
        self.version = 0
        self.etags, self.modified = ['"one"', '"two"'], ["Mon, 02 Jun 2025 10:00:00 GMT", "Tue, 03 Jun 2025 10:00:00 GMT"]
        self.lock = threading.Lock()
        self.sent = self.gets = self.active = self.most_active = 0
        self.notes = set()
        self.memory = {}  # of the fault's own
        self.sockets = [self.listen(store) for store in (False, True)]
        self.first, self.second = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in self.sockets)

    @property
    def size(self):
        return len(self.versions[self.version])

    def listen(self, store):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self.accept, args=(listener, store), daemon=True).start()
        return listener

    def accept(self, listener, store):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self.talk, args=(connection, store), daemon=True).start()

    def close(self):
        for listener in self.sockets:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def talk(self, connection, store):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError, Closed):
            while line := lines.readline():
                method, path, _ = line.decode("latin-1").split(" ", 2)
                headers = {}
                while (header := lines.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                with self.lock:
                    request = Request(method, path, headers, store, self.gets, connection)
                    self.gets += method == "GET"
                    self.active += 1
                    self.most_active = max(self.most_active, self.active)
                if store and "authorization" in headers:
                    self.notes.add("TOKEN LEAKED")
                try:
                    self.behave(self, request)
                finally:
                    with self.lock:
                        self.active -= 1

    def count(self, name):
        with self.lock:
            self.memory[name] = self.memory.get(name, 0) + 1
            return self.memory[name] - 1

    def reply(self, request, status, headers=(), body=b""):
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        if not any(name == "Content-Length" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        request.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if request.method != "HEAD":
            request.connection.sendall(body)

    # What serve() can be told to do otherwise:
    #   content, etag, modified   of the file                 ignore_range  200 to a Range
    #   cut       close after so many bytes of the body       reset         and so with a RST
    #   stall     say no more after so many                   rate          bytes a second
    #   shift     begin so far from what was asked            total         in Content-Range
    #   longer    so much more in Content-Length              chunked, unsized   no Content-Length
    def serve(self, request, **other):
        content = other.get("content", self.versions[self.version])
        etag = other.get("etag", self.etags[self.version] if self.etags else None)
        modified = other.get("modified", self.modified[self.version] if self.modified else None)
        size, wanted = len(content), request.range(len(content))
        condition = request.headers.get("if-range")
        is_met = condition is None or condition == modified or (condition == etag and not etag.startswith("W/"))
        if other.get("ignore_range") or not is_met:
            wanted = None
        headers = [*other.get("headers", ())]
        if etag:
            headers.append(("ETag", etag))
        if modified:
            headers.append(("Last-Modified", modified))
        if not other.get("ignore_range"):
            headers.append(("Accept-Ranges", "bytes"))
        if wanted and wanted[0] >= size:
            return self.reply(request, "416 Range Not Satisfiable", [*headers, ("Content-Range", f"bytes */{size}")])
        begin, end = wanted or (0, size)
        if wanted:
            begin = min(begin + other.get("shift", 0), end)
            headers.append(("Content-Range", f"bytes {begin}-{end - 1}/{other.get('total', size)}"))
        length = end - begin + other.get("longer", 0)
        unsized = other.get("chunked") or other.get("unsized")
        if other.get("chunked"):
            headers.append(("Transfer-Encoding", "chunked"))
        if not unsized:
            headers.append(("Content-Length", length))
        elif other.get("unsized"):
            headers.append(("Connection", "close"))
        status = "206 Partial Content" if wanted else "200 OK"
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        request.connection.sendall("\r\n".join(lines).encode("latin-1"))
        if request.method == "HEAD":
            return None
        return self.body(request, memoryview(content)[begin:end], other)

    def body(self, request, content, other):
        rate, start, at = other.get("rate", self.rate), time.monotonic(), 0
        stop = min(other.get("cut", len(content)), other.get("stall", len(content)))
        step = max(1024, min(64 << 10, rate // 20)) if rate else 64 << 10
        while at < min(stop, len(content)):
            part = content[at : min(at + step, stop)]
            if rate:
                time.sleep(max(0, start + (at + len(part)) / rate - time.monotonic()))
            if other.get("chunked"):
                request.connection.sendall(b"%x\r\n" % len(part))
            request.connection.sendall(part)
            if other.get("chunked"):
                request.connection.sendall(b"\r\n")
            at += len(part)
            with self.lock:
                self.sent += len(part)
        if "stall" in other and at < len(content):
            request.connection.settimeout(2 * TIMEOUT)
            request.connection.recv(1)
            raise Closed
        if other.get("reset"):
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if at < len(content) or other.get("longer") or other.get("unsized"):
            raise Closed
        if other.get("chunked"):
            request.connection.sendall(b"0\r\n\r\n")


# --- the faults

ALL = []


@dataclasses.dataclass
class Fault:
    title: str
    behave: object
    expect: tuple = ("right",)  # of podctl
    ways: tuple = ("one", "several")
    path: str = "/model.safetensors"
    hub: bool = False  # by way of a hub with a token
    content: object = None  # of the size: what to serve in place of the model
    sha256: bool = False  # give every tool a hash that is not the file's
    place: str = ""  # full, read-only: the folder
    setup: object = None
    run: object = None  # in place of one run
    most_sent: float = 0  # times the size, podctl's


def fault(title, **options):
    def add(behave):
        ALL.append(Fault(title, behave, **options))
        return behave

    return add


ONE, SEVERAL, EITHER = ("one",), ("several",), ("right", "error")
FAULTLESS = "no fault"


@fault(FAULTLESS)
def faultless(site, request):
    site.serve(request)


@fault("the connection is cut every so many MiB")
def cuts(site, request):
    site.serve(request, cut=site.size // (5 if not site.rate else 30))


@fault("reset in the body, three times")
def resets(site, request):
    few = site.count("resets") < 3
    site.serve(request, **({"cut": 3 * MIB + 77, "reset": True} if few else {}))


@fault("200 to a Range, after a cut")
def ignores_ranges(site, request):
    first = site.count("all") == 0
    site.serve(request, **({"cut": site.size // 3} if first else {"ignore_range": True}))


@fault("Content-Range and body shifted by 4 KiB, after a cut")
def shifted(site, request):
    first = site.count("all") == 0
    site.serve(request, **({"cut": site.size // 3} if first else {"shift": 4096}))


@fault("Content-Range with another total, after a cut")
def other_total(site, request):
    first = site.count("all") == 0
    site.serve(request, **({"cut": site.size // 3} if first else {"total": site.size + 1000}))


@fault("Content-Length too long, then closed", expect=("error",), ways=ONE)
def lying_length(site, request):
    site.serve(request, longer=1000)


@fault("chunked, cut in the middle, twice", ways=ONE)
def chunked_cut(site, request):
    few = site.count("all") < 2
    site.serve(request, chunked=True, **({"cut": site.size // 3} if few else {}))


@fault("closed early, with no length to tell by", expect=EITHER, ways=ONE)
def unsized_cut(site, request):
    site.serve(request, unsized=True, cut=site.size // 3)


@fault("chunked, with no length at all", ways=ONE)
def chunked(site, request):
    site.serve(request, chunked=True, ignore_range=True)


@fault("no length and no chunks: the end is where it closes", ways=ONE)
def unsized(site, request):
    site.serve(request, unsized=True, ignore_range=True)


LOGIN = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Log in to go on.</body></html>\n" * 20


@fault("a login page with status 200", expect=("error",), ways=ONE)
def login_page(site, request):
    site.reply(request, "200 OK", [("Content-Type", "text/html; charset=utf-8")], LOGIN)


@fault("the same as application/octet-stream", expect=("error",), ways=ONE)
def login_bytes(site, request):
    site.reply(request, "200 OK", [("Content-Type", "application/octet-stream")], LOGIN)


@fault("a login page when the signed URL is over, after a cut", expect=EITHER, ways=ONE)
def login_later(site, request):
    if site.count("all") == 0:
        return site.serve(request, cut=site.size // 3)
    return login_page(site, request)


@fault("gzip, although identity was asked for", expect=("error",), ways=ONE)
def gzipped(site, request):
    body = gzip.compress(site.versions[0], 1)
    site.reply(request, "200 OK", [("Content-Encoding", "gzip"), ("ETag", '"z"')], body)


def changing(site, request):
    """Another file from a third on; of one connection by a cut there."""
    if site.sent >= site.size // 3 - MIB:
        site.version = 1
    site.serve(request, **({"cut": site.size // 3} if site.version == 0 and not site.rate else {}))


@fault("the file changes meanwhile: another ETag")
def changes(site, request):
    changing(site, request)


@fault("the file changes, and its server ignores If-Range")
def changes_unasked(site, request):
    request.headers.pop("if-range", None)
    changing(site, request)


@fault("the file changes: no ETag, another Last-Modified")
def changes_by_date(site, request):
    site.etags = None
    changing(site, request)


@fault("the file changes: weak ETags")
def changes_weakly(site, request):
    site.etags, site.modified = ['W/"one"', 'W/"two"'], None
    changing(site, request)


@fault("the file changes: weak ETags, the same Last-Modified")
def changes_weakly_same_date(site, request):
    site.etags, site.modified = ['W/"one"', 'W/"two"'], [site.modified[0]] * 2
    changing(site, request)


@fault("the file changes, and nothing tells it")
def changes_silently(site, request):
    site.etags = site.modified = None
    changing(site, request)


@fault("two servers behind one name that do not agree", expect=EITHER)
def disagree(site, request):
    site.version = site.count("all") % 2
    first_third = {"cut": site.size // 3} if site.count("cuts") < 3 and not site.rate else {}
    site.serve(request, **first_third)


@fault("says nothing more after a third, once")
def stalls(site, request):
    stalls_now = site.count("all") == (2 if site.rate else 0)
    site.serve(request, **({"stall": site.size // (3 if not site.rate else 60)} if stalls_now else {}))


@fault("says nothing more after a third, every time", ways=ONE)
def stalls_always(site, request):
    site.serve(request, stall=site.size // 3)


@fault("answers nothing at all, once", ways=ONE)
def silent(site, request):
    if site.count("all") == 0:
        request.connection.settimeout(2 * TIMEOUT)
        request.connection.recv(1)
        raise Closed
    site.serve(request)


@fault("one slow connection (20 KiB/s)")
def slow(site, request):
    is_slow = site.count("all") == (3 if site.rate else 0)
    site.serve(request, **({"rate": 20 << 10} if is_slow else {}))


@fault("429 with Retry-After: 2")
def too_many(site, request):
    nth = site.count("all")
    if nth == 0 and not site.rate or site.rate and 2 <= nth < 6:
        return site.reply(request, "429 Too Many Requests", [("Retry-After", 2)], b"slow down")
    return site.serve(request)


@fault("503, twice, then good")
def unavailable(site, request):
    nth = site.count("all")
    if nth < 2 and not site.rate or site.rate and nth % 3 == 2 and nth < 20:
        return site.reply(request, "503 Service Unavailable", (), b"busy")
    return site.serve(request)


@fault("503 for every connection above 2", ways=SEVERAL)
def two_only(site, request):
    if site.active > 2:
        return site.reply(request, "503 Service Unavailable", (), b"two at most")
    return site.serve(request)


@fault("a cut for every connection above 2", ways=SEVERAL)
def two_only_cut(site, request):
    if site.active > 2:
        raise Closed
    return site.serve(request)


@fault("500 forever", expect=("error",), ways=ONE)
def broken(site, request):
    site.reply(request, "500 Internal Server Error", (), b"oops")


@fault("416 to every resume", ways=ONE)
def no_resume(site, request):
    wanted = request.range(site.size)
    if wanted and wanted[0] > 0:
        return site.reply(request, "416 Range Not Satisfiable", [("Content-Range", f"bytes */{site.size}")])
    return site.serve(request, **({"cut": site.size // 3} if site.count("all") == 0 else {}))


@fault("a redirect loop", expect=("error",), ways=ONE)
def loop(site, request):
    site.reply(request, "302 Found", [("Location", request.path)])


def redirect(site, request, query=""):
    if request.method == "HEAD":
        return site.reply(request, "200 OK", [("X-Repo-Commit", "1" * 40), ("X-Linked-Size", site.size), ("ETag", '"hub"')])
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return site.reply(request, "401 Unauthorized")
    return site.reply(request, "302 Found", [("Location", f"{site.second}/store/abc%2Fdef{query}")])


@fault("a redirect to another origin must not get the token", hub=True)
def crossing(site, request):
    if not request.store:
        return redirect(site, request, "?sig=1%2B1")
    if not request.path.endswith("/abc%2Fdef?sig=1%2B1"):
        return site.reply(request, "403 Forbidden", (), b"SignatureDoesNotMatch")
    return site.serve(request, **({"cut": site.size // 3} if site.count("all") == 0 else {}))


@fault("the signed URL ends in mid-transfer (403)", hub=True)
def expiring(site, request):
    if not request.store:
        return redirect(site, request, f"?sig={site.count('hub')}")
    over = site.sent >= site.size // 3
    if request.path.endswith("?sig=0") and over:
        return site.reply(request, "403 Forbidden", [("Content-Type", "application/xml")], b"<Error>AccessDenied</Error>")
    return site.serve(request, **({"cut": site.size // 3} if request.path.endswith("?sig=0") else {}))


@fault("an empty file", ways=ONE, path="/empty.txt", content=lambda size: b"")
def empty(site, request):
    site.serve(request)


def disposition(name):
    return lambda site, request: site.serve(request, headers=[("Content-Disposition", name)])


NAMED = {"ways": ONE, "path": "/download/17"}
fault("a server's name with ../../", **NAMED)(disposition('attachment; filename="../../escaped.safetensors"'))
fault("a server's name with control characters", **NAMED)(
    disposition('attachment; filename="a\x1b[31mb\x07c\x7f.safetensors"')
)
fault("a server's name of 300 bytes", **NAMED)(disposition(f'attachment; filename="{"n" * 288}.safetensors"'))

fault("disk full (8 MiB)", expect=("error",), ways=ONE, place="full")(faultless)
fault("disk full, and no length told before", expect=("error",), ways=ONE, place="full")(chunked)
fault("a folder that may not be written to", expect=("error",), ways=ONE, place="read-only")(faultless)


def impossible(size):
    return struct.pack("<Q", 1 << 40) + os.urandom(size - 8)


fault("a .safetensors whose header is impossible", expect=("error",), content=impossible)(faultless)
fault("not the sha256 that was given", expect=("error",), sha256=True)(faultless)


# --- the tools


@dataclasses.dataclass
class Place:
    root: pathlib.Path  # all that a tool could write to
    folder: pathlib.Path  # where its file belongs
    prefix: list = dataclasses.field(default_factory=list)  # of its command


@contextlib.contextmanager
def place_for(kind):
    with tempfile.TemporaryDirectory(prefix="podctl-faults.") as name:
        root = pathlib.Path(name)
        root.chmod(0o755)
        folder = root / "a" / "b"
        folder.mkdir(parents=True)
        if kind == "read-only":
            folder.chmod(0o555)
            yield Place(root, folder, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        elif kind == "full":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True, stderr=subprocess.DEVNULL)
            try:
                yield Place(root, folder)
            finally:
                subprocess.run(["umount", folder], check=True)
        else:
            yield Place(root, folder)


def command_of(tool, case, site, options):
    url, name = site.first + case.path, os.path.basename(case.path)
    wrong = hashlib.sha256(b"another file").hexdigest()
    named = case.path.startswith("/download/")
    token = [f"Authorization: Bearer {TOKEN}"]
    if case.hub:
        url = f"{site.first}/org/repo/resolve/main/{name}"
    if tool == "podctl":
        source = f"hf:org/repo/{name}" if case.hub else url
        command = [options.podctl, "get", "--no-color", source, ".", *(["--sha256", wrong] if case.sha256 else [])]
        return command + (["--connections", "1"] if case.run is killed and site.rate == KILL_RATES["one"] else [])
    if tool == "curl":
        output = ["-OJ"] if named else ["-C", "-", "-o", name]
        command = ["curl", "-sSfL", "--retry", "8", "--retry-all-errors", "--retry-delay", "1", "--speed-limit", "1024",
                   "--speed-time", "8", "--connect-timeout", "10", *output, url]  # fmt: skip
        command += ["-H", token[0]] if case.hub else []
        if case.sha256:
            return ["sh", "-c", 'f=$1; shift; "$@" && echo "$0  $f" | sha256sum -c --quiet', wrong, name, *command]
        return command
    if tool == "aria2c":
        command = ["aria2c", "-q", "-c", "-x16", "-s16", "-k1M", "--max-tries=8", "--retry-wait=1", "--timeout=8",
                   "--connect-timeout=10", "--auto-file-renaming=false", "--follow-metalink=false", url]  # fmt: skip
        command += [f"--header={token[0]}"] if case.hub else []
        return command + ([f"--checksum=sha-256={wrong}"] if case.sha256 else [])
    command = ["wget", "-nv", "-c", "--tries=8", "--waitretry=1", "--read-timeout=8", "--connect-timeout=10",
               "--retry-on-http-error=429,500,503"]  # fmt: skip
    command += ["--content-disposition"] if named else ["-O", name]
    command += [f"--header={token[0]}"] if case.hub else []
    command += [url]
    if case.sha256:
        return ["sh", "-c", 'f=$1; shift; "$@" && echo "$0  $f" | sha256sum -c --quiet', wrong, name, *command]
    return command


def environment(case, site):
    names = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    for name in ("HF_TOKEN", "HF_ENDPOINT", "CIVITAI_API_KEY", "HUGGING_FACE_HUB_TOKEN"):
        names.pop(name, None)
    if case.hub:
        names |= {"HF_TOKEN": TOKEN, "HF_ENDPOINT": site.first}
    return names | {"HOME": "/nonexistent"}


def start(command, place, case, site):
    return subprocess.Popen(
        [*place.prefix, *map(str, command)], cwd=place.folder, env=environment(case, site),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclasses.dataclass
class Outcome:
    kind: str  # right, error, error+part, WRONG FILE, hang, skipped
    notes: list = dataclasses.field(default_factory=list)
    bad: list = dataclasses.field(default_factory=list)  # what podctl may not do
    said: str = ""
    seconds: float = 0

    def __str__(self):
        kind = f"**{self.kind}**" if self.kind in ("WRONG FILE", "hang") else self.kind
        return ", ".join([kind, *self.notes])


def files_in(place):
    return [path for path in sorted(place.root.rglob("*")) if path.is_file() or path.is_symlink()]


def judge(tool, case, site, place, code, said):
    right = [hashlib.sha256(version).digest() for version in site.versions]
    if case.content and case.expect == ("error",):
        right = []
    files = files_in(place)
    digests = {file: hashlib.sha256(file.read_bytes()).digest() for file in files}
    part_of = lambda file: file.name.startswith(".") and "podctl-part" in file.name or file.name.endswith(".aria2")
    whole = [file for file in files if not part_of(file)]
    outcome = Outcome("", said=said)
    if code is None:
        outcome.kind = "hang"
    elif code != 0:
        outcome.kind = "error+part" if whole else "error"
        if len(said.strip()) < 20 and tool == "podctl":
            outcome.bad.append("says nothing of the failure")
    elif len(whole) == 1 and not case.sha256 and digests[whole[0]] in right:
        outcome.kind = "right"
    else:
        outcome.kind = "WRONG FILE"
    for file in whole:
        if file.parent != place.folder:
            outcome.notes.append("**outside the folder**")
        if re.search(r"[\x00-\x1f\x7f]", file.name):
            outcome.notes.append("control characters in the name")
    if code == 0 and len(files) > 1:
        outcome.bad.append(f"left beside the file: {[file.name for file in files]}")
    if "internal" in said and tool == "podctl":
        outcome.bad.append("an internal error")
    if any(ord(c) < 32 and c not in "\n\r\t" for c in said) and tool == "podctl":
        outcome.bad.append("control characters in what it says")
    outcome.notes += [f"**{note}**" for note in sorted(site.notes)]
    if site.size and site.sent > 1.1 * site.size:
        outcome.notes.append(f"{site.sent / site.size:.1f}×")
    return outcome


def communicate(process, timeout):
    try:
        said, _ = process.communicate(timeout=timeout)
        return process.returncode, said.decode(errors="replace")
    except subprocess.TimeoutExpired:
        end(process)
        said, _ = process.communicate()
        return None, said.decode(errors="replace")


def run_once(tool, case, site, place, options):
    process = start(command_of(tool, case, site, options), place, case, site)
    code, said = communicate(process, TIMEOUT)
    end(process)  # what it left behind
    return judge(tool, case, site, place, code, said)


def killed(tool, case, site, place, options):
    """kill -9 a dozen times at random instants, then to the end."""
    luck = random.Random(f"{tool}{site.rate}")
    kills, ended = 0, False
    for _ in range(12):
        process = start(command_of(tool, case, site, options), place, case, site)
        code, _ = communicate(process, luck.uniform(0.05, 0.9))
        if ended := code is not None:
            break
        kills += 1
    if ended and tool != "podctl":  # again would begin anew
        outcome = judge(tool, case, site, place, code, "")
    else:
        outcome = run_once(tool, case, site, place, options)
    outcome.notes.append(f"{kills} kills")
    return outcome


def twice(tool, case, site, place, options):
    """Two at once."""
    processes = [start(command_of(tool, case, site, options), place, case, site) for _ in range(2)]
    ends = [communicate(process, TIMEOUT) for process in processes]
    codes = sorted((code is None, code) for code, _ in ends)
    said = "\n".join(each for _, each in ends)
    outcome = judge(tool, case, site, place, None if codes[-1][0] else codes[0][1], said)
    if codes[-1][1] and not codes[-1][0]:
        outcome.notes.append(f"the other exit {codes[-1][1]}")
    return outcome


fault("kill -9 a dozen times", run=killed, most_sent=1.2)(faultless)
fault("two at once for one file", run=twice)(faultless)

SIZES = {"one": 24 * MIB, "several": 64 * MIB}
KILL_RATES = {"one": 64 * MIB, "several": 8 * MIB}
CONTENTS = {}


def contents(case, way):
    if case.run is killed:  # long enough for a dozen kills
        way, length = f"killed {way}", 512 * MIB
    else:
        length = SIZES[way]
    if way not in CONTENTS:
        CONTENTS[way] = [safetensors(length, seed) for seed in (1, 2)]
    if case.content:
        return [case.content(length)] * 2
    return CONTENTS[way]


def try_case(tool, case, way, options):
    if case.place and os.getuid() != 0:
        return Outcome("skipped")
    rate = 4 * MIB if way == "several" else 0
    if case.run is killed:
        rate = KILL_RATES[way]
    site = Site(case.behave, *contents(case, way), rate=rate)
    started = time.monotonic()
    try:
        with place_for(case.place) as place:
            outcome = (case.run or run_once)(tool, case, site, place, options)
    except subprocess.CalledProcessError as failure:
        return Outcome("skipped", said=str(failure))
    finally:
        site.close()
    outcome.seconds = time.monotonic() - started
    if tool == "podctl":
        judge_podctl(outcome, case, way, site)
    return outcome


def judge_podctl(outcome, case, way, site):
    if outcome.kind not in case.expect:
        outcome.bad.append(f"{outcome.kind}, wanted was {' or '.join(case.expect)}")
    if site.notes:
        outcome.bad.append(f"{site.notes}")
    if "**outside the folder**" in outcome.notes or "control characters in the name" in outcome.notes:
        outcome.bad.append("an unsafe name")
    if case.most_sent and site.sent > case.most_sent * site.size:
        outcome.bad.append(f"{site.sent / site.size:.2f} times its size was sent")
    if way == "several" and case.title == FAULTLESS and site.most_active < 8:
        outcome.bad.append(f"only {site.most_active} connections")


def run_all(options):
    work = [
        (case, way, tool)
        for way in ("one", "several")
        for case in ALL
        for tool in options.tools
        if way in case.ways and options.only.search(case.title) and (way == "one" or tool in ("podctl", "aria2c"))
    ]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(try_case, tool, case, way, options): (case, way, tool) for case, way, tool in work}
        for future in concurrent.futures.as_completed(futures):
            case, way, tool = futures[future]
            outcome = results[way, case.title, tool] = future.result()
            told = f"{tool}, {way}, {case.title}: {outcome} ({outcome.seconds:.1f} s)"
            print(told, file=sys.stderr)
            if outcome.bad:
                print(f"  WRONG: {'; '.join(outcome.bad)}", file=sys.stderr)
            if outcome.bad or options.verbose:
                print("  | " + "\n  | ".join(outcome.said.strip().splitlines()[-12:]), file=sys.stderr)
    return results


def tables(results, options):
    lines = []
    for way, heading in (
        ("one", "One connection, 24 MiB (kills: 512 MiB at 64 MiB/s):"),
        ("several", "Several connections, 64 MiB at 4 MiB/s each (kills: 512 MiB at 8 MiB/s each):"),
    ):
        tools = [tool for tool in options.tools if way == "one" or tool in ("podctl", "aria2c")]
        titles = [case.title for case in ALL if (way, case.title, tools[0]) in results]
        if not titles:
            continue
        lines += [heading, "", f"| fault | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
        lines += [f"| {title} | {' | '.join(str(results[way, title, tool]) for tool in tools)} |" for title in titles]
        lines.append("")
    return "\n".join(lines).rstrip()


def write_between_markers(path, text):
    old = path.read_text()
    if BEGIN not in old or END not in old:
        sys.exit(f"download_faults.py: {path}: no {BEGIN} and {END}")
    before, rest = old.split(BEGIN, 1)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--podctl", default=REPOSITORY / "build/release/podctl", metavar="BINARY")
    parser.add_argument("--tools", default=",".join(TOOLS), metavar="A,B", help=f"some of {','.join(TOOLS)}")
    parser.add_argument("--only", default="", type=re.compile, metavar="REGEX", help="faults with such a title")
    parser.add_argument("--jobs", type=int, default=4, help="tools at once (4)")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the tables between its two markers")
    parser.add_argument("-v", "--verbose", action="store_true", help="what each tool said")
    options = parser.parse_args()
    options.tools = options.tools.split(",")
    if unknown := set(options.tools) - set(TOOLS):
        parser.error(f"--tools {','.join(sorted(unknown))}: not one of {', '.join(TOOLS)}")
    lacking = [PACKAGES[tool] for tool in options.tools if tool in PACKAGES and not shutil.which(tool)]
    if lacking:
        parser.error(f"apt-get install {' '.join(lacking)}")
    if not shutil.which(options.podctl):
        parser.error(f"no {options.podctl}: scripts/quickstart builds one; or --podctl BINARY")
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="podctl-faults.") as folder:
        # Where an unprivileged user can start it.
        os.chmod(folder, 0o755)
        options.podctl = shutil.copy(shutil.which(options.podctl), folder)
        results = run_all(options)
    text = tables(results, options)
    print(text)
    if options.write:
        write_between_markers(options.write, text)
    wrong = [(key, outcome) for key, outcome in results.items() if outcome.bad]
    for (way, title, _), outcome in wrong:
        print(f"podctl, {way}, {title}: {'; '.join(outcome.bad)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
