/* SPDX-License-Identifier: MIT */
/* In place of prometheus.c, where libcurl or jansson is missing. */
#include "client/prometheus/prometheus.h"

enum verdict prometheus_run(const struct options *options)
{
	(void)options;
	cli_complain(&client_options_cli, "--prometheus: this build has no libcurl or no jansson");
	return VERDICT_USAGE;
}
