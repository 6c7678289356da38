"""Plots for a page: the legend and each panel of a figure as SVG to stand inside HTML, where panels flow with the width of the
screen, text is text in the page's font, and colours follow light and dark."""

import io
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from d3gzsl_jax.runs.report.figures import SVG_SALT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_PAD = 0.04  # inches around a panel
_PIXELS = 96 / 72  # of CSS in a point
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}$")
_LONG = re.compile(r"(\.\d\d)\d+")  # digits of coordinates that nobody sees
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


class Drawing(NamedTuple):
    """SVG elements of a figure: its legend, '' for none, and its panels."""

    legend: str
    panels: tuple[str, ...]


def drawing(figure: "Figure", name: str) -> Drawing:
    """The legend and the panels of a figure whose layout is made, see `figures.lay_out`.

    It is rendered once and taken apart: what several parts use stays in the first of them, which the others refer to.

    Args:
        figure: with or without one legend of its own.
        name: begins every id, so that the drawings of a page have different ones; letters and underscores.
    """
    import matplotlib
    from matplotlib.transforms import Bbox

    parts: list[Artist] = [*figure.legends, *figure.axes]
    for place, part in enumerate(parts):
        part.set_gid(f"part{place}")
    buffer = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": SVG_SALT}):
        warnings.filterwarnings("ignore", "Glyph")  # the reader's browser has more letters than the font the layout is made with
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
        boxes = [part.get_tightbbox() or Bbox.null() for part in parts]
        inches = [box.transformed(figure.dpi_scale_trans.inverted()).padded(_PAD) for box in boxes]
    root = ElementTree.fromstring(buffer.getvalue())
    shared = [child for child in root if child.tag.endswith("}defs") and child.find(f"{_SVG}style") is None]
    used = {value for element in root.iter() for value in _references(element)}
    groups = {element.get("id"): element for element in root.iter(f"{_SVG}g")}
    for element in root.iter():
        _rewrite(element, f"{name}-", used)
    found = []
    for place, box in enumerate(inches):
        x, y, width, height = (72 * value for value in (box.x0, figure.get_figheight() - box.y1, box.width, box.height))
        element = ElementTree.Element("svg", {
            "viewBox": f"{x:.1f} {y:.1f} {width:.1f} {height:.1f}", "width": f"{width * _PIXELS:.0f}",
            "height": f"{height * _PIXELS:.0f}", "fill": "currentColor", "stroke-linejoin": "round", "stroke-linecap": "butt",
        })  # fmt: skip
        element.extend([*(shared if place == 0 else []), groups[f"part{place}"]])
        found.append(ElementTree.tostring(element, encoding="unicode"))
    legends = len(figure.legends)
    return Drawing("".join(found[:legends]), tuple(found[legends:]))


def _references(element: ElementTree.Element) -> list[str]:
    """The ids an element points to."""
    found = re.findall(r"url\(#([^)]+)\)", " ".join(element.attrib.values()))
    return [*found, element.attrib[_HREF][1:]] if _HREF in element.attrib else found


def _rewrite(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    element.tag = element.tag.rpartition("}")[2]
    given, element.attrib = element.attrib, {}
    is_text = element.tag in ("text", "tspan")
    for name, value in given.items():
        if name == "id":
            if value in used:
                element.set("id", prefix + value)
        elif name == _HREF:
            element.set("href", f"#{prefix}{value[1:]}")
        elif name == "style":
            element.set("style", _style(value, is_text))
        elif name in ("d", "x", "y", "width", "height", "transform", "points"):
            element.set(name, _LONG.sub(r"\1", value))
        elif name == "clip-path":
            element.set(name, value.replace("url(#", f"url(#{prefix}"))
    if element.text is not None and not is_text:
        element.text = None
    if not is_text:
        element.tail = None


def _style(text: str, is_text: bool) -> str:
    """Declarations with colours as the page has them, and fonts by their size alone."""
    found = []
    for declaration in filter(str.strip, text.split(";")):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name in ("font", "font-family"):
            size = re.search(r"([\d.]+)px", value)
            found += [f"font-size: {size[1]}px"] if size else []
            found += ["font-style: italic"] if "italic" in value else []
        elif _COLOUR.match(value):
            found.append(f"{name}: {_colour(value.lower(), is_text)}")
        else:
            found.append(f"{name}: {value}")
    return "; ".join(found)


def _colour(value: str, is_text: bool) -> str:
    if value == "#000000":
        return "currentColor"
    if value == "#ffffff":  # letters on a bar stay white
        return value if is_text else "var(--card)"
    return f"var(--p-{value[1:]}, {value})"
