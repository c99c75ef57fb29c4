"""A small strict reader of the Prometheus expressions used here: metrics, labels and brackets must be right.

It knows the part of the language that deploy/prometheus/alerts.yml uses and refuses everything else. `labels_of` returns the
labels that the result carries, so that the text of an alert can be held against them.
"""

import re
from collections.abc import Mapping
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from shared import metrics

# What Prometheus adds to every sample by deploy/prometheus/prometheus.yml.
TARGET_LABELS: Final = frozenset({"job", "instance", "service"})
AGGREGATIONS: Final = frozenset({"avg", "count", "max", "min", "sum"})
VALUE_FUNCTIONS: Final = frozenset({"abs", "round"})
RANGE_FUNCTIONS: Final = frozenset({"increase", "rate"})
SCALAR_FIRST: Final = frozenset({"histogram_quantile"})
OPERATORS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "and", "or", "unless"})
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<duration>\d+[smhd]\b)|(?P<number>\d+(?:\.\d+)?\b)|(?P<string>"[^"\\]*")|(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<sign>==|!=|=~|!~|<=|>=|[-+*/<>=(){}\[\],]))""",
    re.VERBOSE,
)


class Refused(Exception):
    """The expression is not one that Prometheus would evaluate as meant; the message says where."""


def known_series() -> dict[str, frozenset[str]]:
    """Return every series of shared/metrics.py, and `up`, with its labels."""
    series: dict[str, frozenset[str]] = {"up": frozenset()}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            labels = frozenset(metric._labelnames)
            name, kind = metric._name, metric._type
            if kind == "histogram":
                series |= {f"{name}_bucket": labels | {"le"}, f"{name}_count": labels, f"{name}_sum": labels}
            else:
                series[f"{name}_total" if kind == "counter" else name] = labels
    return series


def labels_of(expression: str, values: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the labels of an expression's result. Raises `Refused`.

    `values` lists the values that exist for some labels: comparing such a label with anything else can never be true.
    """
    reader = _Reader(expression, values)
    found = reader.expression()
    if reader.peek():
        raise Refused(f"{reader.peek()!r} stands where an operator is needed")
    return found or frozenset()


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Refused(f"cannot be read: {text[at:].strip()[:20]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Reader:
    """Recursive descent; each method returns the labels of what it read, None for a number."""

    def __init__(self, text: str, values: Mapping[str, frozenset[str]]) -> None:
        self.tokens = _tokens(text)
        self.at = 0
        self.values = values
        self.series = known_series()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str, kind: str = "") -> str:
        found = self.peek()
        if not found or (wanted and found not in wanted) or (kind and self.tokens[self.at][0] != kind):
            raise Refused(f"{' or '.join(wanted) or kind} is needed before {found or 'the end'!r}")
        self.at += 1
        return found

    def expression(self) -> frozenset[str] | None:
        left = self.operand()
        while self.peek() in OPERATORS:
            operator = self.take()
            shared: frozenset[str] = frozenset()
            if self.peek() in ("on", "ignoring"):
                self.take("on")
                shared = self.names()
            right = self.operand()
            if left is None or right is None:
                if operator in ("and", "or", "unless"):
                    raise Refused(f"{operator} between a number and a series")
                left = left if right is None else right
                continue
            if not shared <= left & right:
                raise Refused(f"on {sorted(shared - (left & right))}: not a label of both sides")
            if operator != "or" and not shared and left != right and left and right:
                raise Refused(f"{operator}: the sides have different labels, nothing would match")
            left = left | right if operator == "or" else left
        return left

    def operand(self) -> frozenset[str] | None:
        if self.peek() == "(":
            self.take("(")
            inner = self.expression()
            self.take(")")
            return inner
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "number":
            self.take()
            return None
        name = self.take(kind="name")
        if name in AGGREGATIONS:
            return self.aggregation()
        if self.peek() == "(":
            return self.function(name)
        return self.selector(name)[0]

    def aggregation(self) -> frozenset[str]:
        kept: frozenset[str] = frozenset()
        if self.peek() == "by":
            self.take("by")
            kept = self.names()
        self.take("(")
        inner = self.expression()
        self.take(")")
        if inner is None or not kept <= inner:
            raise Refused(f"by {sorted(kept - (inner or frozenset()))}: no such label")
        return kept

    def function(self, name: str) -> frozenset[str] | None:
        self.take("(")
        found: frozenset[str] | None
        if name == "time":
            found = None
        elif name == "absent":
            found = self.selector(self.take(kind="name"))[1]
        elif name in RANGE_FUNCTIONS:
            found = self.selector(self.take(kind="name"))[0]
            self.take("[")
            self.take(kind="duration")
            self.take("]")
        elif name in VALUE_FUNCTIONS:
            found = self.expression()
        elif name in SCALAR_FIRST:
            self.take(kind="number")
            self.take(",")
            found = (self.expression() or frozenset()) ^ {"le"}
            if "le" in found:
                raise Refused(f"{name} needs the label le")
        else:
            raise Refused(f"no function {name}")
        self.take(")")
        return found

    def selector(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return all labels of a metric, and those that the matchers name."""
        if name not in self.series:
            raise Refused(f"no metric {name}")
        labels = self.series[name] | TARGET_LABELS
        matched: set[str] = set()
        if self.peek() == "{":
            self.take("{")
            while self.peek() != "}":
                label = self.take(kind="name")
                self.take("=", "!=")
                value = self.take(kind="string").strip('"')
                if label not in labels:
                    raise Refused(f"{name} has no label {label}")
                if value not in self.values.get(label, {value}):
                    raise Refused(f"{label} is never {value}")
                matched.add(label)
                if self.peek() != "}":
                    self.take(",")
            self.take("}")
        if self.peek() == "offset":
            self.take("offset")
            self.take(kind="duration")
        return labels, frozenset(matched)

    def names(self) -> frozenset[str]:
        self.take("(")
        found = {self.take(kind="name")}
        while self.peek() == ",":
            self.take(",")
            found.add(self.take(kind="name"))
        self.take(")")
        return frozenset(found)
