"""The table of metrics for people."""

from adapters.ray_serve.metric_table import FROM_RAY, OWN, Metric

HEAD = """# Metrics

Made by `just dashboards` from `adapters/ray_serve/metric_table.py`. The name is the one that Prometheus sees; a histogram has
`_bucket`, `_sum` and `_count` behind it. Labels that come from outside are bounded: `tenant` to those with a budget of their own
and `telemetry.tenants_shown` others, `reason` to forty. Ray adds the labels of the node. With `telemetry.otlp_endpoint` the calls
(not the jobs and the queue) are told to a collector too, under OpenTelemetry's names.
"""


def listing() -> str:
    """Return docs/dashboards/metrics.md."""
    return "\n".join([HEAD, "## Ours", "", *_rows(OWN), "", "## Ray Serve's, as far as they are shown", "", *_rows(FROM_RAY), ""])


def _rows(metrics: tuple[Metric, ...]) -> list[str]:
    rows = (f"| `{m.exposed}` | {m.kind} | {m.unit} | {', '.join(m.labels)} | {m.help} |" for m in metrics)
    return ["| name | kind | unit | labels | |", "| --- | --- | --- | --- | --- |", *rows]
