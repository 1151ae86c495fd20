"""What podctl makes of a workflow beside what ComfyUI's own page makes of it, for scripts/oracle and
scripts/measure_workflows."""
import dataclasses
import json
import lzma
import re
import subprocess


def opened(path):
    return lzma.open(path, "rt") if path.suffix == ".xz" else path.open()


def plain(value):
    """As JavaScript has it, to which 20.0 is 20."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value


def differences(page, ours):
    """(node, class, input) of all that is not equal."""
    found = []
    for node in sorted(set(page) | set(ours)):
        if node not in page or node not in ours:
            there = page.get(node) or ours[node]
            found.append((node, there["class_type"], "missing" if node in page else "too much"))
            continue
        left, right = page[node], ours[node]
        if left["class_type"] != right["class_type"]:
            found.append((node, left["class_type"], "class_type"))
        wanted, given = plain(left["inputs"]), plain(right["inputs"])
        for name in sorted(set(wanted) | set(given)):
            absent = object()
            if wanted.get(name, absent) != given.get(name, absent):
                found.append((node, left["class_type"], name))
    return found


def lacks_class(page):
    """Whether the server lacks a class: no case for equality, and podctl says so."""
    return any(node["class_type"] is None for node in page.values())


@dataclasses.dataclass
class Made:
    prompt: dict | None  # None: podctl refused the workflow
    page_only: set  # (node, input) of the values that podctl says it cannot make
    said: str


def made_by_podctl(podctl, workflow, object_info):
    """What `podctl run --print-prompt` makes of the file `workflow` with the classes of the file `object_info`."""
    ran = subprocess.run([podctl, "run", workflow, "--print-prompt", "--object-info", object_info], capture_output=True,
                         text=True)
    page_only = set(re.findall(r"^note: node (\S+) \(.*?\): (\S+) is left empty", ran.stderr, re.MULTILINE))
    return Made(json.loads(ran.stdout) if ran.stdout else None, page_only, ran.stderr.strip())


def compared(page, made):
    """("equal", "page's values", "differ" or "refused") and the differences beside those values."""
    if made.prompt is None:
        return "refused", []
    found = differences(page, made.prompt)
    rest = [(node, name, key) for node, name, key in found if (node, key) not in made.page_only]
    return "differ" if rest else "page's values" if found else "equal", rest
