"""Which adapter stands behind which port, for the worker, the ingress and code without a service."""
