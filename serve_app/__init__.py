"""The composition root: settings, the Ray Serve graph, the command line."""
