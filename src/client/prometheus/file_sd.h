/* SPDX-License-Identifier: MIT */
/*
 * Targets for Prometheus: what its file_sd_configs reads.
 */
#ifndef RUPTIME_CLIENT_PROMETHEUS_FILE_SD_H
#define RUPTIME_CLIENT_PROMETHEUS_FILE_SD_H

#include <stddef.h>
#include <stdio.h>

#include "client/hosts/targets.h"

/* The label that holds the address as it was named. */
#define FILE_SD_LABEL "ruptime_target"

/*
 * Write TARGETS to OUT: the hosts with PORT in place of their own, each with its label. What has no
 * host, such as a UNIX socket, cannot be scraped: it is left out, and counted in *LEFT_OUT.
 */
void file_sd_write(const struct targets *targets, unsigned port, FILE *out, size_t *left_out);

#endif
