# syntax=docker/dockerfile:1
# CPU, with the bundled models:  docker build -t wordloop-ml:cpu .
# CUDA, models from outside:     docker build -t wordloop-ml:gpu --build-arg SYNC_GROUPS="--group gpu" .
# Nothing is written but below /tmp, /var/lib/wordloop and /var/cache/wordloop, so the root may be read-only:
#   docker run --read-only --tmpfs /tmp -v wordloop:/var/lib/wordloop -v wordloop-models:/var/cache/wordloop --shm-size 4g wordloop-ml:cpu
FROM python:3.11-slim-bookworm AS build
ARG SYNC_GROUPS="--group models"
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN python -m pip install --no-cache-dir uv==0.13.8
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-install-project --no-default-groups ${SYNC_GROUPS}
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-editable --no-default-groups ${SYNC_GROUPS}

FROM python:3.11-slim-bookworm
# The release of the base image pins their versions.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 libnuma1 && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --home-dir /tmp --uid 10001 wordloop \
    && install -d -o 10001 -g 10001 /var/lib/wordloop /var/cache/wordloop
COPY --from=build /app/.venv /app/.venv
COPY serve_config.yaml serve_config.gpu.yaml /app/
# CTranslate2 looks for CUDA's libcublas.so.12 where the system has its libraries; the package puts it elsewhere.
ENV PATH=/app/.venv/bin:$PATH HOME=/tmp HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 \
    LD_LIBRARY_PATH=/app/.venv/lib/python3.11/site-packages/nvidia/cublas/lib \
    WORDLOOP_DATA_DIR=/var/lib/wordloop WORDLOOP_CACHE_DIR=/var/cache/wordloop
WORKDIR /app
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --start-period=300s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
CMD ["wordloop", "up", "--config", "/app/serve_config.yaml"]
