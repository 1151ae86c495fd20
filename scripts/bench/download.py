#!/usr/bin/env python3
"""Measures `podctl get` against aria2c and curl on loopback, in one run and in turn, and prints Markdown.

  verified    one file from nginx, checked by SHA-256: wall time, and until it is on the disk, peak memory,
              ratio pair by pair
  memory      podctl's peak memory by connections and files at once
  throttled   a server that gives each connection 4 MiB/s: how much of 16 connections is used
  small       200 small files beside a large one over a link of 32 MiB/s: when the small ones are there

nginx's own limit_rate counts by request and lets the first second of each one through, so that a client with
small pieces is hardly throttled. Throttled files come from a server in this script, which counts by connection.

It measures and does not judge. Exit: 0 measured; 1 a downloader failed; 2 usage, or a tool lacks.
"""

import argparse
import collections
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TOOLS = {"nginx": "nginx-light", "aria2c": "aria2", "curl": "curl", "sha256sum": "coreutils"}  # program: apt package
PARTS = ("verified", "memory", "throttled", "small")


class Failed(Exception):
    """A downloader did not do what is to be measured."""


def size(text):
    match = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB)?", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text}: not a size, as 4GiB or 512MiB")
    return int(match[1]) << {None: 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[match[2]]


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- servers


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def nginx(work, files):
    port = free_port()
    config = work / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {work}/nginx-temp;\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        ("user root;\n" if os.getuid() == 0 else "")
        + f"""daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.log;
events {{ worker_connections 256; }}
http {{
access_log off; sendfile on; default_type application/octet-stream;
{temporary}server {{ listen 127.0.0.1:{port}; root {files}; }}
}}
"""
    )
    server = subprocess.Popen(["nginx", "-c", str(config), "-p", str(work)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def wait_for(port, server):
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise Failed("nginx does not start")


class Bucket:
    """Bytes a second, without credit for what was not used."""

    def __init__(self, rate):
        self.rate, self.lock, self.free_at = rate, threading.Lock(), 0.0

    def take(self, count):
        with self.lock:
            start = max(self.free_at, time.monotonic())
            self.free_at = start + count / self.rate
            wait = self.free_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)


class Throttle(socketserver.ThreadingTCPServer):
    """Serves the files of a folder with Range, keep-alive and ETag, slowly."""

    daemon_threads, allow_reuse_address, request_queue_size = True, True, 256

    def __init__(self, files, by_connection, by_link):
        super().__init__(("127.0.0.1", 0), ThrottledConnection)
        self.files, self.by_connection = files, by_connection
        self.link = Bucket(by_link) if by_link else None


class ThrottledConnection(socketserver.StreamRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def handle(self):
        bucket = self.server.link or Bucket(self.server.by_connection)
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                path, wanted = line.split()[1].decode(), None
                while (header := self.rfile.readline().strip().lower()) != b"":
                    if header.startswith(b"range:"):
                        wanted = re.search(rb"bytes=(\d+)-(\d*)", header)
                self.answer(path, wanted, bucket)

    def answer(self, path, wanted, bucket):
        with open(self.server.files / os.path.basename(path), "rb") as file:
            total = os.fstat(file.fileno()).st_size
            begin = int(wanted[1]) if wanted else 0
            end = min(int(wanted[2]) + 1, total) if wanted and wanted[2] else total
            lines = [f'ETag: "{total}-{path}"', "Accept-Ranges: bytes", f"Content-Length: {end - begin}"]
            if wanted:
                lines += [f"Content-Range: bytes {begin}-{end - 1}/{total}"]
            status = "206 Partial Content" if wanted else "200 OK"
            self.request.sendall("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode())
            while begin < end:
                count = min(64 << 10, end - begin)
                bucket.take(count)
                begin += os.sendfile(self.request.fileno(), file.fileno(), begin, count)


@contextlib.contextmanager
def throttle(files, by_connection=0, by_link=0):
    server = Throttle(files, by_connection, by_link)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    server.server_close()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        process.kill()
        process.join()


# --- runs


@dataclasses.dataclass
class Run:
    seconds: float = 0
    on_disk: float = 0  # and until the bytes were on the disk
    processor: float = 0  # its processes' user and system time, without the server's
    rss: int = 0  # bytes, the largest of its processes
    output: str = ""


def run(commands, folder):
    """Commands one after the other in an empty folder; nothing of before is still being written."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    result = Run()
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        for command in commands:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            result.processor += usage.ru_utime + usage.ru_stime
            result.rss = max(result.rss, usage.ru_maxrss * 1024)
            if process.returncode != 0:
                out.seek(0)
                raise Failed(f"{' '.join(command)}\nexit {process.returncode}: {out.read().decode()[-2000:]}")
        result.seconds = time.monotonic() - start
        for file in folder.iterdir():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
        result.on_disk = time.monotonic() - start
        out.seek(0)
        result.output = out.read().decode(errors="replace")
    shutil.rmtree(folder)
    return result


def memory_text(rss):
    """A process begins its life as a copy of this one, whose own memory is therefore the least that can be told."""
    least = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{rss / MIB:.1f} MiB" if rss > least else f"under {least / MIB:.0f} MiB"


def make_file(path, length):
    """Random bytes, cheaply: one random block, changed in each place. Returns the SHA-256."""
    block = bytearray(os.urandom(MIB))
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for at in range(0, length, MIB):
            block[:8] = at.to_bytes(8, "little")
            part = block[: min(MIB, length - at)]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def podctl_get(podctl, *arguments):
    return [str(podctl), "get", "--no-color", "-q", *map(str, arguments)]


def verified(options, files, work):
    name, folder = "verified.bin", work / "to"
    digest = make_file(files / name, options.size)
    with nginx(work, files) as origin:
        url = f"{origin}/{name}"
        ways = {
            "podctl get --sha256": [podctl_get(options.podctl, "--allow-pickle", "--sha256", digest, url, ".")],
            "aria2c -x16 --checksum": [["aria2c", "-x16", f"--checksum=sha-256={digest}", url]],
            "aria2c -x16 -s16 -k1M --file-allocation=falloc --checksum": [
                ["aria2c", "-x16", "-s16", "-k1M", "--file-allocation=falloc", f"--checksum=sha-256={digest}", url]
            ],
            "curl, then sha256sum": [
                ["curl", "-sSf", "-o", name, url],
                ["sh", "-c", f"echo '{digest}  {name}' | sha256sum -c --quiet"],
            ],
        }
        runs = collections.defaultdict(list)
        for turn in range(options.runs + 1):
            for way, commands in ways.items():
                say(f"verified, {way}, {'warm-up' if turn == 0 else turn}")
                result = run(commands, folder)
                if turn > 0:
                    runs[way].append(result)
    print(f"\nVerified download of {options.size / MIB:.0f} MiB, {options.runs} runs in turn after a warm-up, medians:\n")
    print("| way | seconds | least-most | until on disk | processor seconds | peak memory | times podctl's, pair by pair |")
    print("|---|---|---|---|---|---|---|")
    base = next(iter(runs.values()))
    for way, results in runs.items():
        seconds = [each.seconds for each in results]
        ratios = [each.seconds / ours.seconds for each, ours in zip(results, base)]
        told = "" if results is base else f"{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
        print(
            f"| {way} | {statistics.median(seconds):.2f} | {min(seconds):.2f}-{max(seconds):.2f} "
            f"| {statistics.median(each.on_disk for each in results):.2f} "
            f"| {statistics.median(each.processor for each in results):.1f} "
            f"| {memory_text(max(each.rss for each in results))} | {told} |"
        )
    (files / name).unlink()


def memory(options, files, work):
    counts = {1: 512, 20: 32, 64: 16}  # files at once, and MiB of each
    for count, length in counts.items():
        for i in range(count):
            make_file(files / f"{count}-{i}.bin", length * MIB)
    batch = work / "memory.txt"
    rows = []
    with nginx(work, files) as fast, throttle(files, by_connection=8 * MIB) as slow:
        for origin, server in ((fast, "nginx"), (slow, "8 MiB/s a connection")):
            for count, length in counts.items():
                files_at_once = f"{count} of {length} MiB"
                batch.write_text("".join(f"{origin}/{count}-{i}.bin\n" for i in range(count)))
                row = [server, files_at_once]
                for connections in (1, 16, 64):
                    if origin == slow and connections == 1:  # it takes minutes, and shows nothing
                        row.append("")
                        continue
                    say(f"memory, {server}, {files_at_once}, {connections} connections")
                    flags = ["--allow-pickle", "--connections", connections]
                    result = run([podctl_get(options.podctl, *flags, "-i", batch, ".")], work / "to")
                    row.append(f"{memory_text(result.rss)} ({result.seconds:.1f} s)")
                rows.append(row)
    print("\npodctl's peak memory (and time), by `--connections`:\n")
    print("| server | files | 1 | 16 | 64 |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    for count in counts:
        for i in range(count):
            (files / f"{count}-{i}.bin").unlink()


def throttled(options, files, work):
    name, length, by_connection = "throttled.bin", 512 * MIB, 4 * MIB
    digest = make_file(files / name, length)
    runs = collections.defaultdict(list)
    with throttle(files, by_connection=by_connection) as origin:
        url = f"{origin}/{name}"
        ways = {
            "podctl get --sha256": [podctl_get(options.podctl, "--allow-pickle", "--sha256", digest, url, ".")],
            "aria2c -x16 -s16 -k1M --checksum": [
                ["aria2c", "-x16", "-s16", "-k1M", f"--checksum=sha-256={digest}", url]
            ],
        }
        for turn in range(options.runs):
            for way, commands in ways.items():
                say(f"throttled, {way}, {turn + 1}")
                runs[way].append(run(commands, work / "to"))
    print(f"\n512 MiB from a server that gives each connection 4 MiB/s, {options.runs} runs in turn, medians:\n")
    print("| way | seconds | MiB/s | of 64 MiB/s | peak memory |")
    print("|---|---|---|---|---|")
    for way, results in runs.items():
        seconds = statistics.median(each.seconds for each in results)
        rate = length / MIB / seconds
        rss = memory_text(max(each.rss for each in results))
        print(f"| {way} | {seconds:.2f} | {rate:.1f} | {rate / 64:.0%} | {rss} |")
    (files / name).unlink()


def small(options, files, work):
    names, large = [f"small-{i}.bin" for i in range(200)], "large.bin"
    make_file(files / large, 1024 * MIB)
    for name in names:
        make_file(files / name, 64 << 10)
    ready = collections.defaultdict(list)
    with throttle(files, by_link=32 * MIB) as origin:
        batch = work / "small.txt"
        batch.write_text("".join(f"{origin}/{name}\n" for name in (large, *names)))  # the large one first
        for turn in range(options.runs):
            say(f"small, {turn + 1}")
            command = podctl_get(options.podctl, "--allow-pickle", "--output", "json", "-i", batch, ".")
            command.remove("-q")
            result = run([command], work / "to")
            # Folders are made and writeback awaited before the first event.
            events = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
            times = {"start": seconds_of(events[0]["time"])}
            for event in events:
                if event["event"] == "file.ready":
                    times[os.path.basename(event["path"])] = seconds_of(event["time"]) - times["start"]
            ready["small"].append(max(times[name] for name in names))
            ready["large"].append(times[large])
    print("\n200 files of 64 KiB and one of 1 GiB, all at once over a link of 32 MiB/s, medians:\n")
    print("| files | all there after |")
    print("|---|---|")
    print(f"| the small ones | {statistics.median(ready['small']):.2f} s (the link alone: {200 / 16 / 32:.2f} s) |")
    print(f"| the large one | {statistics.median(ready['large']):.2f} s (the link alone: {(1024 + 200 / 16) / 32:.2f} s) |")
    for name in (large, *names):
        (files / name).unlink()


def seconds_of(stamp):
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return float(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) + float(f"0.{fraction or 0}")


def machine(options, work):
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    version = lambda *command: subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    kind = subprocess.run(["df", "--output=fstype", str(work)], capture_output=True, text=True, check=True)
    print(
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, {kind.stdout.split()[-1]} under the files, load {os.getloadavg()[0]:.1f} at the start. "
        f"{version(str(options.podctl), '--version')}, {version('aria2c', '--version')}, "
        f"{' '.join(version('curl', '--version').split()[:2])}."
    )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--podctl", type=pathlib.Path, default=REPOSITORY / "build/release/podctl", metavar="BINARY")
    parser.add_argument("--size", type=size, default=4 << 30, help="of the verified download's file (4GiB)")
    parser.add_argument("--runs", type=int, default=3, help="of every row, after a warm-up (3)")
    parser.add_argument("--work", type=pathlib.Path, help="where to work, 3 times the size (a new folder in $TMPDIR)")
    parser.add_argument("--only", default=",".join(PARTS), metavar="A,B", help=f"some of {','.join(PARTS)}")
    options = parser.parse_args()
    lacking = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if lacking:
        parser.error(f"apt-get install {' '.join(lacking)}")
    if not shutil.which(options.podctl):
        parser.error(f"no {options.podctl}: scripts/quickstart builds one; or --podctl BINARY")
    if options.runs < 1:
        parser.error("--runs: from 1")
    if unknown := set(options.only.split(",")) - set(PARTS):
        parser.error(f"--only {','.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    options.podctl = pathlib.Path(shutil.which(options.podctl)).resolve()
    return options


def main():
    options = arguments()
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="podctl-bench.", dir=options.work) as folder:
        work = pathlib.Path(folder).resolve()
        files = work / "files"
        files.mkdir()
        machine(options, work)
        for part in PARTS:
            if part in options.only.split(","):
                globals()[part](options, files, work)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except Failed as failure:
        say(f"download.py: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
