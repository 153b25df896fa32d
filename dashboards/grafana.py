"""A page as Grafana imports it, by Grafana's own classes."""

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards.pages import Page, Panel

WIDTH, HEIGHT, COLUMNS = 8, 8, 24
"""Of Grafana's grid: three panels beside one another."""
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def rendered(page: Page) -> str:
    """Return the dashboard as JSON, the same for the same page."""
    made = builders.Dashboard(page.title).uid(page.uid).tags(["wordloop"]).refresh("30s").time("now-3h", "now").timezone("utc")
    made = made.with_variable(builders.DatasourceVariable("datasource").type("prometheus").label("Prometheus"))
    for title, panels in page.rows.items():
        made = made.with_row(builders.Row(title))
        for panel in panels:
            made = made.with_panel(_graph(panel))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True, indent=2).encode(made.build())), indent=2, sort_keys=True) + "\n"


def _graph(panel: Panel) -> Any:
    graph = timeseries.Panel().title(panel.title).description(panel.description).unit(panel.unit).min(0)
    graph = graph.datasource(SOURCE).span(WIDTH).height(HEIGHT)
    for number, (legend, query) in enumerate(panel.queries.items()):
        graph = graph.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number)))
    return graph
