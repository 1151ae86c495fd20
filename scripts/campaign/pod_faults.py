#!/usr/bin/env python3
"""Breaks `podctl up` in the ways in which pods break, runs it again, and compares all that is there.

A small pod with every kind of step (pod_world.py) goes from nothing to edition v1, from v1 to v2, or back. In between
come kills, a full or read-only disk, a clock that jumps, I/O errors and state files that hold anything. Afterwards an
`up` without a fault must end well, and the root must be what a root without faults is: every file by its hash, the
HEADs of the checkouts, the packages by their RECORD, nothing half under a final name, nothing left running; a `plan`
that finds nothing to do; and the user's own files untouched. A run that says 0 in spite of a fault has to be right as
it stands; one that does not must say why, and not by a signal.

Prints Markdown. Exit: 0; 1 podctl does wrong somewhere; 2 usage, or a tool lacks. Full and read-only disks need root.
"""

import argparse
import base64
import collections
import concurrent.futures
import contextlib
import csv
import ctypes
import dataclasses
import errno
import hashlib
import json
import mmap
import os
import pathlib
import queue
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import pod_world

MIB = 1 << 20
HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
TIMEOUT = 90  # of one run that takes seconds
MARK = "POD_FAULTS_PLACE"  # in the environment of all that a place has started
# As in fault_shim.c.
OPERATIONS = ("open", "read", "write", "sync", "rename", "close", "truncate", "mkdir", "unlink", "symlink", "allocate",
              "opendir", "stat", "times", "chmod")  # fmt: skip
ANY, CHANGE, HIT = 30, 31, 32


class Wrong(Exception):
    """podctl did what it must not."""


# --- what stands on the disk


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(path):
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"
    return f"{stat.S_IMODE(mode):o} {digest(path)}" if stat.S_ISREG(mode) else f"a {stat.S_IFMT(mode):o}"


def walk(folder, skip=()):
    """Files and links below, without what Python makes as it goes."""
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        folders[:] = [name for name in folders if name not in ("__pycache__", *skip) and name not in links]
        for name in files + links:
            if not name.endswith(".pyc"):
                yield pathlib.Path(parent, name)


def describe_environment(link):
    """The packages by their RECORD, and the files without the generation's number, which scripts have inside."""
    if not link.is_symlink():
        raise Wrong(f"{link} is no link to a generation")
    folder, found = link.resolve(), {}
    mark = json.loads((folder / ".podctl-environment").read_text())
    if mark["state"] != "finished":
        raise Wrong(f"{folder} is not finished")
    found["fingerprint"] = mark["fingerprint"]
    for record in folder.glob("lib/python3*/site-packages/*.dist-info/RECORD"):
        for name, wanted, _ in csv.reader(record.open()):
            path = record.parent.parent / name
            if not path.is_file():
                raise Wrong(f"a hole in a finished environment: {path}")
            if wanted:
                padded = wanted.removeprefix("sha256=") + "=="
                if bytes.fromhex(digest(path)) != base64.urlsafe_b64decode(padded):
                    raise Wrong(f"{path} is not what its RECORD says")
    for path in walk(folder):
        if path.name in (".podctl-environment", "RECORD", "uv_cache.json", ".lock"):
            continue
        if path.is_symlink():
            found[str(path.relative_to(folder))] = os.readlink(path)
        else:
            content = re.sub(rb"\.podctl/\d+", b".podctl/N", path.read_bytes())
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def git_in(checkout, *arguments):
    done = subprocess.run(["git", "-c", "safe.directory=*", *arguments], cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise Wrong(f"git {arguments[0]} in {checkout}: {done.stderr.strip()}")
    return done.stdout.strip()


def describe_checkout(checkout):
    git_in(checkout, "fsck", "--no-dangling", "--no-progress")
    return {"HEAD": git_in(checkout, "rev-parse", "HEAD"), "changed": git_in(checkout, "status", "--porcelain")}


def read_journal(path):
    """The fingerprints of the steps. Lines that say nothing are passed over, as podctl does."""
    found = {}
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError, RecursionError, TypeError, AttributeError, KeyError):
            record = json.loads(line)
            if isinstance(record["id"], str) and isinstance(record["fingerprint"], str):
                found[record["id"]] = record["fingerprint"]
    return found


def describe_root(root):
    """What two roots must agree in."""
    found = {}
    for path in walk(root, skip=(".git", ".podctl", ".local", ".venv.podctl")):
        if path != root / "venv":
            found[str(path.relative_to(root))] = describe(path)
    for git in root.rglob(".git"):
        if not git.is_relative_to(root / ".podctl"):
            found[f"{git.parent.relative_to(root)} (checkout)"] = describe_checkout(git.parent)
    found["venv"] = describe_environment(root / "venv")
    found["venv of app"] = describe_environment(root / ".podctl/venvs/app")
    found["journal"] = read_journal(root / ".podctl/journal.jsonl")
    return found


def leftovers(root):
    """What a run leaves that it only needed meanwhile."""
    state = root / ".podctl"
    # In and it are of put(): not podctl's to remove.
    found = [path for path in walk(state / "partial") if path.parts[-2:] != ("in", "it")]
    found += [path for path in walk(root, skip=("cache", ".git")) if re.search(r"\.podctl-\w{6}$", path.name)]
    return [str(path.relative_to(root)) for path in found]


def compare(now, reference):
    """The first few differences."""
    said = []
    for name in sorted(now.keys() | reference.keys()):
        here, there = now.get(name), reference.get(name)
        if here == there:
            continue
        if isinstance(here, dict) and isinstance(there, dict):
            said += [f"{name}: {each}" for each in compare(here, there)]
        else:
            said.append(f"{name}: {'missing' if here is None else 'one too many' if there is None else f'{here}, not {there}'}")
    return said[:6]


# --- processes


def processes_of(mark):
    """Those that have the mark in their environment, zombies not."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry.name}/environ", "rb") as file:
                    if f"{MARK}={mark}".encode() in file.read().split(b"\0"):
                        yield int(entry.name)


def name_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return "?"


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


class Run:
    """A podctl that runs; its output goes to a file, so that a descendant that lives on holds nothing up."""

    def __init__(self, place, arguments, environment=None, prefix=()):
        self.place = place
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*map(str, prefix), str(place.podctl), *map(str, arguments)], cwd=place.folder,
            env=place.environment | (environment or {}),
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    @property
    def said(self):
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def wait(self, timeout=TIMEOUT):
        """The exit code; negative: the signal; None: it still runs."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end_of(self, timeout=TIMEOUT):
        code = self.wait(timeout)
        if code is None:
            self.process.kill()
            self.process.wait()
            raise Wrong(f"it hung:\n{self.said[-1500:]}")
        if code < 0:
            raise Wrong(f"it crashed with {signal.Signals(-code).name}:\n{self.said[-3000:]}")
        if "AddressSanitizer" in self.said or "runtime error:" in self.said:
            raise Wrong(f"a sanitizer's report:\n{self.said[-3000:]}")
        return code

    def wait_until_ready(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if "launch: done" in self.said:
                return
            if self.wait(0.03) is not None:
                raise Wrong(f"it ended with {self.process.returncode} instead of being ready:\n{self.said[-1500:]}")
        self.process.kill()
        raise Wrong(f"it was never ready:\n{self.said[-1500:]}")


# --- a place: a root, its templates, and what was there before

@dataclasses.dataclass(frozen=True)
class Way:
    kept: str  # what stands
    edition: str  # what the template asks for


WAYS = {
    "nothing": Way("nothing", "v1"), "v1": Way("v1", "v2"), "v2": Way("v2", "v1"), "v1 again": Way("v1", "v1"),
}  # fmt: skip
CHANGES = ("nothing", "v1", "v2")  # those that have something to do


class Place:
    def __init__(self, world, number, options, shim):
        self.world, self.options, self.shim, self.podctl = world, options, shim, options.podctl
        self.folder = world.folder / f"place{number}"
        self.root, self.mark = self.folder / "root", f"{os.getpid()}-{number}"
        self.folder.mkdir()
        ports = 29000 + 10 * number + os.getpid() % 500 * 20
        self.ports = [ports, ports + 1]
        template = world.template(self.root, self.ports, options.installer, options.python)
        (self.folder / "v1.yaml").write_text(template)
        (self.folder / "v2.yaml").write_text(world.second_edition())
        self.outside = self.folder / "outside.txt"
        self.environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        # The pods have an index of their own; the machine's further ones and its constraints are nothing of theirs.
        self.environment |= {MARK: self.mark, "PIP_CONFIG_FILE": os.devnull, "NO_COLOR": "1", "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        # On the disk that breaks, and kept and brought back with the root.
        self.environment["PODCTL_LOCAL"] = str(self.root / ".local")
        if options.uv:
            self.environment["PATH"] = f"{options.uv.parent}:{self.environment['PATH']}"
        self.references, self.seconds, self.growth, self.own = {}, {}, {}, {}

    def arguments(self, edition, *more):
        overlay = ["-f", self.folder / "v2.yaml"] if edition == "v2" else []
        return ["up", self.folder / "v1.yaml", *overlay, "--root", self.root, *more]

    def start(self, edition, *more, **others):
        return Run(self, self.arguments(edition, *more), **others)

    def prepare(self):
        """The three roots to begin with, and what becomes of each without a fault."""
        self.root.mkdir()
        self.write_own_source("v1")
        self.keep("nothing")
        for start, way in WAYS.items():
            self.restore(start)
            edition = way.edition
            before = size_of(self.root)
            began = time.monotonic()
            run = self.start(edition, "--no-launch")
            if run.end_of():
                raise SystemExit(f"pod_faults.py: without any fault:\n{run.said}")
            self.seconds[start] = time.monotonic() - began
            self.growth[start] = size_of(self.root) - before
            if start == "nothing":
                self.plant()
            self.references[start] = describe_root(self.root)
            if start in ("nothing", "v1"):
                self.keep(edition)
        # A fault may come before anything of the user's can be there.
        self.restore("nothing")
        if self.start("v1", "--no-launch").end_of():
            raise SystemExit("pod_faults.py: not twice")
        self.references["nothing"] = describe_root(self.root)

    def write_own_source(self, edition):
        pod_world.write_files(self.root / "mine/copied", {f"part{i}.py": f"N = {i}\n" * 30 for i in range(20)})
        if edition == "v2":
            pod_world.write_files(self.root / "mine/copied", {"part3.py": "N = 'v2'\n", "new.py": "NEW = 1\n"})
        else:
            (self.root / "mine/copied/new.py").unlink(missing_ok=True)
        pod_world.write_files(self.root, {"notes.txt": "the user's own notes\n"})
        os.utime(self.root / "mine/copied/part3.py", (1.7e9, 1.7e9 + (edition == "v2")))

    def plant(self):
        """Files of the user's own, within what podctl made."""
        self.own = {
            "extras/README.md": "changed by hand\n",
            "ComfyUI/models/checkpoints/own.safetensors": pod_world.safetensors("own", 200_000),
            "ComfyUI/custom_nodes/own_nodes/__init__.py": "NODE_CLASS_MAPPINGS = {}\n",
            "ComfyUI/output/picture.png": pod_world.luck_of("picture").randbytes(30_000),
            "ComfyUI/custom_nodes/pack-a/settings.json": '{"mine": true}\n',
        }
        pod_world.write_files(self.root, self.own)

    def keep(self, name):
        subprocess.run(["cp", "-a", self.root, self.folder / f"kept-{name}"], check=True)

    def clear(self):
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def restore(self, start):
        """The root itself stays: it may be a mount."""
        self.clear()
        subprocess.run(["cp", "-a", f"{self.folder / f'kept-{WAYS[start].kept}'}/.", self.root], check=True)
        self.write_own_source(WAYS[start].edition)
        self.outside.write_text("outside of the root\n")
        self.end_all()

    def end_all(self):
        for pid in list(processes_of(self.mark)):
            kill(pid)
        deadline = time.monotonic() + 10
        while list(processes_of(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def check(self, start):
        """The root is what it has to be."""
        now, reference = describe_root(self.root), self.references[start]
        # A step may be known by what it made alone, so a journal that was lost need not hold all again.
        now["journal"] = reference["journal"] | now["journal"]
        wrong = compare(now, reference)
        if self.outside.read_text() != "outside of the root\n":
            wrong.append("a file outside of the root was changed")
        if start != "nothing":
            for name, content in self.own.items():
                content = content if isinstance(content, bytes) else content.encode()
                if not (self.root / name).is_file() or (self.root / name).read_bytes() != content:
                    wrong.append(f"the user's {name} is not what it was")
        if wrong:
            raise Wrong("; ".join(wrong))

    def check_idle(self):
        if left := [name_of(pid) for pid in processes_of(self.mark)]:
            raise Wrong(f"left running: {left}")

    def converge(self, start, launch=False):
        """The run without a fault that comes after one with."""
        edition = WAYS[start].edition
        if launch:
            run = self.start(edition)
            run.wait_until_ready()
            run.process.terminate()
            if (code := run.end_of(30)) != 128 + signal.SIGTERM:
                raise Wrong(f"ended by TERM with {code}:\n{run.said[-1500:]}")
        else:
            run = self.start(edition, "--no-launch")
            if code := run.end_of():
                raise Wrong(f"the run after it ended with {code}:\n{run.said[-2500:]}")
        self.check_idle()
        self.check(start)
        if left := leftovers(self.root):
            raise Wrong(f"left over: {left}")
        plan = self.plan(edition)
        if code := plan.process.returncode:
            raise Wrong(f"a plan of it ended with {code}:\n{plan.said[-1500:]}")

    def plan(self, edition, *more):
        run = Run(self, ["plan", *self.arguments(edition, *more)[1:]])
        run.end_of()
        return run

    def judge(self, run, code, start, names=True):
        """What a run with a fault has said."""
        if code == 0:
            self.check(start)
        elif code not in (3, 4, 5):
            raise Wrong(f"exit code {code}:\n{run.said[-1500:]}")
        elif not re.search(r"^(podctl: |error|[\w.:/-]+: failed)", run.said, re.M) and len(run.said.strip()) < 40:
            raise Wrong(f"exit code {code}, and says nothing of why:\n{run.said[-1500:]}")
        elif "this is a fault of podctl" in run.said:
            raise Wrong(f"an internal error:\n{run.said[-1500:]}")
        elif names and not re.search(r"(^|[\s'`\":(])/\S", "\n".join(run.said.splitlines()[1:])):
            raise Wrong(f"exit code {code}, and names no file:\n{run.said[-1500:]}")


# --- the faults


@dataclasses.dataclass
class Case:
    fault: str
    start: str
    seed: str
    act: object  # (place, start, luck) -> (met: bool, what became of the first run)
    launch: bool = False  # afterwards with a launch
    settings: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    case: Case
    met: bool = False
    end: str = ""
    wrong: str = ""
    seconds: float = 0


def wait_a_while(run, seconds):
    """False: it ended before."""
    return run.wait(seconds) is None


def random_child(place, run, luck):
    children = [pid for pid in processes_of(place.mark) if pid != run.process.pid]
    return luck.choice(children) if children else None


def kill_at_once(place, run, victim, luck):
    """(met, what was met)"""
    if victim == "podctl":
        busy = run.process.poll() is None
        kill(run.process.pid)
        run.process.wait()
        return busy, "podctl"
    # A child may live for a few milliseconds only.
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and run.process.poll() is None:
        if (pid := random_child(place, run, luck)) and kill(pid):
            return True, pathlib.Path(name_of(pid).split(" ")[0] or "?").name
    return False, ""


def kills(place, start, luck, victims, launch):
    """So many kills in one or more runs, at instants that are spread over all of a run."""
    met, ends = False, []
    for victim in victims:
        run = place.start(WAYS[start].edition, *([] if launch else ["--no-launch"]))
        length = place.seconds[start] + (2.5 if launch else 0)
        if wait_a_while(run, luck.uniform(0.01, length)):
            hit, _ = kill_at_once(place, run, victim, luck)
            met |= hit
        if victim == "podctl":
            ends.append("killed" if run.process.poll() == -signal.SIGKILL else str(run.process.poll()))
            continue
        if launch:  # a service that is killed comes back; a step that was fails, and the run with it
            with contextlib.suppress(Wrong):
                run.wait_until_ready(30)
                run.process.terminate()
        code = run.end_of(40)
        ends.append(str(code))
        place.check_idle()
        if not launch:
            place.judge(run, code, start, names=False)
    return met, ", ".join(sorted(set(ends)))


def kill_cases(options):
    patterns = [
        ("kill -9 of podctl, provisioning", ["podctl"], False),
        ("kill -9 of podctl, up to serving", ["podctl"], True),
        ("kill -9 of a child, provisioning", ["child"], False),
        ("kill -9 of a child, up to serving", ["child"], True),
        ("kill -9 three times, of either", ["podctl", "child", "podctl"], False),
    ]
    for number in range(options.runs):
        fault, victims, launch = patterns[number % len(patterns)]
        start = CHANGES[number // len(patterns) % len(CHANGES)]
        yield Case(fault, start, f"{number}", kills, launch or number % 2 == 1, {"victims": victims, "launch": launch})


@contextlib.contextmanager
def mounted(place, size):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place.root], check=True)
    try:
        yield
    finally:
        place.end_all()
        subprocess.run(["umount", "-l", place.root], check=True)


def remount(place, how):
    done = subprocess.run(["mount", "-o", f"remount,{how}", place.root], capture_output=True)
    return done.returncode == 0


def size_of(folder):
    """Bytes on the disk; files with several names once."""
    found = {}
    for parent, _, files in os.walk(folder):
        for name in files:
            status = os.lstat(os.path.join(parent, name))
            found[status.st_ino] = -(-status.st_size // 4096) * 4096
    return sum(found.values())


def used(folder):
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def full_from_the_start(place, start, luck, room):
    """`room`: of what the run adds."""
    remount(place, f"size={used(place.root) + int(place.growth[start] * room)}")
    run = place.start(WAYS[start].edition, "--no-launch")
    code = run.end_of()
    place.judge(run, code, start)
    place.check_idle()
    remount(place, "size=512m")
    return code != 0, str(code)


def fill(folder, room):
    """A file that takes all but `room` bytes of the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        size, step = 0, 32 * MIB
        while step >= 4096:
            status = os.statvfs(folder)
            if status.f_bavail * status.f_frsize < room + step:
                step //= 2
                continue
            try:
                os.posix_fallocate(file.fileno(), size, step)  # all of it or nothing
                size += step
            except OSError:
                step //= 2
    return ballast


def full_in_the_middle(place, start, luck, room):
    """Something else fills the disk meanwhile; it is small, so that this takes no time."""
    remount(place, f"size={used(place.root) + int(1.3 * place.growth[start]) + 4 * MIB}")
    run = place.start(WAYS[start].edition, "--no-launch")
    wait_a_while(run, luck.uniform(0.02, place.seconds[start]))
    ballast = fill(place.root, room)
    busy = run.process.poll() is None
    code = run.end_of()
    ballast.unlink()
    remount(place, "size=512m")
    place.judge(run, code, start)
    place.check_idle()
    return busy and code != 0, str(code)


def full_while_serving(place, start, luck, room):
    """The pod goes on: the disk is nothing that it needs."""
    run = place.start(WAYS[start].edition)
    run.wait_until_ready()
    ballast = fill(place.root, room)
    for _ in range(200):  # each is a line of log
        ask(place)
    pids = [pid for pid in processes_of(place.mark) if b"main.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    kill(pids[0])
    deadline = time.monotonic() + 30
    while not ask(place):
        if time.monotonic() > deadline or run.process.poll() is not None:
            raise Wrong(f"ComfyUI did not come back on a full disk:\n{run.said[-1500:]}")
        time.sleep(0.1)
    run.process.terminate()
    code = run.end_of(30)
    ballast.unlink()
    if code != 128 + signal.SIGTERM:
        raise Wrong(f"ended by TERM with {code}:\n{run.said[-1500:]}")
    return True, str(code)


def ask(place):
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", place.ports[0]), 5) as connection:
            connection.sendall(b"GET /system_stats HTTP/1.0\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.0 200")
    return False


def on_a_mount(act):
    def on_mount(place, start, luck, **settings):
        with mounted(place, "512m"):
            place.restore(start)
            result = act(place, start, luck, **settings)
            place.converge(start)  # here: the mount goes
        return result

    on_mount.converges = True
    return on_mount


def read_only_before(place, start, luck):
    remount(place, "ro")
    run = place.start(WAYS[start].edition, "--no-launch")
    code = run.end_of()
    if code == 0:
        raise Wrong(f"0 on a read-only volume:\n{run.said[-1500:]}")
    place.judge(run, code, start)
    place.check_idle()
    remount(place, "rw")
    return True, str(code)


def read_only_in_the_middle(place, start, luck):
    """As a kernel does it that finds its disk broken: at once, under open files, and what was not synced is gone."""
    image = place.folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(512 * MIB)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)

    def mount():
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, place.root], check=True)

    mount()
    try:
        place.restore(start)
        subprocess.run(["sync", "-f", place.root], check=True)
        device = subprocess.check_output(["findmnt", "-no", "SOURCE", place.root], text=True).strip()
        run = place.start(WAYS[start].edition, "--no-launch")
        wait_a_while(run, luck.uniform(0.02, place.seconds[start]))
        busy = run.process.poll() is None
        pathlib.Path("/sys/fs/ext4", os.path.basename(device), "trigger_fs_error").write_text("1")
        code = run.end_of()
        if code not in (0, 3, 4):
            raise Wrong(f"exit code {code}:\n{run.said[-1500:]}")
        place.check_idle()
        subprocess.run(["umount", place.root], check=True)
        if subprocess.run(["fsck.ext4", "-y", image], capture_output=True).returncode > 1:
            raise Wrong("fsck could not mend the disk")
        mount()
        place.converge(start)
    finally:
        place.end_all()
        subprocess.run(["umount", "-l", place.root], check=False)
    return busy and code != 0, str(code)


read_only_in_the_middle.converges = True


class Shared:
    """A file of int64 that the shim sees."""

    def __init__(self, path, count):
        path.write_bytes(bytes(8 * count))
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8 * count)
        self.values = (ctypes.c_int64 * count).from_buffer(self.memory)
        self.path = path


def shimmed(place, counts, **more):
    return {"LD_PRELOAD": place.shim, "FAULT_ROOT": str(place.root), "FAULT_COUNTS": str(counts.path), **more}


def count_operations(place, start):
    counts = Shared(place.folder / "counts", 64)
    place.restore(start)
    run = place.start(WAYS[start].edition, "--no-launch", environment=shimmed(place, counts))
    if run.end_of():
        raise SystemExit(f"pod_faults.py: under the shim:\n{run.said}")
    return list(counts.values)


COUNTS, COUNTS_LOCK = {}, threading.Lock()


def failing_operation(place, start, luck, operation, part, number, forever):
    """`part`: which of the operations, from 0 to 1."""
    with COUNTS_LOCK:
        if start not in COUNTS:
            COUNTS[start] = count_operations(place, start)
            place.restore(start)
        slot = {"any": ANY, "change": CHANGE}.get(operation)
        total = COUNTS[start][slot if slot is not None else OPERATIONS.index(operation)]
    if total == 0:
        return False, "none there"
    counts = Shared(place.folder / "counts", 64)
    more = {"FAULT_OP": operation, "FAULT_NTH": str(1 + int(part * total)), "FAULT_ERRNO": str(number)}
    if forever:
        more["FAULT_FOREVER"] = "1"
    run = place.start(WAYS[start].edition, "--no-launch", environment=shimmed(place, counts, **more))
    code = run.end_of()
    met = counts.values[HIT] != 0
    if not met and code:
        raise Wrong(f"no fault, and it ended with {code}:\n{run.said[-1500:]}")
    place.judge(run, code, start)
    place.check_idle()
    return met, str(code)


def clock_jumps(place, start, luck, years, when):
    clock = Shared(place.folder / "clock", 1)
    nanoseconds = int(years * 365.25 * 86400 * 1e9)
    if when == "future files":
        now = time.time() + years * 365.25 * 86400
        # A copied pack is compared with its source by time: with another, it counts as changed by the user.
        for path in walk(place.root, skip=("copied",)):
            os.utime(path, (now, now), follow_symlinks=False)
        run = place.start(WAYS[start].edition, "--no-launch")
    else:
        clock.values[0] = nanoseconds if when == "before" else 0
        run = place.start(WAYS[start].edition, "--no-launch",
                          environment={"LD_PRELOAD": place.shim, "FAULT_CLOCK": str(clock.path)})  # fmt: skip
        while when == "often" and wait_a_while(run, 0.05):
            clock.values[0] = luck.choice((-1, 1, 0)) * nanoseconds
        if when == "within":
            wait_a_while(run, luck.uniform(0.02, place.seconds[start]))
            clock.values[0] = nanoseconds
    began = time.monotonic()
    code = run.end_of()
    if code:
        raise Wrong(f"it ended with {code}:\n{run.said[-2500:]}")
    if time.monotonic() - began > 20 + 5 * place.seconds[start]:
        raise Wrong(f"it took {time.monotonic() - began:.0f} s")
    place.judge(run, code, start)
    return True, str(code)


def clock_jumps_while_serving(place, start, luck, years, when):
    clock = Shared(place.folder / "clock", 1)
    run = place.start(WAYS[start].edition, environment={"LD_PRELOAD": place.shim, "FAULT_CLOCK": str(clock.path)})
    run.wait_until_ready()
    clock.values[0] = int(years * 365.25 * 86400 * 1e9)
    pids = [pid for pid in processes_of(place.mark) if b"main.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    kill(pids[0])
    began = time.monotonic()
    while not ask(place):
        if time.monotonic() - began > 15 or run.process.poll() is not None:
            raise Wrong(f"ComfyUI did not come back after the clock jumped:\n{run.said[-1500:]}")
        time.sleep(0.05)
    run.process.terminate()
    if (code := run.end_of(30)) != 128 + signal.SIGTERM:
        raise Wrong(f"ended by TERM with {code}:\n{run.said[-1500:]}")
    return True, str(code)


def deep(content, luck):
    return b'{"id":' * 100_000 + b"\n"


def typed_wrongly(content, luck):
    """The JSON there with other types and numbers."""
    odd = [None, -1, 2**70, 1e300, [], {}, "", "\u0000", True, ["x"] * 3]

    def change(value):
        if isinstance(value, dict):
            return {key: change(each) if luck.random() < 0.6 else luck.choice(odd) for key, each in value.items()}
        return [change(each) for each in value] if isinstance(value, list) else luck.choice(odd)

    lines = []
    for line in content.splitlines():
        try:
            lines.append(json.dumps(change(json.loads(line))).encode())
        except ValueError:
            lines.append(line)
    return b"\n".join(lines) + b"\n"


def flipped(content, luck):
    changed = bytearray(content)
    for _ in range(1 + len(changed) // 50):
        if changed:
            changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def repeated(content, luck):
    lines = content.splitlines(keepends=True)
    return b"".join(luck.choices(lines, k=3 * len(lines))) if lines else b""


CONTENTS = {
    "cut short": lambda content, luck: content[: luck.randrange(len(content) + 1)],
    "random bytes": lambda content, luck: luck.randbytes(max(len(content), 200)),
    "empty": lambda content, luck: b"",
    "a line of 64 MiB": lambda content, luck: b"a" * (64 * MIB),
    "NULs": lambda content, luck: bytes(max(len(content), 4096)),
    "deep JSON": deep,
    "wrong types and numbers": typed_wrongly,
    "flipped bits": flipped,
    "lines in another order": repeated,
}


def put(path, what, place, luck):
    if what in CONTENTS:
        content = path.read_bytes() if path.is_file() else b""
        return path.write_bytes(CONTENTS[what](content, luck))
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "gone":
        return None
    if what == "a folder":
        return pod_world.write_files(path, {"in/it": "x"})
    if what == "a link to elsewhere":
        return path.symlink_to(place.outside)
    if what == "a link to nothing":
        return path.symlink_to(place.folder / "nothing" / "there")
    if what == "a link to itself":
        return path.symlink_to(path.name)
    if what == "a FIFO":
        return os.mkfifo(path)
    if what == "a socket":
        with socket.socket(socket.AF_UNIX) as made:
            here = os.open(path.parent, os.O_PATH)
            made.bind(f"/proc/self/fd/{here}/{path.name}")
            os.close(here)
        return None
    raise AssertionError(what)


KINDS = [*CONTENTS, "gone", "a folder", "a link to elsewhere", "a link to nothing", "a link to itself", "a FIFO", "a socket"]
# Which of the state's files: patterns, of which one that is there is chosen. {}: written when nothing is.
STATE_FILES = (
    "journal.jsonl", "lock", "../.local/*/pod.json", "../.local/*/podctl.sock", "../.local/*/podctl.address",
    "../.local/*/pod.lock", "../.local/*/logs/python.install.log", "../.local/*/logs/install.pack-a.log",
    "../.local/*/logs/comfyui.log", "../.local/*/logs", "../.local/*", "environments/python.lock",
    "environments/service-app.lock", "environments/resolved/*.lock", "environments/held.txt", "partial/*.part",
    "partial/*.podctl*", "partial", "staging",
    "staging/*", "replaced", "environments", "environments/resolved", "tools", "venvs", "venvs/app",
    "venvs/.app.podctl", "venvs/.app.podctl/1/.podctl-environment", "../venv", "../.venv.podctl",
    "../.venv.podctl/*/.podctl-environment",
)  # fmt: skip


def hostile(place, start, luck, file, what, half_done):
    """One file of the state, in a root that stands or in one in which a run was killed."""
    if half_done:
        run = place.start(WAYS[start].edition, "--no-launch")
        wait_a_while(run, 0.6 * place.seconds[start])
        kill(run.process.pid)
        run.process.wait()
        place.end_all()
    state = place.root / ".podctl"
    there = sorted(state.glob(file))
    if not there and "*" in file:
        return False, "none there"
    path = luck.choice(there) if there else state / file
    path = pathlib.Path(os.path.normpath(path))
    if path.is_dir() and not path.is_symlink() and what in CONTENTS or path.is_symlink() and what in CONTENTS:
        shutil.rmtree(path) if not path.is_symlink() else path.unlink()
    put(path, what, place, luck)
    run = place.start(WAYS[start].edition, "--no-launch")
    code = run.end_of()
    place.judge(run, code, start)
    place.check_idle()
    if code:
        # It is named, and a person removes it.
        if path.name not in run.said and str(path.parent) not in run.said:
            raise Wrong(f"exit {code}, and does not name {path}:\n{run.said[-1500:]}")
        if path.is_symlink() or path.exists():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return True, str(code)


def all_cases(options):
    luck = random.Random(options.seed)
    few = 4 if options.quick else 1
    cases = list(kill_cases(options))
    starts = CHANGES
    if os.geteuid() == 0:
        for number in range(0, 15, few):
            room = 0.01 + number * 1.1 / 14
            cases.append(Case("a disk that is too small", starts[number % 3], f"small{number}", on_a_mount(full_from_the_start), settings={"room": room}))
        for number in range(0, 24, few):
            cases.append(Case("a disk that fills up meanwhile", starts[number % 3], f"fills{number}", on_a_mount(full_in_the_middle), settings={"room": luck.choice((0, 4096, 65536, 512 << 10))}))
        for number in range(0, 3, few):
            cases.append(Case("a disk that fills up while serving", "v1", f"serves{number}", on_a_mount(full_while_serving), settings={"room": 0}))
        for number in range(0, 6, few):
            cases.append(Case("a read-only volume", starts[number % 3], f"ro{number}", on_a_mount(read_only_before)))
        for number in range(0, 12, few):
            cases.append(Case("an error of the disk: read-only from then on", starts[number % 3], f"rom{number}", read_only_in_the_middle))
    for number in range(0, 16, few):
        when = ("before", "within", "often", "future files")[number // few % 4]
        years = luck.choice((-20, -3, -0.003, 0.003, 4, 10)) if when != "future files" else 5
        cases.append(Case("the clock jumps", starts[number % 3], f"clock{number}", clock_jumps, settings={"years": years, "when": when}))
    for number in range(0, 4, few):
        cases.append(Case("the clock jumps while serving", "v1", f"clocks{number}", clock_jumps_while_serving, settings={"years": (-5, 5)[number % 2], "when": ""}))
    for operation in OPERATIONS:
        each = 9
        for number in range(0, each, few):
            settings = {"operation": operation, "part": (number + luck.random()) / each, "number": errno.EIO, "forever": False}
            cases.append(Case("EIO, one operation", starts[number % 3], f"eio{operation}{number}", failing_operation, settings=settings))
    for number in range(0, 24, few):
        settings = {"operation": luck.choice(("any", "change")), "part": luck.random(), "number": luck.choice((errno.EIO, errno.EROFS, errno.ENOSPC, errno.EDQUOT)), "forever": True}
        cases.append(Case("every operation from one on: EIO, EROFS, ENOSPC, EDQUOT", starts[number % 3], f"forever{number}", failing_operation, settings=settings))
    number = 0
    for file in STATE_FILES:
        for what in KINDS:
            number += 1
            if options.quick and number % 12:
                continue
            if "link" in what and file.endswith(("venv", "venvs/app")):
                continue  # a link there is the user's way to say where the environment belongs
            half_done = file.startswith(("partial", "staging")) or (file != "journal.jsonl" and number % 5 == 0)
            start = ("v1", "v2")[number % 2] if file != "journal.jsonl" else "v1 again"
            cases.append(Case(f"state file: {what}", start, f"state{number}", hostile, settings={"file": file, "what": what, "half_done": half_done}))
    return [case for case in cases if options.only.search(f"{case.fault} {case.settings} {case.start}")]


def try_case(place, case):
    outcome = Outcome(case)
    luck = random.Random(f"{place.options.seed} {case.seed}")
    began = time.monotonic()
    try:
        place.restore(case.start)
        outcome.met, outcome.end = case.act(place, case.start, luck, **case.settings)
        if not getattr(case.act, "converges", False):
            place.converge(case.start, case.launch)
    except Wrong as wrong:
        outcome.wrong = str(wrong)
        if place.options.keep:
            kept = place.options.keep / f"{case.seed}"
            subprocess.run(["cp", "-a", place.root, kept], check=False)
    except Exception as failure:  # of this script: told, and the rest goes on
        outcome.wrong = f"pod_faults.py: {type(failure).__name__}: {failure}"
    finally:
        place.end_all()
    outcome.seconds = time.monotonic() - began
    return outcome


def run_all(places, cases):
    free, outcomes = queue.Queue(), []
    for place in places:
        free.put(place)

    def one(case):
        place = free.get()
        try:
            return try_case(place, case)
        finally:
            free.put(place)

    with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
        for number, outcome in enumerate(pool.map(one, cases), 1):
            outcomes.append(outcome)
            case = outcome.case
            print(f"{number}/{len(cases)} {case.fault} [{case.seed}] from {case.start} {case.settings}: "
                  f"{'met' if outcome.met else 'not met'}, {outcome.end} ({outcome.seconds:.1f} s)"
                  + (f"\n  WRONG: {outcome.wrong}" if outcome.wrong else ""), file=sys.stderr, flush=True)  # fmt: skip
    return outcomes


def table(outcomes):
    groups = collections.OrderedDict()
    for outcome in outcomes:
        groups.setdefault(outcome.case.fault, []).append(outcome)
    lines = ["| fault | runs | met | the run with it ended with | then |", "|---|--:|--:|---|---|"]
    for fault, group in groups.items():
        ends = collections.Counter(each for outcome in group for each in outcome.end.split(", ") if each)
        told = ", ".join(f"{end} ({count}×)" for end, count in sorted(ends.items()))
        wrong = sum(1 for outcome in group if outcome.wrong)
        lines.append(f"| {fault} | {len(group)} | {sum(each.met for each in group)} | {told} | {f'**{wrong} wrong**' if wrong else 'right'} |")
    lines.append(f"| all | {len(outcomes)} | {sum(each.met for each in outcomes)} | | |")
    return "\n".join(lines)


def write_between_markers(path, text, begin=BEGIN, end=END):
    old = path.read_text()
    if begin not in old or end not in old:
        sys.exit(f"{path}: no {begin} and {end}")
    before, rest = old.split(begin, 1)
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end, 1)[1]}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--podctl", default=REPOSITORY / "build/release/podctl", type=pathlib.Path, metavar="BINARY")
    parser.add_argument("--runs", type=int, default=120, help="with kills (120)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
    parser.add_argument("--only", default="", type=re.compile, metavar="REGEX", help="faults whose title or settings match")
    parser.add_argument("--quick", action="store_true", help="every fault, fewer times")
    parser.add_argument("--jobs", type=int, default=2, help="pods at once (2)")
    parser.add_argument("--python", default="/usr/bin/python3", help="the pods' interpreter")
    parser.add_argument("--installer", choices=("auto", "uv", "pip"), help="uv where there is one in PATH, else pip")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="copies of roots that went wrong")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the table between its two markers")
    options = parser.parse_args()
    if options.quick:
        options.runs = min(options.runs, 20)
    for tool, package in (("git", "git"), ("cc", "build-essential")):
        if not shutil.which(tool):
            parser.error(f"apt-get install {package}")
    if not options.podctl.is_file():
        parser.error(f"no {options.podctl}: scripts/quickstart builds one; or --podctl BINARY")
    options.podctl = options.podctl.resolve()
    options.uv = pathlib.Path(shutil.which("uv")) if shutil.which("uv") else None
    options.installer = options.installer or ("uv" if options.uv else "pip")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended, and the mounts with it
    with tempfile.TemporaryDirectory(prefix="podctl-faults.") as name:
        folder = pathlib.Path(name)
        shim = folder / "fault_shim.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, HERE / "fault_shim.c", "-ldl"], check=True)
        world = pod_world.World(folder)
        places = [Place(world, number, options, str(shim)) for number in range(options.jobs)]
        try:
            for place in places:
                place.prepare()
            outcomes = run_all(places, all_cases(options))
        finally:
            for place in places:
                place.end_all()
    text = table(outcomes)
    print(text)
    if options.write:
        write_between_markers(options.write, text)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
