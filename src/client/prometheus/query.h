/* SPDX-License-Identifier: MIT */
/*
 * What is asked of a Prometheus server, and what its answer says of each host. Pure but for memory.
 */
#ifndef RUPTIME_CLIENT_PROMETHEUS_QUERY_H
#define RUPTIME_CLIENT_PROMETHEUS_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "client/hosts/targets.h"
#include "client/show/uptime_line.h"

struct query_host {
	bool is_up;
	bool has_up;		/* the server says whether it can scrape it */
	bool has_facts;		/* of ruptimed: then node_exporter's do not count */
	bool has_load[UPTIME_LINE_LOADS];
	struct uptime_facts facts;
};

struct query_hosts {
	struct targets targets;	/* names only, which need not be addresses */
	struct query_host *list;
};

/* The expression that selects all metrics of the hosts with MATCHERS; for free(). NULL: errno. */
char *query_make(const char *matchers);

/*
 * Read the JSON that the server has answered. Returns 0 with HOSTS, for query_hosts_fini(), or -1
 * with what the server says in ERROR, of SIZE bytes, printable; "" if it is not Prometheus's.
 */
int query_read(const char *json, struct query_hosts *hosts, char *error, size_t size);

void query_hosts_fini(struct query_hosts *hosts);

#endif
