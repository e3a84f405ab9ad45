/* SPDX-License-Identifier: MIT */
/*
 * Ask one host and print its line as it has come. For main.
 */
#ifndef RUPTIME_CLIENT_SINGLE_H
#define RUPTIME_CLIENT_SINGLE_H

#include "client/hosts/targets.h"
#include "client/options.h"
#include "client/verdict.h"

/* Ask the only one of TARGETS. Blocks until it is done. Says on stderr what is to be said. */
enum verdict single_run(const struct options *options, const struct targets *targets);

#endif
