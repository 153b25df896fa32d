"""Everything that speaks to Ray: replicas, the model backend over handles, and a private cluster."""
