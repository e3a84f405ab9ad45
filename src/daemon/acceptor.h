/* SPDX-License-Identifier: MIT */
/*
 * The acceptor thread: takes connections from all stream listeners and queues them.
 */
#ifndef RUPTIME_DAEMON_ACCEPTOR_H
#define RUPTIME_DAEMON_ACCEPTOR_H

#include "daemon/ingress.h"

/* Start the thread; stop it with ingress_stop(). Returns 0, or -1 with errno. */
int acceptor_start(struct ingress *acceptor);

#endif
