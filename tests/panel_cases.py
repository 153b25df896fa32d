"""`python -m tests.panel_cases PROMTOOL`: every panel shows something where every metric of the table has been recorded.

Prometheus' own engine answers: promtool evaluates each query over made-up series and says what it got, since nothing is expected.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from adapters.ray_serve.metric_table import FROM_RAY, OWN, Metric, MetricKind
from dashboards.pages import PAGES

TOLD = {"status_code": "500"}
"""Labels by whose value panels choose."""
LASTS = "x180"
"""Minutes of made-up series; the queries are asked at 150."""
VALUES = {MetricKind.COUNTER: f"0+5{LASTS}", MetricKind.GAUGE: f"3{LASTS}", MetricKind.HISTOGRAM: f"0+4{LASTS}"}


def series(metric: Metric) -> Iterator[dict[str, str]]:
    """One series of each name under which Prometheus keeps a metric; a histogram's bucket twice."""
    labels = {label: TOLD.get(label, "x") for label in metric.labels}
    for name in metric.series:
        for edge in ("1", "+Inf") if name.endswith("_bucket") else ("",):
            told = labels | ({"le": edge} if edge else {})
            matchers = ",".join(f'{label}="{value}"' for label, value in told.items())
            yield {"series": f"{name}{{{matchers}}}", "values": VALUES[metric.kind]}


def main(promtool: str) -> int:
    """Return 1, having printed the queries that show nothing or can not be read."""
    queries = [query for page in PAGES for row in page.rows.values() for panel in row for query in panel.queries.values()]
    asked = [{"expr": query, "eval_time": "150m", "exp_samples": []} for query in queries]
    made = [one for metric in (*OWN, *FROM_RAY) for one in series(metric)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "panels.yml"
        file.write_text(yaml.safe_dump({"tests": [{"interval": "1m", "input_series": made, "promql_expr_test": asked}]}))
        done = subprocess.run([promtool, "test", "rules", str(file)], check=False, capture_output=True, text=True)
    shown = re.findall(r'expr: (".*"), time: .*\n\s+exp: nil\n\s+got: (?!nil)', done.stdout + done.stderr)
    empty = set(queries) - {yaml.safe_load(query) for query in shown}
    print(f"{len(queries) - len(empty)} of {len(queries)} queries of panels show something", *sorted(empty), sep="\n")
    return int(bool(empty))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
