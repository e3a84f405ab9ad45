# SPDX-License-Identifier: MIT
"""A server that answers as Prometheus does, with what it was told."""

import contextlib
import http.server
import json
import os
import re
import threading
import urllib.parse

import harness

NOW = 1700000000.5


def is_built():
    """Can the ruptime of this build ask Prometheus?"""
    with open(os.path.join(harness.BUILD_DIR, "config.log"), encoding="utf-8",
              errors="replace") as log:
        return re.search(r"^HAVE_PROMETHEUS_TRUE=''", log.read(), re.MULTILINE)


def metric(name, value, instance="web1:9784", **labels):
    return {"metric": {"__name__": name, "instance": instance, "job": "ruptimed"} | labels,
            "value": [NOW, str(value)]}


def host(instance, uptime, users, *loads, **labels):
    """The metrics of a host that is up."""
    facts = {"uptime_seconds": uptime, "users": users, "load1": loads[0], "load5": loads[1],
             "load15": loads[2]}
    return [metric("up", 1, instance, **labels)] + [
        metric("ruptimed_host_" + name, value, instance, **labels)
        for name, value in facts.items()]


@contextlib.contextmanager
def serving(result=None, status=200, body=None, *, port=0, queries=None):
    """One that always answers RESULT, or the bytes BODY. Yields its URL; QUERIES gets what came."""
    text = body if body is not None else json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            if queries is not None:
                queries.append((url.path, urllib.parse.parse_qs(url.query).get("query")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % server.server_port
        finally:
            server.shutdown()
            thread.join()
