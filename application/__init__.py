"""One use case per file, named by its verb. Knows domain, ports and prompts, nothing else."""
