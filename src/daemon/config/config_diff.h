/* SPDX-License-Identifier: MIT */
/*
 * What a new configuration changes.
 */
#ifndef RUPTIME_DAEMON_CONFIG_CONFIG_DIFF_H
#define RUPTIME_DAEMON_CONFIG_CONFIG_DIFF_H

#include <stddef.h>

#include "daemon/config/given.h"

/*
 * Write to BUF a line for each option but `listen` whose value is another in AFTER than in BEFORE,
 * "NAME = VALUE, was VALUE", with a line feed between them. An option that takes a restart says so.
 * What does not fit is left out.
 */
void config_diff(const struct given_list *before, const struct given_list *after, char *buf,
	size_t size);

#endif
