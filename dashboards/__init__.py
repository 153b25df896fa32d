"""What operators look at: Grafana dashboards and Prometheus rules, made from the table of metrics."""
