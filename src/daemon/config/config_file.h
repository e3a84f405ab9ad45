/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, see ruptimed.conf(5): options by their long names. Read by libconfuse; a
 * program that is built without it has none.
 */
#ifndef RUPTIME_DAEMON_CONFIG_CONFIG_FILE_H
#define RUPTIME_DAEMON_CONFIG_CONFIG_FILE_H

#include <stddef.h>

#include "daemon/config/given.h"

/*
 * Add what stands in the file at PATH, and in those that it includes, to LIST. The values are not
 * looked at. Main only: the parser is not reentrant.
 * Returns 0, or -1 with WHY, a line for people that begins with the file and the line where there
 * is one.
 */
int config_file_read(const char *path, struct given_list *list, char *why, size_t size);

#endif
