"""Who reads what of a run folder: every reader of each file, for tests that damage them. A reader works, or raises UserError."""

import json
from pathlib import Path

import numpy as np

from d3gzsl_jax.runs import reopen, resume
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.fold_evaluations import read_trials
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.runs.report import page as report_page
from d3gzsl_jax.runs.report import plots
from d3gzsl_jax.runs.report.record import Recorded
from d3gzsl_jax.runs.results import summarize
from d3gzsl_jax.runs.validation_plan import read_plan
from d3gzsl_jax.studies import seeds
from d3gzsl_jax.studies.ablation.rows import entries_of
from d3gzsl_jax.studies.jobs import Job
from d3gzsl_jax.studies.tables import command as report_tool


def quiet_display():
    """A display that says nothing."""
    display = Display()
    display.say = lambda text: None
    display.console.quiet = True
    return display


def page(folder):
    """The report, and the plots before they are rendered."""
    run = Recorded.read(folder)
    report_page.page(run, {})
    for draw in plots.PLOTS.values():
        draw(run)


def table(folder):
    """d3gzsl table."""
    found = report_tool.read(folder / "results.json")
    if not isinstance(found, str):
        report_tool.FORMATS["markdown"](report_tool.tables_of([found], [], False, False, "command"))


def start(folder):
    """What a start of the run looks at, as if it were asked for again, and for longer."""
    asked = json.loads((Path(folder) / "asked.json").read_text())
    of, digest = RunFolder(str(folder), "x"), asked["digest"]
    for epochs in (asked["config"]["train"]["epochs"], 1000):
        config = asked["config"] | {"train": asked["config"]["train"] | {"epochs": epochs}}
        resume.check(of, config, digest, True)
        found = resume.finished(of, config)
        if found and found["selection"] != resume.FOLDS_ONLY:
            summarize(found, Path(folder), quiet_display())
            plain(seeds.summary([found, found]))


def log(folder):
    """What a start does to the log."""
    RunFolder(str(folder), "x").keep_lines("metrics.jsonl", lambda line: line.get("kind") == "epoch" and line["step"] < 10**6)


def job(folder):
    """d3gzsl ablate and its table."""
    asked = json.loads((Path(folder) / "asked.json").read_text())
    config = asked["config"]
    found = Job("cell", 0, str(folder), config, "", asked["digests"], False).results()
    if found:
        entries_of("cell", found, "folder", False, config)


def plan(folder):
    """What the folds chose, and a configuration by it."""
    found = read_plan(RunFolder(str(folder), "x"))
    if found:
        found.settle(reopen.run_config(folder))


READERS = {
    "config.json": (page, start, job, reopen.run_config),
    "overrides.json": (page,),
    "environment.json": (page, start),
    "metrics.jsonl": (page, log),
    "results.json": (page, start, job, table),
    "validation.json": (plan,),
    "diagnostics.npz": (page,),
    "validation/fold-0/trials/2.npz": (lambda folder: read_trials(folder / "validation" / "fold-0", [2]),),
}
"""By file, all who read it."""

LINES = json.dumps({"a": {"b": 1}})

DAMAGES = {
    "a number": lambda content: b"5",
    "null": lambda content: b"null",
    "a list": lambda content: b"[1, {}]",
    "an object": lambda content: b"{}",
    "a text": lambda content: b'"x"',
    "brackets": lambda content: b"[" * 100_000,
    "nested": lambda content: b'{"config":' * 400 + b"1" + b"}" * 400,
    "empty": lambda content: b"",
    "no UTF-8": lambda content: content[: len(content) // 2] + b"\xff\xfe" + content[len(content) // 2 :],
    "cut": lambda content: content[: len(content) // 2],
    "twice": lambda content: content + content,
    "not a number": lambda content: content.replace(b"0", b"NaN", 3),
    "huge": lambda content: content.replace(b": 1", b": 1" + b"0" * 400),
    "huge exponent": lambda content: content.replace(b"0.", b"1e400, 0.", 1),
    "half a surrogate pair": lambda content: content.replace(b': "', b': "\\ud800', 1),
    "zeros": lambda content: bytes(len(content)),
    "texts for numbers": lambda content: content.replace(b": 0", b': "0').replace(b": 1", b': "1').replace(b",", b'",'),
}
"""What may have become of the content of a file."""


def mutations(content):
    """(name, content) of a JSON object in which one value anywhere is of another type, or is missing."""
    whole = json.loads(content)
    paths = []

    def walk(node, path):
        items = node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()
        for key, value in items:
            paths.append((*path, key))
            walk(value, (*path, key))

    walk(whole, ())
    for path in paths:
        for other in (None, "x", -1, 1.5, [], {}, True, 10**30, ["x"], {"x": {"y": None}}, "..gone.."):
            copied = json.loads(content)
            node = copied
            for key in path[:-1]:
                node = node[key]
            if other == "..gone..":
                del node[path[-1]]
            else:
                node[path[-1]] = other
            yield f"{path}: {other!r}", json.dumps(copied).encode()


def odd_arrays(content):
    """(name, arrays) of an .npz file in which one array is another."""
    with np.load(content) as file:
        whole = dict(file)
    for name in whole:
        for other in (np.zeros(0), np.float32(3.0), np.zeros((2, 3, 4)), np.array(["a"]), np.full(7, np.nan), np.zeros(3, complex)):
            yield f"{name}: {other.dtype} {other.shape}", whole | {name: other}
        yield f"without {name}", {key: value for key, value in whole.items() if key != name}
