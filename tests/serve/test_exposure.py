"""An address beyond loopback needs keys, however Serve was started."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.serve, pytest.mark.timeout(300)]

# 127.0.0.2 is this machine too, but no address that we count as loopback.
PROGRAM = """
import sys
from pathlib import Path
from adapters.ray_serve.cluster import PrivateCluster, prepare_environment
folder = Path(sys.argv[1])
place = prepare_environment(folder)
from serve_app.graph.application import build
from serve_app.settings.models import RemoteSettings
from serve_app.settings.service import Settings
remote = {"remote": RemoteSettings(base_url="http://127.0.0.1:9/v1", model="nobody")}
settings = Settings()
models = {
    name: getattr(settings, name).model_copy(update=remote) for name in ("transcriber", "language_model", "embedder")
}
models["reader"] = settings.reader.model_copy(update={"engine": "language-model"})  # no model is loaded here
models["diarizer"] = settings.diarizer.model_copy(update={"enabled": False})
settings = settings.model_copy(update={"data_dir": folder, **models})
cluster = PrivateCluster(place)
try:
    cluster.start(
        proxy_location="HeadOnly", http_options={"host": "127.0.0.2", "port": place.port}, logging_config={}, dashboard=False,
        import_root=Path.cwd(),
    )
    import ray
    from ray import serve
    try:
        serve.run(build(settings), name="wordloop")
        print("RUNNING")
    except Exception as error:
        print("REFUSED", error)
        print(serve.status().applications["wordloop"].message)
        for deployment in serve.status().applications["wordloop"].deployments.values():
            print(deployment.message)
finally:
    cluster.stop()
"""


def test_serve_itself_does_not_open_another_address_without_keys(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=240)
    assert "RUNNING" not in done.stdout
    assert "refusing to listen on 127.0.0.2" in done.stdout, done.stdout + done.stderr
    assert "set security.require_keys: true" in done.stdout
