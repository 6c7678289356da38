"""The results as Markdown, for the section "GPU" of docs/benchmarks.md."""

from typing import Any

SIDE = 2048
"""Of the matrices whose product is timed beside each outer step, by tools/benchmark/outer_step.py."""


def markdown(results: dict[str, Any]) -> str:
    """Tables and lines of what there is; a stage that was cut, failed or skipped is named with its reason."""
    found = {name: stage.get("found", {}) for name, stage in results["stages"].items()}
    size = "tiny" if results.get("quick") else "CUB's size"
    parts = [
        _chip(results, found.get("chip", {})), _steps(found.get("outer_steps", {}), found.get("oracle", {}), size),
        _untouched(found.get("compilers_choice", {})),
        _training(found.get("training", {})), _seeds(found.get("seeds", {})), _replay(found.get("replay", {})),
        _tests(found.get("backend_tests", {})), _profile(found.get("profiling", {})), _not_whole(results),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _chip(results: dict[str, Any], found: dict[str, Any]) -> str:
    commands = ", ".join(f"`{command}`" for command in results["commands"])
    if not found:
        return f"{results['date']}, {commands}."
    about = found["environment"]
    versions = about["versions"] | about["backends"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("jax", "torch") if name in versions)
    lines = [f"{results['date']}, {about['device']['kind']}, {named}, Python {about['python']}: {commands}."]
    if found.get("driver"):
        lines.append(f"Driver: {found['driver']}.")
    if rates := found.get("matmul_flops"):
        each = ", ".join(f"{rate / 1e12:.3g} in {name}" for name, rate in rates.items())
        lines.append(f"Products of {found['side']} x {found['side']} matrices, TFLOP/s: {each}.")
    return " ".join(lines)


def _steps(found: dict[str, Any], rival: dict[str, Any], size: str) -> str:
    """Milliseconds of an outer step; beside them PyTorch's, with how many times ours that is."""
    steps, oracle = found.get("steps", {}), rival.get("oracle", [])
    frameworks = list(dict.fromkeys(name for of in steps.values() for name in of))
    if not frameworks:
        return ""
    heads = [f"framework with D3, {size}", *(f"{name}, ms" for name in steps)]
    heads += ["GFLOP", f"share of the rate of {SIDE} x {SIDE} products beside it, float32", "first call"]
    kinds = list(dict.fromkeys((one["asked"], one["compiled"]) for one in oracle))
    heads += [f"PyTorch{' compiled' if compiled else ''}, {asked}, ms (ratio)" for asked, compiled in kinds]
    rows = []
    for name in frameworks:
        of = {precision: by_framework.get(name, {}) for precision, by_framework in steps.items()}
        exact = of["float32"]
        cells = [name, *(_step(one) for one in of.values())]
        cells += [
            f"{exact['matmul_flops_per_step'] / 1e9:.3g}", _share(exact), f"{exact['first_call_seconds']:.1f} s",
        ] if "seconds_per_step" in exact else ["", "", ""]  # fmt: skip
        for asked, compiled in kinds:
            theirs = [one for one in oracle if (one["framework"], one["asked"], one["compiled"]) == (name, asked, compiled)]
            cells.append(_rival(theirs[0] if theirs else {}, of[asked]))
        rows.append(cells)
    return _table(heads, rows)


def _untouched(found: dict[str, Any]) -> str:
    if not (one := found.get("wgan")):
        return ""
    return f"Without flags of this tool: wgan, float32 {_step(one)} ms, first call {one['first_call_seconds']:.1f} s."


def _step(one: dict[str, Any]) -> str:
    return f"{1000 * one['seconds_per_step']:.3g}" if "seconds_per_step" in one else "failed" if one else ""


def _share(one: dict[str, Any]) -> str:
    return f"{100 * one['share_of_machine_rate']:.0f} % of {one['machine_matmul_flops'] / 1e12:.3g} TFLOP/s"


def _rival(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    if "seconds_per_step" not in theirs:
        return "failed" if theirs else ""
    ratio = theirs["seconds_per_step"] / ours["seconds_per_step"] if "seconds_per_step" in ours else None
    return f"{1000 * theirs['seconds_per_step']:.3g}" + (f" (**{ratio:.2f}**)" if ratio else "")


def _training(found: dict[str, Any]) -> str:
    rows = []
    for config, one in found.get("runs", {}).items():
        metrics = one.get("metrics", {})
        ush = " / ".join(f"{100 * metrics[key]:.1f}" for key in ("unseen", "seen", "harmonic")) if metrics else ""
        each = f"{one['seconds_per_epoch']:.2f} s" if "seconds_per_epoch" in one else ""
        whole = f"{one['seconds_of_2000_epochs'] / 60:.0f} min" if "seconds_of_2000_epochs" in one else ""
        rows.append([f"`{config}`", str(one.get("epochs", one.get("failed", ""))), each, whole, ush])
    heads = ["configuration", "epochs in the time", "an epoch, with evaluation", "2000 epochs, extrapolated", "U / S / H so far"]
    return f"Training on {found['source']}:\n\n{_table(heads, rows)}" if rows else ""


def _seeds(found: dict[str, Any]) -> str:
    if not (taken := found.get("seconds")):
        return ""
    ratios = ", ".join(f"{way} {taken[way]:.2f} s ({taken[way] / taken['alone']:.2f})" for way in ("vmap", "map"))
    about = f"{found['seeds']} seeds, `{found['config']}`, {found['steps']} outer steps each, compiled already"
    return f"{about}: {ratios}, one after another {taken['alone']:.2f} s."


def _replay(found: dict[str, Any]) -> str:
    rows = []
    for name, one in found.get("recordings", {}).items():
        figures = [f"{one[key]:.2g}" if isinstance(one.get(key), float) else str(one.get(key, "")) for key in
                   ("worst_loss_relative", "worst_parameter_rates")]  # fmt: skip
        rows.append([name, one["verdict"], *figures, one.get("why") or "; ".join(one.get("outside", [])[:2])])
    heads = ["recording, float32", "tolerance", "worst loss (relative)", "worst parameter (learning rates)", "outside"]
    return _table(heads, rows) if rows else ""


def _tests(found: dict[str, Any]) -> str:
    if not (tests := found.get("tests")):
        return ""
    counts = ", ".join(f"{count} {kind}" for kind, count in tests.items() if isinstance(count, int) and not isinstance(count, bool))
    which = f": {', '.join(f'`{name}`' for name in tests['which'])}" if tests["which"] else ""
    return f"Tests of what depends on the backend{'' if tests['all_were_run'] else ' (not all were run)'}: {counts}{which}."


def _profile(found: dict[str, Any]) -> str:
    if not found.get("longest"):
        return ""
    whole = found["milliseconds"]
    rows = [[f"`{name}`", f"{ms:.2f}", f"{100 * ms / whole:.0f} %"] for name, ms in list(found["longest"].items())[:10]]
    return f"{found['steps']} outer steps of wgan, what takes longest:\n\n{_table(['operation', 'ms', 'share'], rows)}"


def _not_whole(results: dict[str, Any]) -> str:
    lines = [f"- {name} {one['status']}: {one['why']}" for name, one in results["stages"].items() if one["status"] != "done"]
    lines += [f"- {name}: {note}" for name, one in results["stages"].items() for note in one.get("found", {}).get("notes", [])]
    return "\n".join(["Not whole:", "", *lines]) if lines else ""


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
