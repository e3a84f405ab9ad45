/* SPDX-License-Identifier: MIT */
/*
 * The figures of the server as Prometheus reads them: OpenMetrics 1.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/), or the older text format 0.0.4. Pure.
 */
#ifndef RUPTIME_DAEMON_METRICS_EXPOSITION_H
#define RUPTIME_DAEMON_METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/metrics/host.h"
#include "daemon/stats.h"

struct exposition {
	struct stats_counters sum;
	uint64_t queue_capacity;
	unsigned connections;
	int users;			/* -1: unknown, and left out */
	struct host host;
	const char *source;		/* "exec" or "procps" */
	bool serves[ADDRESS_SCHEMES];	/* a transport without a listener is left out */
};

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* The format that the Accept header ACCEPT (NULL: none) asks for, and its Content-Type. */
enum exposition_format exposition_format_of(const char *accept);
const char *exposition_content_type(enum exposition_format format);

/* Write all figures to OUT, whose errors are the caller's to see. */
void exposition_write(FILE *out, const struct exposition *figures, enum exposition_format format);

#endif
