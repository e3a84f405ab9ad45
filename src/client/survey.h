/* SPDX-License-Identifier: MIT */
/*
 * Ask all hosts, once or a number of times, and show what has come of it: the table, JSON, CSV.
 *
 * For main.
 */
#ifndef RUPTIME_CLIENT_SURVEY_H
#define RUPTIME_CLIENT_SURVEY_H

#include "client/hosts/targets.h"
#include "client/options.h"
#include "client/verdict.h"

/* Blocks until all is done. Says on stderr what is to be said. */
enum verdict survey_run(const struct options *options, const struct targets *targets);

#endif
