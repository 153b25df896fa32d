"""The HTTP gateway: FastAPI routes over the use cases. `app.build_app` puts them together."""
