"""Plays `GET https://api.example.com/v1/price` on http://127.0.0.1:8080, or on another port that is its argument (0: any that is
free). It prints the credential that arrives, and repeats it in its response: what the agent prints of that shows what the agent got to
see."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        credential = self.headers.get("authorization", "")
        print(f"the API got: GET {self.path}, authorization: {credential}", flush=True)
        body = json.dumps({"pair": "ETH-USD", "price": "3120.50", "used": credential}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
server = HTTPServer(("127.0.0.1", port), Api)
print(f"the API listens on http://127.0.0.1:{server.server_port}", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
