/* SPDX-License-Identifier: MIT */
/*
 * The UDP receiver thread: takes datagrams from all UDP listeners, throws away what is not a
 * request or may not be answered, and queues the rest.
 */
#ifndef RUPTIME_DAEMON_INGRESS_UDP_RECEIVER_H
#define RUPTIME_DAEMON_INGRESS_UDP_RECEIVER_H

#include "daemon/ingress/ingress.h"

/* Start the thread; stop it with ingress_stop(). Returns 0, or -1 with errno. */
int udp_receiver_start(struct ingress *ingress);

#endif
