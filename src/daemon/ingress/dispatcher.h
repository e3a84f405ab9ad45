/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher thread: polls the sockets behind all XSI queues, queues requests for a line, and
 * prints and logs every other message. Starts and stops the msgq-K threads that feed it.
 */
#ifndef RUPTIME_DAEMON_INGRESS_DISPATCHER_H
#define RUPTIME_DAEMON_INGRESS_DISPATCHER_H

#include "daemon/ingress/ingress.h"

/* Start the threads; stop them with ingress_stop(). Returns 0, or -1 with errno. */
int dispatcher_start(struct ingress *dispatcher);

#endif
