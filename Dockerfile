# syntax=docker/dockerfile:1
# CPU image with the bundled models by default; for CUDA: --build-arg GROUPS="--group gpu"
FROM python:3.11-slim-bookworm AS build
ARG GROUPS="--group models"
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN python -m pip install --no-cache-dir uv==0.13.8
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-install-project --no-default-groups ${GROUPS}
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-editable --no-default-groups ${GROUPS}

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 libnuma1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 wordloop && install -d -o wordloop /var/lib/wordloop /var/cache/wordloop
COPY --from=build /app/.venv /app/.venv
COPY serve_config.yaml serve_config.gpu.yaml /app/
ENV PATH=/app/.venv/bin:$PATH HF_HUB_OFFLINE=1 \
    WORDLOOP_DATA_DIR=/var/lib/wordloop WORDLOOP_CACHE_DIR=/var/cache/wordloop
WORKDIR /app
USER wordloop
EXPOSE 8000
HEALTHCHECK --start-period=300s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"
CMD ["wordloop", "up", "--config", "/app/serve_config.yaml"]
