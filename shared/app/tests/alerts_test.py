"""The alert rules: their form, their expressions, and what they fire on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from shared import errors, resilience
from shared.app import METRICS

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus" / "alerts.yml"
CASES = HERE / "alerts_test.yml"
GUIDE = HERE.parents[2] / "docs" / "monitoring.md"

GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"]]
NAMES = [alert["alert"] for alert in ALERTS]
# What Prometheus itself says of each target.
FOREIGN = {"up"}
KINDS = {"histogram": ("_bucket", "_count", "_sum"), "gauge": ("",), "counter": ("",)}
KNOWN = {
    name + ending
    for name, definition in METRICS.items()
    for ending in KINDS[definition.kind]
}
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=NAMES)


def selectors(expression: Any) -> Iterator[Any]:
    """Every vector selector in a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for child in ("expr", "lhs", "rhs", "vector_selector"):
        inner = getattr(expression, child, None)
        if inner is not None:
            yield from selectors(inner)
    for argument in getattr(expression, "args", None) or ():
        yield from selectors(argument)


def labels_of(name: str) -> set[str]:
    """The labels that a series of this name has, with Prometheus' own."""
    base = name
    for ending in ("_bucket", "_count", "_sum"):
        if name.removesuffix(ending) in METRICS:
            base = name.removesuffix(ending)
    own = METRICS[base].labels if base in METRICS else ()
    return {*own, "job", "instance", "le"}


def test_the_contract_is_covered() -> None:
    """Requests, what they depend on, what runs behind them, and instances gone."""
    assert {
        "ServiceErrorRateHigh",
        "ServiceLatencyHigh",
        "CircuitBreakerOpen",
        "ServiceCallsFailing",
        "DatabasePoolExhausted",
        "OutboxLagging",
        "MessagesDeadLettered",
        "EventsUnrouted",
        "ScheduledJobsLate",
        "ServiceInstanceDown",
        "ServiceNotReady",
    } <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


@each_alert
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]) -> None:
    """How bad, for how long, a sentence, and a section of the guide that exists."""
    assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[0-9]+m", alert["for"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert "$labels." in alert["annotations"]["summary"]
    page, _, section = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", GUIDE.read_text(), re.MULTILINE)
    assert page == "docs/monitoring.md"
    assert section == alert["alert"].lower()
    assert section in {heading.lower() for heading in headings}


@each_alert
def test_an_expression_is_promql_about_metrics_of_ours(alert: dict[str, Any]) -> None:
    """A name that nobody exports would never fire; nor would a label nobody sets."""
    found = list(selectors(promql_parser.parse(alert["expr"])))

    names = {selector.name for selector in found}
    assert names
    assert names <= KNOWN | FOREIGN
    for selector in found:
        used = {matcher.name for matcher in selector.matchers.matchers}
        assert used <= labels_of(selector.name)


def test_errors_of_calls_are_classes_of_ours() -> None:
    """A class that was renamed would fire nothing."""
    (alert,) = (a for a in ALERTS if a["alert"] == "ServiceCallsFailing")
    matchers = [
        matcher.value
        for selector in selectors(promql_parser.parse(alert["expr"]))
        for matcher in selector.matchers.matchers
        if matcher.name == "error_type"
    ]
    named = {name for value in matchers for name in value.split("|")}

    assert len(named) > 3
    assert named <= {*errors.__all__, *resilience.__all__}


@each_alert
def test_an_alert_has_a_series_on_which_it_fires(alert: dict[str, Any]) -> None:
    """And the cases name no alert that is not there."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    asked = [check for case in cases for check in case["alert_rule_test"]]
    firing = {check["alertname"] for check in asked if check["exp_alerts"]}

    assert alert["alert"] in firing
    assert {check["alertname"] for check in asked} <= set(NAMES)


def test_a_broken_expression_is_noticed() -> None:
    """The parser is one that refuses."""
    with pytest.raises(ValueError, match="invalid promql query"):
        promql_parser.parse("sum by (job) (rate(x[5m])) >")


@pytest.mark.parametrize(
    "command", [["check", "rules", str(RULES)], ["test", "rules", str(CASES)]]
)
def test_prometheus_itself_agrees(command: list[str]) -> None:
    """Promtool checks the rules, and plays the cases."""
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        missing = "promtool is not installed (Debian: prometheus; or PROMTOOL=...)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    done = subprocess.run(
        [promtool, *command], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "SUCCESS" in done.stdout
