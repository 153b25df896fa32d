"""One file per conversation with the outside: a Protocol whose docstring is its promise."""
