"""Checks a graph and runs it, one at a time, in the order of its links."""
import itertools
import logging
import queue
import threading
import time
import traceback

import nodes


class Interrupted(Exception):
    pass


def _problem(kind, message, details, **extra):
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def _is_link(value):
    return isinstance(value, list) and len(value) == 2


def _check_link(prompt, name, wanted, value):
    if not _is_link(value) or str(value[0]) not in prompt:
        return _problem("bad_linked_input", "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                        name, input_name=name, received_value=value)
    source = nodes.NODE_CLASS_MAPPINGS[prompt[str(value[0])]["class_type"]]
    given = source.RETURN_TYPES[value[1]] if value[1] < len(source.RETURN_TYPES) else None
    if given != wanted and "*" not in (given, wanted):
        return _problem("return_type_mismatch", "Return type mismatch between linked nodes",
                        f"{name}, received_type({given}) mismatch input_type({wanted})", input_name=name)
    return None


def _check_value(inputs, name, wanted, options):
    value = inputs[name]
    convert = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}.get(wanted if isinstance(wanted, str) else "")
    if convert:
        try:
            value = inputs[name] = convert(value)
        except (TypeError, ValueError) as error:
            return _problem("invalid_input_type", f"Failed to convert an input value to a {wanted} value",
                            f"{name}, {value}, {error}", input_name=name, received_value=value)
    if "min" in options and value < options["min"]:
        return _problem("value_smaller_than_min", f"Value {value} smaller than min of {options['min']}", name,
                        input_name=name, received_value=value)
    if "max" in options and value > options["max"]:
        return _problem("value_bigger_than_max", f"Value {value} bigger than max of {options['max']}", name,
                        input_name=name, received_value=value)
    if isinstance(wanted, (list, tuple)) and value not in wanted:
        return _problem("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {list(wanted)}",
                        input_name=name, received_value=value)
    return None


def _check_node(prompt, node_id):
    node = prompt[node_id]
    inputs = node.setdefault("inputs", {})
    types = nodes.NODE_CLASS_MAPPINGS[node["class_type"]].INPUT_TYPES()
    problems = []
    for group in ("required", "optional"):
        for name, spec in types.get(group, {}).items():
            if name not in inputs:
                if group == "required":
                    problems.append(_problem("required_input_missing", "Required input is missing", name,
                                             input_name=name))
                continue
            options = spec[1] if len(spec) > 1 else {}
            check = _check_link(prompt, name, spec[0], inputs[name]) if isinstance(inputs[name], list) \
                else _check_value(inputs, name, spec[0], options)
            if check:
                problems.append(check)
    return problems


def upstream(prompt, node_id):
    """The node and all that it needs, sources first. ValueError: the graph has a cycle."""
    order, done, path = [], set(), []

    def visit(current):
        if current in path:
            raise ValueError(f"the graph has a cycle at node {current}")
        if current in done:
            return
        path.append(current)
        for value in prompt[current].get("inputs", {}).values():
            if _is_link(value) and str(value[0]) in prompt:
                visit(str(value[0]))
        path.pop()
        done.add(current)
        order.append(current)

    visit(node_id)
    return order


def validate(prompt):
    """(error or None, ids of the good output nodes, node_errors), as POST /prompt reports them."""
    if not isinstance(prompt, dict):
        return _problem("invalid_prompt", "The prompt must be an object.", ""), [], {}
    for node_id, node in prompt.items():
        if not isinstance(node, dict) or "class_type" not in node:
            return _problem("invalid_prompt", "Cannot execute because a node is missing the class_type property.",
                            f"Node ID '#{node_id}'"), [], {}
        if node["class_type"] not in nodes.NODE_CLASS_MAPPINGS:
            return _problem("invalid_prompt",
                            f"Cannot execute because node {node['class_type']} does not exist.",
                            f"Node ID '#{node_id}'"), [], {}
    outputs = [i for i, n in prompt.items() if getattr(nodes.NODE_CLASS_MAPPINGS[n["class_type"]], "OUTPUT_NODE", False)]
    if not outputs:
        return _problem("prompt_no_outputs", "Prompt has no outputs", ""), [], {}

    good, node_errors = [], {}
    for output in outputs:
        try:
            bad = {i: p for i in upstream(prompt, output) if (p := _check_node(prompt, i))}
        except Exception as error:
            bad = {output: [_problem("exception_during_validation", "Exception when validating node", str(error))]}
        if not bad:
            good.append(output)
        for node_id, problems in bad.items():
            entry = node_errors.setdefault(node_id, {"errors": problems, "dependent_outputs": [],
                                                     "class_type": prompt[node_id]["class_type"]})
            entry["dependent_outputs"].append(output)
    if good:
        return None, good, node_errors
    details = "\n".join(f"{p['message']}: {p['details']}" for e in node_errors.values() for p in e["errors"])
    return _problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", details), [], node_errors


class PromptQueue:
    """Graphs that wait, the one that runs, and what became of the others."""

    def __init__(self):
        self._waiting = queue.PriorityQueue()
        self._ticket = itertools.count()  # keeps equal numbers in the order in which they came
        self._lock = threading.Lock()
        self._running = []
        self._history = {}
        self._interrupt = threading.Event()
        self._number = itertools.count()

    def next_number(self):
        return next(self._number)

    def put(self, number, prompt_id, prompt, extra_data, outputs):
        self._waiting.put((number, next(self._ticket), [number, prompt_id, prompt, extra_data, outputs]))

    def pending(self):
        return [entry[2] for entry in sorted(self._waiting.queue, key=lambda e: e[:2])]

    def running(self):
        with self._lock:
            return list(self._running)

    def history(self, prompt_id=None):
        with self._lock:
            if prompt_id is None:
                return dict(self._history)
            return {prompt_id: self._history[prompt_id]} if prompt_id in self._history else {}

    def interrupt(self):
        self._interrupt.set()

    def work(self):
        """Runs graphs for ever; for a thread of its own."""
        while True:
            item = self._waiting.get()[2]
            with self._lock:
                self._running = [item]
            self._interrupt.clear()
            start = time.perf_counter()
            entry = self._execute(item)
            with self._lock:
                self._running = []
                self._history[item[1]] = entry
            logging.info("Prompt executed in %.2f seconds", time.perf_counter() - start)

    def _execute(self, item):
        _, prompt_id, prompt, _, outputs = item
        results, shown = {}, {}
        messages = [["execution_start", {"prompt_id": prompt_id, "timestamp": int(time.time() * 1000)}]]
        current = None
        try:
            for output in outputs:
                for current in upstream(prompt, output):
                    if current in results:
                        continue
                    if self._interrupt.is_set():
                        raise Interrupted
                    results[current], ui = _run_node(prompt, current, results)
                    if ui is not None:
                        shown[current] = ui
        except Interrupted:
            messages.append(["execution_interrupted", {"prompt_id": prompt_id, "node_id": current}])
        except Exception as error:
            logging.error("!!! Exception during processing !!! %s", error)
            logging.error(traceback.format_exc())
            messages.append(["execution_error", {
                "prompt_id": prompt_id, "node_id": current, "node_type": prompt[current]["class_type"],
                "exception_message": str(error), "exception_type": type(error).__name__,
                "traceback": traceback.format_tb(error.__traceback__)}])
        else:
            messages.append(["execution_success", {"prompt_id": prompt_id, "timestamp": int(time.time() * 1000)}])
        done = messages[-1][0] == "execution_success"
        status = {"status_str": "success" if done else "error", "completed": done, "messages": messages}
        return {"prompt": item, "outputs": shown, "status": status, "meta": {}}


def _run_node(prompt, node_id, results):
    node = prompt[node_id]
    node_class = nodes.NODE_CLASS_MAPPINGS[node["class_type"]]
    types = node_class.INPUT_TYPES()
    known = {**types.get("required", {}), **types.get("optional", {})}
    values = {}
    for name, value in node["inputs"].items():
        if name in known:
            values[name] = results[str(value[0])][value[1]] if _is_link(value) else value
    for name, what in types.get("hidden", {}).items():
        values[name] = {"PROMPT": prompt, "UNIQUE_ID": node_id}.get(what)
    answer = getattr(node_class(), node_class.FUNCTION)(**values)
    if isinstance(answer, dict):
        return answer.get("result", ()), answer.get("ui")
    return answer, None
