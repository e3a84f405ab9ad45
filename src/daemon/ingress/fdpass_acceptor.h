/* SPDX-License-Identifier: MIT */
/*
 * The thread that accepts connections at fdpass listeners, and receives the descriptor that each
 * client passes. A connection becomes a request when its descriptor has come.
 *
 * It is a thread of its own because to close a descriptor that a client has passed may take as
 * long as the owner of the file system behind it likes (fdpass_writer.h). Then the clients of
 * fdpass wait, and no others.
 */
#ifndef RUPTIME_DAEMON_INGRESS_FDPASS_ACCEPTOR_H
#define RUPTIME_DAEMON_INGRESS_FDPASS_ACCEPTOR_H

#include "daemon/ingress/ingress.h"

/* Start the thread; stop it with ingress_stop(). Returns 0, or -1 with errno. */
int fdpass_acceptor_start(struct ingress *ingress);

#endif
