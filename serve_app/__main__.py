"""`python -m serve_app` is `wordloop`."""

from serve_app.cli import main

main()
