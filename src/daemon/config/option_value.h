/* SPDX-License-Identifier: MIT */
/*
 * From the text of an option to the setting that it makes.
 */
#ifndef RUPTIME_DAEMON_CONFIG_OPTION_VALUE_H
#define RUPTIME_DAEMON_CONFIG_OPTION_VALUE_H

#include <stddef.h>

#include "daemon/config/given.h"
#include "daemon/settings.h"

/*
 * Set what GIVEN says, or add it to what there is of a list. Looks up the names of services.
 * Returns 0, or -1 with WHY, a line for people that says where it was given.
 */
int option_value_set(struct settings *settings, const struct given *given, char *why, size_t size);

#endif
