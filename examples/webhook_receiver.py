"""Print every event whose signature is right: webhook_receiver.py PORT SECRET. After the Standard Webhooks specification."""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT, SECRET = int(sys.argv[1]), base64.b64decode(sys.argv[2].removeprefix("whsec_"))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message, sent = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        mac = hmac.new(SECRET, f"{message}.{sent}.".encode() + body, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(mac).decode()
        fresh = abs(time.time() - int(sent)) < 300
        genuine = fresh and any(hmac.compare_digest(wanted, each) for each in self.headers["webhook-signature"].split())
        if genuine:
            event = json.loads(body)
            print(event["type"], event["data"].get("job_id", ""), flush=True)
        self.send_response(204 if genuine else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Events only."""


HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
