#!/usr/bin/env python3
"""Breaks pods that share a network volume, and looks whether anything is lost, or two hold the volume at once.

  scripts/campaign/volume_faults.py --clients A B [--kill-client COMMAND --remount COMMAND] [--cut COMMAND
      --mend COMMAND] [--fill COMMAND --drain COMMAND] [options]

A and B are two mounts of one network volume, each by a client of its own. Two pods (pod_world.py) run on one root, each
with a client, a process table, a host name and an own folder of its own, as two machines have it. One holds the volume
and provisions it, the other waits; then comes one fault, at an instant that a seed decides. Somebody has to hold the
volume within 90 s of the holder's end, never two at once: who claims it and who writes is seen in the lease's files.
Afterwards both pods run without a fault and must end well, and the root must be what a root without faults is.

A COMMAND is one of the shell's, in which {client} stands for A or B, or "all" for the network of both, and {root} for
the folder on the volume:
  --kill-client, --remount   ends the client's process as a machine does that dies; mounts it anew
  --cut, --mend              takes the client's (or everybody's) network away without ending anything; gives it back
  --fill, --drain            lets nothing more be written below {root}; lets it again
Faults whose commands are not given are left out. Prints Markdown. Exit: 0; 1 podctl does wrong somewhere; 2 usage, or a
tool lacks. Root.
"""

import argparse
import calendar
import collections
import contextlib
import dataclasses
import errno
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pod_faults
import pod_world
from pod_faults import Wrong

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- volume faults: begin -->", "<!-- volume faults: end -->"
LIMIT = 90  # seconds without anybody who holds the volume, though somebody waits for it
EDITIONS = {"nothing": "v1", "v1": "v2"}  # what stands, and what the template asks for
LOCKED = 7  # the exit code of one that has lost it
# Of environments and what comes after them: in the pod's own folder, so that nobody has to hold the volume for it.
OWN_STEPS = re.compile(r"python|venv|environment|service|install|launch|snapshot|smoke")


class Observer(threading.Thread):
    """Reads the files of the lease, through one client, as often as it can."""

    def __init__(self, state):
        super().__init__(daemon=True)
        self.state, self.ends = state, threading.Event()
        self.claims = {}  # generation: [identity, when it was seen first]
        self.texts, self.final, self.wrong = {}, {}, []

    def run(self):
        while not self.ends.wait(0.05):
            with contextlib.suppress(OSError):
                self.look()

    def look(self):
        numbers = sorted(int(name[6:]) for name in os.listdir(self.state) if re.fullmatch(r"lease\.\d+", name))
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):
                text = (self.state / f"lease.{number}").read_text(errors="replace")
                if len(lines := text.splitlines()) == 2:
                    self.saw(number, text, lines[1])
        # What stands in one that another has followed stays as it is: nobody writes there who does not hold it.
        for number in numbers[:-1]:
            with contextlib.suppress(FileNotFoundError):
                self.final.setdefault(number, (self.state / f"lease.{number}").read_text(errors="replace"))

    def saw(self, number, text, identity):
        known = self.claims.setdefault(number, [identity, time.time()])
        if known[0] != identity:
            self.wrong.append(f"generation {number} is claimed twice: {known[0]} and {identity}")
        if number in self.final and self.final[number] != text:
            self.wrong.append(f"generation {number} was written though {number + 1} was there: {text!r}")
        self.texts[number] = text

    def highest(self):
        return max(self.texts, default=0)

    def is_held(self):
        return self.texts.get(self.highest(), "free").startswith("held")

    def host_of(self, number):
        return self.claims[number][0].split(" ")[-1]

    def claimed_after(self, number):
        """When the first one after it was claimed."""
        return min((when for each, (_, when) in self.claims.items() if each > number), default=None)

    def stop(self):
        self.ends.set()
        self.join(5)


class Machine:
    """Stands for a machine with one pod; what pod_faults.Run needs of a place."""

    def __init__(self, campaign, number, client):
        self.campaign, self.client, self.name = campaign, client, f"pod-{'ab'[number]}"
        self.podctl, self.mark = campaign.options.podctl, f"{os.getpid()}-volume"
        self.folder = campaign.folder / self.name
        self.local = self.folder / "local"
        self.local.mkdir(parents=True)
        ports = 21000 + 10 * number + os.getpid() % 400 * 20
        options = campaign.options
        template = campaign.world.template(campaign.place, [ports, ports + 1], options.installer, options.python)
        (self.folder / "v1.yaml").write_text(template.replace("volume: {", "volume: {shared: true, ", 1))
        (self.folder / "v2.yaml").write_text(campaign.world.second_edition())
        self.environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.environment |= {pod_faults.MARK: self.mark, "PIP_CONFIG_FILE": os.devnull, "NO_COLOR": "1"}
        if options.uv:
            self.environment["PATH"] = f"{options.uv.parent}:{self.environment['PATH']}"

    @property
    def root(self):
        return self.client / self.campaign.own / "root"

    def start(self, edition, *more, command="up", environment=None, shares_processes=False):
        """On every machine the volume and the own folder have the same path. What it starts ends with it."""
        overlay = ["-f", self.folder / "v2.yaml"] if edition == "v2" else []
        place, local = self.campaign.place, self.campaign.local
        words = [command, self.folder / "v1.yaml", *overlay, "--root", place, "--local", local, *more]
        made = f"mount --bind {self.root} {place} && mount --bind {self.local} {local} && hostname {self.name}"
        own = [] if shares_processes else ["--pid", "--fork", "--kill-child", "--mount-proc"]
        prefix = ["unshare", "--mount", "--uts", *own, "sh", "-c", f'{made} && exec "$@"', "sh"]
        return pod_faults.Run(self, words, environment, prefix)

    def clear(self):
        shutil.rmtree(self.local)
        self.local.mkdir()


def terminate(run):
    """podctl itself, which may be the child of what made its process table."""
    if run.process.poll() is not None:
        return
    path = pathlib.Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    children = path.read_text().split() if "unshare" in pod_faults.name_of(run.process.pid).split(" ")[0] else []
    pod_faults.kill(int(children[0]) if children else run.process.pid, signal.SIGTERM)


class Campaign:
    def __init__(self, options, folder, shim):
        self.options, self.folder, self.shim = options, folder, shim
        self.world = pod_world.World(folder)
        self.place, self.local = folder / "workspace", folder / "local"
        self.place.mkdir()
        self.local.mkdir()
        self.own = f"podctl-faults-{os.getpid()}"
        for kept in EDITIONS:
            (options.clients[0] / self.own / f"kept-{kept}").mkdir(parents=True)
        self.machines = [Machine(self, number, client) for number, client in enumerate(options.clients)]
        self.references, self.seconds = {}, {}

    def command(self, name, which):
        template = getattr(self.options, name)
        line = template.replace("{client}", str(which)).replace("{root}", str(self.machines[0].root))
        subprocess.run(line, shell=True, check=True, stdout=subprocess.DEVNULL)

    def has(self, *names):
        return all(getattr(self.options, name) for name in names)

    def prepare(self):
        """What becomes of each start without a fault, and for how long the volume is held for it."""
        first, second = self.machines
        for start, edition in EDITIONS.items():
            self.restore(start)
            observer = Observer(first.root / ".podctl")
            observer.start()
            began, run = time.monotonic(), first.start(edition, "--no-launch")
            wait_until(lambda: observer.texts or run.process.poll() is not None)
            wait_until(lambda: not observer.is_held() or run.process.poll() is not None)
            self.seconds[start] = time.monotonic() - began
            if run.end_of(150) or second.start(edition, "--no-launch").end_of(150):
                raise SystemExit(f"volume_faults.py: without any fault:\n{run.said}")
            observer.stop()
            self.references[start] = self.describe()
            if start == "nothing":
                subprocess.run(["cp", "-a", f"{first.root}/.", first.root.parent / "kept-v1"], check=True)

    def restore(self, start):
        self.end_all()
        root = self.machines[0].root
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", root.parent / f"kept-{start}", root], check=True)
        for machine in self.machines:
            machine.clear()
        pod_world.write_files(root, {"mine/copied/node.py": "N = 1\n" * 30, "notes.txt": "the user's own notes\n"})
        os.utime(root / "mine/copied/node.py", (1.7e9, 1.7e9))

    def end_all(self):
        for pid in list(pod_faults.processes_of(self.machines[0].mark)):
            pod_faults.kill(pid)
        wait_until(lambda: not list(pod_faults.processes_of(self.machines[0].mark)), 20)

    def describe(self):
        """What two roots must agree in, and the environments of both pods."""
        root, found = self.machines[0].root, {}
        for path in pod_faults.walk(root, skip=(".git", ".podctl")):
            found[str(path.relative_to(root))] = pod_faults.describe(path)
        for git in root.rglob(".git"):
            if not git.is_relative_to(root / ".podctl"):
                found[f"{git.parent.relative_to(root)} (checkout)"] = pod_faults.describe_checkout(git.parent)
        found["journal"] = pod_faults.read_journal(root / ".podctl/journal.jsonl")
        for machine in self.machines:
            for link in ("venvs/python", "venvs/services/app"):
                where = next(machine.local.glob(f"*/{link}"))
                found[f"{machine.name}: {link}"] = pod_faults.describe_environment(where)
        return found

    def check(self, start):
        """The runs without a fault that come after one with, and what is there then."""
        edition = EDITIONS[start]
        for machine in self.machines:
            run = machine.start(edition, "--no-launch")
            if code := run.end_of(150):
                raise Wrong(f"the run after it on {machine.name} ended with {code}:\n{run.said[-2500:]}")
        if left := [pod_faults.name_of(pid) for pid in pod_faults.processes_of(self.machines[0].mark)]:
            raise Wrong(f"left running: {left}")
        if wrong := pod_faults.compare(self.describe(), self.references[start]):
            raise Wrong("; ".join(wrong))
        if left := pod_faults.leftovers(self.machines[0].root):
            raise Wrong(f"left over: {left}")
        for machine in self.machines:
            run = machine.start(edition, command="plan")
            if code := run.end_of():
                raise Wrong(f"a plan of it on {machine.name} ended with {code}:\n{run.said[-1500:]}")


def wait_until(is_so, timeout=60):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.02)
    return False


# --- the faults


@dataclasses.dataclass
class Scene:
    campaign: Campaign
    luck: random.Random
    edition: str
    holds: Machine
    waits: Machine
    holder: pod_faults.Run
    waiter: pod_faults.Run


def end(run):
    run.process.kill()
    run.process.wait()


def kill_holder(scene):
    end(scene.holder)


def kill_waiter(scene):
    end(scene.waiter)


def kill_both(scene):
    """The next one is a third."""
    for run in scene.luck.sample([scene.holder, scene.waiter], 2):
        end(run)
    scene.waiter = scene.waits.start(scene.edition, "--no-launch")


def kill_machine(scene):
    scene.campaign.command("kill_client", scene.holds.client)
    end(scene.holder)


def kill_client(scene):
    """podctl lives on without its volume."""
    scene.campaign.command("kill_client", scene.holds.client)


def cut(scene, whom, seconds):
    client = {"holder": scene.holds.client, "all": "all"}[whom]
    scene.campaign.command("cut", client)
    time.sleep(seconds)  # the length of the fault itself
    scene.campaign.command("mend", client)


def fill(scene):
    scene.campaign.command("fill", "all")
    scene.holder.wait(180)
    wait_until(lambda: "launch: done" in scene.waiter.said or scene.waiter.process.poll() is not None, 240)
    scene.campaign.command("drain", "all")


def nothing(scene):
    """The fault is in the shim of one of them, from its start on."""


@dataclasses.dataclass
class Case:
    fault: str
    seed: str
    act: object
    settings: dict = dataclasses.field(default_factory=dict)
    takes_over: bool = False  # the waiter has to hold the volume within LIMIT of the fault
    shares_processes: bool = False  # both pods on one machine
    stale: str = ""  # who meets ESTALE
    launch: bool = False


@dataclasses.dataclass
class Outcome:
    case: Case
    met: bool = False
    holder: str = ""
    waiter: str = ""
    takeover: float | None = None
    wrong: str = ""
    seconds: float = 0


def all_cases(campaign):
    cases = []

    def add(fault, act, count=1, **more):
        count = max(1, round(count * campaign.options.runs))
        cases.extend(Case(fault, f"{fault} {number}", act, launch=number % 2 == 1, **more) for number in range(count))

    add("no fault", nothing)
    add("kill -9 of the holder", kill_holder, takes_over=True)
    add("kill -9 of the holder, both pods on one machine", kill_holder, takes_over=True, shares_processes=True)
    add("kill -9 of the waiter", kill_waiter)
    add("kill -9 of both, then a third", kill_both, takes_over=True)
    if campaign.has("kill_client", "remount"):
        add("the holder's machine dies", kill_machine, takes_over=True)
        add("the holder's client of the volume dies", kill_client, takes_over=True)
    if campaign.has("cut", "mend"):
        add("the holder's network is away for 20 s", cut, settings={"whom": "holder", "seconds": 20})
        add("the holder's network is away for 100 s", cut, takes_over=True, settings={"whom": "holder", "seconds": 100})
        add("everybody's network is away for 20 s", cut, settings={"whom": "all", "seconds": 20})
        add("everybody's network is away for 100 s", cut, settings={"whom": "all", "seconds": 100})
    if campaign.has("fill", "drain"):
        add("the volume is full", fill)
    for who in ("holder", "waiter"):
        add(f"ESTALE, one operation of the {who}", nothing, 3, stale=who, settings={"forever": False})
        add(f"ESTALE, every operation of the {who} from one on", nothing, stale=who, settings={"forever": True})
    return [case for case in cases if campaign.options.only.search(case.fault)]


def stale(campaign, luck, forever):
    """The environment in which operations on the volume fail, and the counts that tell whether one did."""
    counts = pod_faults.Shared(campaign.folder / "counts", 64)
    operation, most = luck.choice((("any", 900), ("change", 250)))
    more = {"LD_PRELOAD": campaign.shim, "FAULT_ROOT": str(campaign.place), "FAULT_COUNTS": str(counts.path),
            "FAULT_OP": operation, "FAULT_NTH": str(luck.randrange(10, most)),
            "FAULT_ERRNO": str(errno.ESTALE)}  # fmt: skip
    return counts, more | ({"FAULT_FOREVER": "1"} if forever else {})


def play(campaign, case, outcome, luck):
    start = luck.choice(list(EDITIONS))
    edition = EDITIONS[start]
    campaign.restore(start)
    holds, waits = luck.sample(campaign.machines, 2)
    settings, counts, environments = dict(case.settings), None, {}
    if case.stale:
        counts, environments[case.stale] = stale(campaign, luck, settings.pop("forever"))
    more = {"shares_processes": case.shares_processes}
    observer = Observer(waits.root / ".podctl")
    observer.start()
    holder = holds.start(edition, "--no-launch", "--output", "json", environment=environments.get("holder"), **more)
    wait_until(lambda: observer.is_held() or holder.process.poll() is not None)
    held = observer.highest()
    launch = [] if case.launch else ["--no-launch"]
    waiter = waits.start(edition, *launch, environment=environments.get("waiter"), **more)
    wait_until(lambda: "waiting until it lets go" in waiter.said or waiter.process.poll() is not None
               or holder.process.poll() is not None)  # fmt: skip
    holder.wait(luck.uniform(0.0, 0.8) * campaign.seconds[start])
    scene = Scene(campaign, luck, edition, holds, waits, holder, waiter)
    outcome.met = held > 0 and observer.is_held() and observer.highest() == held
    struck = time.time()
    case.act(scene, **settings)
    waiter = scene.waiter
    if case.act is not kill_waiter:
        # One that is to serve goes on until it is told to end, unless it fails.
        if wait_until(lambda: "launch: done" in waiter.said or waiter.process.poll() is not None, 240):
            terminate(waiter)
        outcome.waiter = str(waiter.end_of(30))
    ended = holder.wait(240)
    if ended is None:
        raise Wrong(f"the holder hung:\n{holder.said[-2500:]}")
    outcome.holder = "killed" if ended in (-signal.SIGKILL, 128 + signal.SIGKILL) else str(ended)
    if case.stale:
        outcome.met = counts.values[pod_faults.HIT] != 0
    campaign.end_all()
    if case.act in (kill_machine, kill_client):
        campaign.command("remount", holds.client)
    observer.look()
    observer.stop()
    judge(case, outcome, observer, held, struck, holder, waiter)
    campaign.check(start)


def judge(case, outcome, observer, held, struck, holder, waiter):
    followed = observer.claimed_after(held)
    if observer.wrong:
        raise Wrong("; ".join(observer.wrong[:3]))
    if outcome.met and followed and case.takes_over:
        outcome.takeover = followed - struck
    if outcome.met and case.takes_over and (followed is None or outcome.takeover > LIMIT):
        raise Wrong(f"nobody held the volume for {LIMIT} s: {followed}\n{waiter.said[-1500:]}")
    for line in holder.said.splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            event = json.loads(line)
            late = seconds_of(event["time"]) - followed if followed else 0
            if event["event"] == "step.finished" and late > 0.5 and not OWN_STEPS.search(event["step"]):
                raise Wrong(f"{event['step']} was finished {late:.1f} s after another one held the volume")
    good, failed = {"0", "143", "killed"}, {"3", "4", "5", str(LOCKED)}
    may_both_fail = case.stale or case.act is fill
    if outcome.holder not in good | (failed if may_both_fail or case.act in (kill_client, cut) else set()):
        raise Wrong(f"the holder ended with {outcome.holder}:\n{holder.said[-2500:]}")
    if outcome.waiter and outcome.waiter not in good | (failed if may_both_fail else set()):
        raise Wrong(f"the waiter ended with {outcome.waiter}:\n{waiter.said[-2500:]}")
    for run in (holder, waiter):
        if "this is a fault of podctl" in run.said:
            raise Wrong(f"an internal error:\n{run.said[-1500:]}")


def seconds_of(stamp):
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def try_case(campaign, case):
    outcome, began = Outcome(case), time.monotonic()
    try:
        play(campaign, case, outcome, random.Random(f"{campaign.options.seed} {case.seed}"))
    except Wrong as wrong:
        outcome.wrong = str(wrong)
    except Exception as failure:  # of this script: told, and the rest goes on
        outcome.wrong = f"volume_faults.py: {type(failure).__name__}: {failure}"
    outcome.seconds = time.monotonic() - began
    return outcome


def table(outcomes):
    groups = collections.OrderedDict()
    for outcome in outcomes:
        groups.setdefault(outcome.case.fault, []).append(outcome)

    def ends(group, whose):
        counted = collections.Counter(getattr(each, whose) for each in group if getattr(each, whose))
        return ", ".join(f"{end} ({count}×)" for end, count in sorted(counted.items()))

    lines = ["| fault | runs | met | the holder ended with | the other one | took over after | then |",
             "|---|--:|--:|---|---|---|---|"]  # fmt: skip
    for fault, group in groups.items():
        took = sorted(each.takeover for each in group if each.takeover is not None)
        told = f"{took[0]:.1f} to {took[-1]:.1f} s" if len(took) > 1 else f"{took[0]:.1f} s" if took else ""
        wrong, met = sum(1 for each in group if each.wrong), sum(each.met for each in group)
        then = f"**{wrong} wrong**" if wrong else "right"
        row = (fault, len(group), met, ends(group, "holder"), ends(group, "waiter"), told, then)
        lines.append("| " + " | ".join(map(str, row)) + " |")
    lines.append(f"| all | {len(outcomes)} | {sum(each.met for each in outcomes)} | | | | |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs=2, required=True, type=pathlib.Path, metavar=("A", "B"))
    for name in ("kill-client", "remount", "cut", "mend", "fill", "drain"):
        parser.add_argument(f"--{name}", default="", metavar="COMMAND")
    binary = pod_faults.REPOSITORY / "build/release/podctl"
    parser.add_argument("--podctl", default=binary, type=pathlib.Path, metavar="BINARY")
    parser.add_argument("--runs", type=int, default=2, help="of most faults (2)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
    parser.add_argument("--only", default="", type=re.compile, metavar="REGEX", help="faults whose title matches")
    parser.add_argument("--python", default="/usr/bin/python3", help="the pods' interpreter")
    parser.add_argument("--installer", choices=("auto", "uv", "pip"), help="uv where there is one in PATH, else pip")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the table between its two markers")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("only root can make machines")
    if not options.podctl.is_file():
        parser.error(f"no {options.podctl}: scripts/quickstart builds one; or --podctl BINARY")
    options.podctl = options.podctl.resolve()
    options.clients = [client.resolve() for client in options.clients]
    options.uv = pathlib.Path(shutil.which("uv")) if shutil.which("uv") else None
    options.installer = options.installer or ("uv" if options.uv else "pip")
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="podctl-faults.") as name:
        folder = pathlib.Path(name).resolve()
        shim = folder / "fault_shim.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, HERE / "fault_shim.c", "-ldl"], check=True)
        campaign = Campaign(options, folder, str(shim))
        outcomes = []
        try:
            campaign.prepare()
            cases = all_cases(campaign)
            for number, case in enumerate(cases, 1):
                outcome = try_case(campaign, case)
                outcomes.append(outcome)
                took = "" if outcome.takeover is None else f", taken over after {outcome.takeover:.1f} s"
                print(f"{number}/{len(cases)} {case.seed}: {'met' if outcome.met else 'not met'}, {outcome.holder}, "
                      f"{outcome.waiter}{took} ({outcome.seconds:.0f} s)", file=sys.stderr)  # fmt: skip
                if outcome.wrong:
                    print(f"  WRONG: {outcome.wrong}", file=sys.stderr)
        finally:
            campaign.end_all()
            shutil.rmtree(options.clients[0] / campaign.own, ignore_errors=True)
    text = table(outcomes)
    print(text)
    if options.write:
        pod_faults.write_between_markers(options.write, text, BEGIN, END)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
