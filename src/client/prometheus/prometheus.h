/* SPDX-License-Identifier: MIT */
/*
 * The same report, from a Prometheus server that scrapes the hosts: one question for all of them.
 *
 * Understands the metrics of ruptimed, and those of node_exporter where a host has no others.
 */
#ifndef RUPTIME_CLIENT_PROMETHEUS_PROMETHEUS_H
#define RUPTIME_CLIENT_PROMETHEUS_PROMETHEUS_H

#include <stddef.h>

#include "client/options.h"
#include "client/verdict.h"

/* Which hosts, as label matchers of PromQL, if the user does not say. */
#define PROMETHEUS_DEFAULT_QUERY "job=\"ruptimed\""

/* For main. Blocks until the server has answered. Says on stderr what is to be said. */
enum verdict prometheus_run(const struct options *options);

#endif
