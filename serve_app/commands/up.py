"""`wordloop up`: run the service until told to stop."""

import time
from pathlib import Path

from serve_app.embedded.start import started
from serve_app.terminal.display import console, output


def run_up(*, host: str | None, port: int | None, data_dir: Path | None, config: Path | None, light: bool) -> None:
    """Run until ctrl-c or SIGTERM."""
    try:
        with started(data_dir=data_dir, config=config, light=light, host=host, port=port, dashboard=True) as service:
            assert service.file is not None
            output.print(f"Wordloop ML is ready at {service.file.url} (API: {service.file.url}/docs)")
            if service.file.dashboard_url:
                output.print(f"Ray dashboard at {service.file.dashboard_url}")
                output.print(f"  to log in, paste the token in {service.file.dashboard_token_file}")
            output.print(f"Metrics for Prometheus at {service.file.metrics_url}; logs in {service.file.log_dir}/serve")
            output.print(f"Address and process are in {service.data_dir / 'service.json'}; ctrl-c stops everything.")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopped")
