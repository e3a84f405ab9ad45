/* SPDX-License-Identifier: MIT */
/* The filters that refuse what is known to be dangerous, and let through what else there is. */
#ifndef RUPTIME_DAEMON_SANDBOX_DENY_LIST_H
#define RUPTIME_DAEMON_SANDBOX_DENY_LIST_H

#include "daemon/sandbox/roles.h"
#include "daemon/sandbox/rules.h"

/* Refuse what ROLE has no need for. To be called in the process that is to be the server. */
void deny_list_make(struct rules *rules, enum sandbox_role role);

#endif
