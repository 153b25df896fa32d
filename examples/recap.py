"""Upload a recording, follow its job and print the recap: recap.py FILE [URL]."""

import json
import sys
from pathlib import Path

import httpx

file, url = Path(sys.argv[1]), (sys.argv[2:] or ["http://127.0.0.1:8000"])[0]
with httpx.Client(base_url=url, timeout=60) as service:
    with file.open("rb") as recording:
        job = service.post("/v1/conversations", files={"file": recording}).raise_for_status().json()
    with service.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        for line in events.iter_lines():  # ends with the job
            if line.startswith("event:"):
                print(line.removeprefix("event:").strip(), file=sys.stderr)
    job = service.get(f"/v1/jobs/{job['id']}").json()
    if job["status"] != "completed":
        sys.exit(f"{job['status']}: {json.dumps(job['error'])}")
    print(service.get(f"/v1/recaps/{job['result']['recap_id']}", params={"format": "md"}).text)
