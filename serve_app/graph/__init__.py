"""The Ray Serve graph. `serve_config.yaml` names `serve_app.graph:build`."""

from serve_app.graph.application import build

__all__ = ["build"]
