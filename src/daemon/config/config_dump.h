/* SPDX-License-Identifier: MIT */
/*
 * The configuration that is in force, in the form that config_file_read() reads.
 */
#ifndef RUPTIME_DAEMON_CONFIG_CONFIG_DUMP_H
#define RUPTIME_DAEMON_CONFIG_CONFIG_DUMP_H

#include <stdio.h>

#include "daemon/config/given.h"

/* Each option with its values in LIST, of which the last counts, and where each is from. */
void config_dump(const struct given_list *list, FILE *out);

#endif
