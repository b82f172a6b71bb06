"""The Prometheus text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, object], float]


def family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> str:
    """Write a counter or a gauge: a line for each sample; nothing where there is none."""
    lines = [f"{name}{labelled(labels)} {value!r}\n" for labels, value in samples]
    return head(name, kind, meaning) + "".join(lines) if lines else ""


def single(name: str, kind: str, meaning: str, value: float | None) -> str:
    """Write a counter or a gauge that has no labels; nothing where it has no value."""
    return family(name, kind, meaning, [] if value is None else [({}, value)])


def histogram(
    name: str, meaning: str, bounds: Iterable[float], series: Iterable[tuple[Mapping[str, object], list[int], float]]
) -> str:
    """Write a histogram: for each series its labels, how many fell under each bound and above all, and their sum."""
    lines = []
    names = [*map(repr, bounds), "+Inf"]
    for labels, counts, total in series:
        below = 0
        for bound, count in zip(names, counts, strict=True):
            below += count
            lines.append(f"{name}_bucket{labelled({**labels, 'le': bound})} {below}\n")
        lines.append(f"{name}_sum{labelled(labels)} {total!r}\n{name}_count{labelled(labels)} {below}\n")
    return head(name, "histogram", meaning) + "".join(lines)


def head(name: str, kind: str, meaning: str) -> str:
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"


def labelled(labels: Mapping[str, object]) -> str:
    """Write labels in braces; none at all where there are none."""
    return "{" + ",".join(f'{name}="{escaped(str(value))}"' for name, value in labels.items()) + "}" if labels else ""


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
