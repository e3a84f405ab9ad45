#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write ruptimed.json, the dashboard of Grafana: make-dashboard.py > ruptimed.json

Three rows: the fleet, one host, and the ledger of the server itself."""

import json

HOST = 'instance=~"$instance"'


def panel(title, kind, unit, *queries, **options):
    return {"title": title, "kind": kind, "unit": unit, "queries": queries, **options}


ROWS = (
    ("Fleet", (
        panel("Hosts that answer", "stat", "none", ("", 'sum(up{job="ruptimed"})')),
        panel("Hosts that do not", "stat", "none", ("", 'sum(up{job="ruptimed"} == bool 0)')),
        panel("Booted in the last day", "stat", "none",
              ("", "count(ruptimed_host_uptime_seconds < 86400) or vector(0)")),
        panel("Load over a minute, the highest", "timeseries", "none",
              ("{{instance}}", "topk(10, ruptimed_host_load1)")),
        panel("Hosts", "table", "s", ("", "sort(ruptimed_host_uptime_seconds)")),
    )),
    ("Host", (
        panel("Up for", "stat", "s", ("", "ruptimed_host_uptime_seconds{%s}" % HOST)),
        panel("Load", "timeseries", "none",
              ("1 min", "ruptimed_host_load1{%s}" % HOST),
              ("5 min", "ruptimed_host_load5{%s}" % HOST),
              ("15 min", "ruptimed_host_load15{%s}" % HOST)),
        panel("Booted at", "stat", "dateTimeAsIso",
              ("", "ruptimed_host_boot_time_seconds{%s} * 1000" % HOST)),
    )),
    ("Server", (
        panel("Requests", "timeseries", "reqps",
              ("{{instance}} {{transport}}",
               "sum by (instance, transport) (rate(ruptimed_requests_total{%s}[$__rate_interval]))"
               % HOST)),
        panel("Dropped, by reason", "timeseries", "reqps",
              ("{{instance}} {{reason}}",
               "sum by (instance, reason) (rate(ruptimed_dropped_total{%s}[$__rate_interval]))"
               % HOST)),
        panel("Ledger: requests that are neither answered nor dropped", "timeseries", "none",
              ("{{instance}} {{transport}}", "ruptimed_queue_requests{%s}" % HOST)),
        panel("Time of a run", "timeseries", "s",
              ("p50", "histogram_quantile(0.5, sum by (le) "
               "(rate(ruptimed_run_seconds_bucket{%s}[$__rate_interval])))" % HOST),
              ("p99", "histogram_quantile(0.99, sum by (le) "
               "(rate(ruptimed_run_seconds_bucket{%s}[$__rate_interval])))" % HOST)),
        panel("Wait for a run", "timeseries", "s",
              ("p99", "histogram_quantile(0.99, sum by (le) "
               "(rate(ruptimed_queue_wait_seconds_bucket{%s}[$__rate_interval])))" % HOST)),
        panel("Requests that one run serves", "timeseries", "none",
              ("{{instance}}",
               "sum by (instance) (rate(ruptimed_replies_total{%s}[$__rate_interval])) / "
               "sum by (instance) (rate(ruptimed_runs_total{%s}[$__rate_interval]))"
               % (HOST, HOST))),
        panel("Connections", "timeseries", "none",
              ("{{instance}}", "ruptimed_connections{%s}" % HOST)),
    )),
)
WIDTH, HEIGHT = {"stat": 4, "timeseries": 12, "table": 12}, {"stat": 4, "timeseries": 8, "table": 8}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def place(kind, at):
    """Left to right, and down where a row is full; AT is x, y and the height of the row."""
    if at[0] + WIDTH[kind] > 24:
        at[:] = [0, at[1] + at[2], 0]
    where = {"x": at[0], "y": at[1], "w": WIDTH[kind], "h": HEIGHT[kind]}
    at[0] += WIDTH[kind]
    at[2] = max(at[2], HEIGHT[kind])
    return where


def panels():
    made, at = [], [0, 0, 0]
    for title, row in ROWS:
        at[:] = [0, at[1] + at[2], 0]
        made.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                     "gridPos": {"x": 0, "y": at[1], "w": 24, "h": 1}})
        at[1] += 1
        for one in row:
            targets = [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query,
                        "legendFormat": legend or "__auto",
                        "instant": one["kind"] != "timeseries",
                        "format": "table" if one["kind"] == "table" else "time_series"}
                       for i, (legend, query) in enumerate(one["queries"])]
            made.append({"type": one["kind"], "title": one["title"], "datasource": SOURCE,
                         "gridPos": place(one["kind"], at), "targets": targets,
                         "fieldConfig": {"defaults": {"unit": one["unit"]}, "overrides": []},
                         "options": {}})
    for number, one in enumerate(made, 1):
        one["id"] = number
    return made


def variable(name, kind, query, **more):
    return {"name": name, "type": kind, "query": query, **more}


DASHBOARD = {
    "uid": "ruptimed", "title": "ruptimed", "tags": ["ruptime"], "schemaVersion": 38, "version": 1,
    "editable": True, "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
    "templating": {"list": [
        variable("datasource", "datasource", "prometheus"),
        variable("instance", "query", "label_values(ruptimed_build_info, instance)",
                 datasource=SOURCE, multi=True, includeAll=True, allValue=".*", refresh=2),
    ]},
    "annotations": {"list": [{
        "name": "Boots", "datasource": SOURCE, "enable": True, "iconColor": "red",
        "expr": "changes(ruptimed_host_boot_time_seconds{%s}[2m]) > 0" % HOST,
        "titleFormat": "{{instance}} booted"}]},
    "panels": panels(),
}

if __name__ == "__main__":
    print(json.dumps(DASHBOARD, indent=2))
