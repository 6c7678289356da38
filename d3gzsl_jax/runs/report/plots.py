"""The plots of a run, plots/*.png, drawn from what its folder holds. matplotlib is imported where a figure is made, not before."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.curves import area
from d3gzsl_jax.runs.report.figures import finish, label_bottom, lay_out, legend_above, line, panels_of, plain, png
from d3gzsl_jax.runs.report.record import Recorded
from d3gzsl_jax.runs.report.svg import Drawing, drawing
from d3gzsl_jax.system import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people tell apart: one meaning each, in every plot. What has no meaning of its own,
# parameter groups and single classes, has Tol's muted ones.
SEEN, UNSEEN, SYNTHESIZED = "#0072B2", "#D55E00", "#009E73"
_METRICS = {"unseen": ("U", UNSEEN, "-"), "seen": ("S", SEEN, "-"), "harmonic": ("H", "black", "-"), "zsl": ("T1", "#CC79A7", "--")}
_PHASES = {"critic": ("#E69F00", "-"), "generator": ("#56B4E9", "--")}  # others: see `_style_of_phase`
_PREDICTORS = {"student": ("#332288", "-"), "classifier": ("#AA4499", "--"), "ensemble": ("#117733", ":")}
_MUTED = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499", "#777777", "#DDCC77")
_DASHES = ("-", "--", "-.", ":")
_TERMS = {
    "loss": "total loss", "wasserstein": "Wasserstein distance", "gradient_penalty": "gradient penalty, weighted",
    "adversarial": "adversarial loss", "cls": r"$L_\mathrm{cls}$, classes", "od": r"$L_\mathrm{od}$, out-of-distribution",
    "be": r"$L_\mathrm{be}$, embeddings", "kl": r"$L_\mathrm{kl}$, teacher's classes",
    "distillation": r"$L_\mathrm{D3}$, weighted sum",
}  # fmt: skip
_NAMED = 30  # up to so many classes are named on an axis
_COLOURED = 10  # up to so many classes have a colour each


def write_all(folder: Path) -> dict[str, Drawing]:
    """Draws what there is data for, into FOLDER/plots, each file whole or absent; returns the drawings for the page by name, in the
    order of PLOTS.

    Raises:
        UserError: the folder holds no run, matplotlib is not installed, or a file cannot be written.
    """
    run = Recorded.read(folder)
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise UserError("plots need matplotlib, which is not installed; python -m pip install matplotlib") from None
    drawn = {}
    for name, draw in PLOTS.items():
        if (figure := draw(run)) is not None:
            path = Path(folder) / "plots" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            lay_out(figure)
            with atomic.replacing(path, "wb") as file:
                file.write(png(figure))
            drawn[name] = drawing(figure, name)
    return drawn


def losses(run: Recorded) -> "Figure | None":
    """A panel a loss term, each on a scale of its own, with a line a phase; and one for the diversity of synthesized rows."""
    terms = list(dict.fromkeys(term for phase in run.names("losses") for term in run.names("losses", phase)))
    terms = [term for term in _TERMS if term in terms] + [term for term in terms if term not in _TERMS]
    spread = run.names("diversity")
    if not terms and not spread:
        return None
    figure, panels = panels_of(len(terms) + bool(spread), columns=3, height=2.0)
    for axes, term in zip(panels, terms, strict=False):
        for phase in run.names("losses"):
            colour, dash = _style_of_phase(phase, run.names("losses"))
            line(axes, *run.series("losses", phase, term), label=f"{phase} phase", color=colour, linestyle=dash)
        finish(axes, title=_TERMS.get(term) or plain(term), log_over=50)
    for name, dash in zip(spread, _DASHES, strict=False):
        line(panels[-1], *run.series("diversity", name), label=plain(name), color=SYNTHESIZED, linestyle=dash)
    if spread:
        finish(panels[-1], title="variance, synthesized / real")
        panels[-1].legend(fontsize=8, frameon=False, handlelength=3)
    legend_above(figure, panels[: len(terms)])
    label_bottom(panels, 3, "epoch")
    return figure


def _style_of_phase(phase: str, phases: Sequence[str]) -> tuple[str, str]:
    """Colour and dashes of a phase of a run: those of its name, or, for the phases of no such name, one after another."""
    if phase in _PHASES:
        return _PHASES[phase]
    position = [other for other in phases if other not in _PHASES].index(phase)
    return _MUTED[position % len(_MUTED)], _DASHES[position % len(_DASHES)]


def metrics(run: Recorded) -> "Figure | None":
    """U, S, H and T1, those of them that are known, over epochs, a panel a predictor; one evaluated only once is marked in all
    panels, or all are bars."""
    names = run.names("predictions")
    lines = [name for name in names if len(run.series("predictions", name, "harmonic")[0]) > 1]
    known = [key for key in _METRICS if any(np.isfinite(run.series("predictions", name, key)[1]).any() for name in names)]
    if not known:
        return None
    figure, panels = panels_of(max(len(lines), 1), columns=2, height=3.6, sharey=True)
    for axes, name in zip(panels, lines, strict=False):
        for metric, (heading, colour, dash) in ((key, _METRICS[key]) for key in known):
            x, y = run.series("predictions", name, metric)
            line(axes, x, 100 * y, label=heading, color=colour, linestyle=dash)
        for single, metric in itertools.product((other for other in names if other not in lines), known):
            x, y = run.series("predictions", single, metric)
            label = f"{plain(single)}, evaluated once" if metric == ("harmonic" if "harmonic" in known else known[0]) else None
            axes.plot(x, 100 * y, "D", markerfacecolor="none", color=_METRICS[metric][1], markersize=9, label=label)
        finish(axes, title=plain(name), x="epoch")
    if not lines:
        places, width = np.arange(len(known)), 0.8 / len(names)
        for i, name in enumerate(names):
            values = [100 * sum(run.series("predictions", name, metric)[1]) for metric in known]  # of one evaluation, or none
            colour = _PREDICTORS.get(name, ("black", "-"))[0]
            bars = panels[0].bar(places + (i - (len(names) - 1) / 2) * width, values, 0.9 * width, color=colour, label=plain(name))
            panels[0].bar_label(bars, fmt="%.1f", fontsize=9)
        finish(panels[0], whole_numbers=False)
        panels[0].set_xticks(places, [_METRICS[metric][0] for metric in known], fontsize=9)
    panels[0].set_ylabel("accuracy, mean over classes (%)", fontsize=9)
    panels[0].set_ylim(-2, 105)
    legend_above(figure, panels)
    return figure


def curve(run: Recorded) -> "Figure | None":
    """S against U as gamma moves, a line a predictor; the predictor itself is the point gamma = 0."""
    parts = ("unseen", "seen", "gamma")
    curves = {name: [run.diagnostics.get(f"curve/{name}/{part}", np.zeros(0)) for part in parts] for name in run.diagnosed("curve")}
    curves = {name: found for name, found in curves.items() if all(values.size and np.isfinite(values).all() for values in found)}
    if not curves:
        return None
    figure, (axes,) = panels_of(1, width=5.4, height=4.9)
    grid = np.linspace(0.5, 100, 200)
    u, s = np.meshgrid(grid, grid)
    levels = axes.contour(u, s, 2 * u * s / (u + s), levels=range(10, 100, 10), colors="#bbbbbb", linewidths=0.8, linestyles=":")
    axes.clabel(levels, fmt="H %d", fontsize=8, colors="#888888", manual=[(h, h) for h in range(10, 100, 10)])
    for name, (unseen, seen, gamma) in curves.items():
        colour, dash = _PREDICTORS.get(name, ("black", "-."))
        label = f"{plain(name)}, AUSUC {100 * area(unseen, seen):.1f} %"
        axes.plot(100 * unseen, 100 * seen, color=colour, linestyle=dash, linewidth=1.8, label=label)
        if at := np.flatnonzero(gamma >= 0).tolist():  # from the largest gamma to the smallest: the last is the least of these
            axes.plot(100 * unseen[at[-1]], 100 * seen[at[-1]], "o", color=colour, markersize=9, markeredgecolor="white")
    axes.plot([], [], "o", color="#555555", label=r"as evaluated, $\gamma = 0$")
    finish(axes, x="U, unseen classes (%)", y="S, seen classes (%)")
    axes.set(xlim=(-1, 101), ylim=(-1, 101), aspect="equal")
    axes.legend(loc="lower left", fontsize=9)  # under the curves, which good predictors push away from this corner
    return figure


def scores(run: Recorded) -> "Figure | None":
    """Histograms of the teacher's in-distribution score, as shares of the rows, with the threshold of the configuration."""
    groups = ("seen", SEEN, "test rows, seen"), ("unseen", UNSEEN, "test rows, unseen"), ("synthesized", SYNTHESIZED, "synthesized")
    found = [(colour, label, run.finite(f"scores/{name}")) for name, colour, label in groups]
    found = [group for group in found if group[2].size]
    if not found:
        return None
    figure, (axes,) = panels_of(1, height=3.4)
    # The outermost thousandth of the rows would stretch the axis over mostly nothing.
    everything = np.concatenate([values for *_, values in found])
    low, high = np.quantile(everything, [0.001, 0.999])
    edges = np.linspace(low, high, 51) if high > low else np.linspace(low - 0.5, low + 0.5, 51)
    for (colour, label, values), dash in zip(found, _DASHES, strict=False):
        shares = 100 * np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / values.size
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.22)
        axes.stairs(shares, edges, color=colour, linewidth=1.6, linestyle=dash, label=f"{label} ({values.size})")
    threshold = run.setting("teacher", "threshold")
    if threshold is not None and edges[0] <= threshold <= edges[-1]:
        axes.axvline(threshold, color="black", linewidth=1, linestyle=":", label=f"threshold {threshold:g}")
    finish(axes, x="teacher's in-distribution score, max log softmax", y="share of rows (%)", whole_numbers=False)
    axes.set_ylim(bottom=0)
    if axes.get_ylim()[1] > 25:
        # One tall bin, of rows the teacher is certain of, would press all others to the floor.
        axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
        axes.set_yticks([1, 5, 10, 20, 40, 60, 80])
        axes.set_ylabel("share of rows (%), square-root scale", fontsize=9)
    legend_above(figure, [axes])
    return figure


def projection(run: Recorded) -> "Figure | None":
    """Real and synthesized rows of unseen classes on two principal axes, side by side on the same axes."""
    kinds = [(name, run.diagnostics.get(f"projection/{name}", np.zeros((0, 2)))) for name in ("real", "synthesized")]
    labels = [run.finite(f"projection/{name}_labels") for name, _ in kinds]
    if not len(kinds[0][1]) or any(len(own) != len(points) for own, (_, points) in zip(labels, kinds, strict=True)):
        return None
    classes = np.unique(np.concatenate(labels))
    figure, panels = panels_of(2, columns=2, height=4.0, sharex=True, sharey=True)
    for axes, (name, points), own in zip(panels, kinds, labels, strict=True):
        size = 16 if len(points) < 1000 else 8
        if len(classes) <= _COLOURED:
            for position, label in enumerate(classes):
                chosen = points[own == label]
                legend = plain(run.class_names.get(int(label), int(label)))
                axes.scatter(chosen[:, 0], chosen[:, 1], s=size, color=_MUTED[position], alpha=0.6, linewidths=0, label=legend)
        else:
            other = kinds[1 - [kind for kind, _ in kinds].index(name)][1]
            axes.scatter(other[:, 0], other[:, 1], s=size, color="#cccccc", linewidths=0, label="the other panel's rows")
            colour = UNSEEN if name == "real" else SYNTHESIZED
            axes.scatter(points[:, 0], points[:, 1], s=size, color=colour, alpha=0.5, linewidths=0)
        shares = [f" ({100 * share:.0f} % of variance)" for share in run.finite("projection/explained")]
        axis = [f"principal axis {number}{share}" for number, share in zip((1, 2), [*shares, "", ""], strict=False)]
        finish(axes, title=f"{name}, {len(points)} rows", x=axis[0], y=axis[1] if axes is panels[0] else "", whole_numbers=False)
    legend_above(figure, panels, markerscale=2)
    return figure


def confusion(run: Recorded) -> "Figure | None":
    """What seen and unseen rows are taken for, as shares of their rows with counts, a panel a predictor; without a side that has no
    test rows."""
    names = [name for name in run.diagnosed("confusion") if run.diagnostics[f"confusion/{name}"].sum() > 0]
    if not names:
        return None
    figure, panels = panels_of(len(names), height=1.55, sharex=True)
    for axes, name in zip(panels, names, strict=True):
        there = run.diagnostics[f"confusion/{name}"].sum(axis=1) > 0
        counts = run.diagnostics[f"confusion/{name}"][there]
        totals = counts.sum(axis=1)
        shares = 100 * counts / totals[:, None]
        rows = [f"{total} {domain} rows" for total, domain in zip(totals, np.array(["seen", "unseen"])[there], strict=True)]
        for column, (label, colour) in enumerate((("taken for a seen class", SEEN), ("taken for an unseen class", UNSEEN))):
            bars = axes.barh(rows, shares[:, column], left=shares[:, :column].sum(axis=1), color=colour, label=label, height=0.75)
            both = zip(shares[:, column], counts[:, column], strict=True)
            texts = [f"{share:.0f} %\n{count}" if share >= 5 else "" for share, count in both]  # a shorter bar holds no text
            axes.bar_label(bars, texts, label_type="center", color="white", fontsize=9)
        finish(axes, title=plain(name), grid=False, whole_numbers=False)
        axes.set_xlim(0, 100)
        axes.invert_yaxis()
    panels[-1].set_xlabel("share of rows (%)", fontsize=9)
    legend_above(figure, panels)
    return figure


def norms(run: Recorded) -> "Figure | None":
    """Norms of gradients, updates and parameters by parameter group, and the learning rates."""
    paths: list[tuple[tuple[str, ...], str]] = [(("norms", kind), f"{plain(kind)} norm") for kind in run.names("norms")]
    paths += [(("learning_rates",), "learning rate")] if run.names("learning_rates") else []
    if not paths:
        return None
    groups = list(dict.fromkeys(group for path, _ in paths for group in run.names(*path)))
    figure, panels = panels_of(len(paths), columns=2, height=2.7)
    for axes, (path, title) in zip(panels, paths, strict=True):
        for position, group in enumerate(groups):
            style: dict[str, Any] = {"color": _MUTED[position % len(_MUTED)], "linestyle": _DASHES[position % len(_DASHES)]}
            line(axes, *run.series(*path, group), label=plain(group), **style)
        finish(axes, title=title, log_over=10)
    legend_above(figure, panels)
    label_bottom(panels, 2, "epoch")
    return figure


def per_class(run: Recorded) -> "Figure | None":
    """Accuracy of every class, a panel a predictor: bars with names of few classes, sorted lines of the sides of many."""
    found = {name: sorted(run.accuracies(name), key=lambda one: one.accuracy) for name in run.predictions}
    found = {name: classes for name, classes in found.items() if classes}
    if not found:
        return None
    most = max(len(classes) for classes in found.values())
    few = most <= _NAMED
    figure, panels = panels_of(len(found), columns=2, height=0.8 + 0.24 * most if few else 3.4, sharex=True)
    for axes, (name, classes) in zip(panels, found.items(), strict=True):
        values, places = 100 * np.array([one.accuracy for one in classes]), np.arange(len(classes))
        for domain, colour in (("seen", SEEN), ("unseen", UNSEEN), ("", "#777777")):
            own = np.array([one.domain == domain for one in classes])
            label = f"{domain or 'all'} classes"
            if own.any() and few:
                axes.barh(places[own], values[own], color=colour, label=label)
            elif own.any():
                edges = np.linspace(0, 100, own.sum() + 1)
                axes.stairs(values[own], edges, baseline=None, color=colour, linewidth=1.8, label=label)
                axes.axhline(values[own].mean(), color=colour, linewidth=1, linestyle=":", label=f"mean, {domain}")
        if few:
            axes.set_yticks(places, [plain(one.name) for one in classes], fontsize=8)
        else:
            axes.set_ylim(-2, 102)
        axes.set_xlim(0, 100)
        texts = ("accuracy (%)", "") if few else ("share of the classes, worst first (%)", "accuracy (%)")
        finish(axes, title=plain(name), x=texts[0], y=texts[1], whole_numbers=False)
    legend_above(figure, panels)
    return figure


PLOTS: dict[str, Callable[[Recorded], "Figure | None"]] = {
    "metrics": metrics, "curve": curve, "confusion": confusion, "per_class": per_class, "scores": scores, "projection": projection,
    "losses": losses, "norms": norms,
}  # fmt: skip
"""The plots by file name, in the order they are read in; each is None where a run has no data for it."""
