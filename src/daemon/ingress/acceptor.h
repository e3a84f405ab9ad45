/* SPDX-License-Identifier: MIT */
/*
 * The acceptor thread takes connections from all stream listeners and queues them, but for those
 * that bring descriptors. These are the porter's, who is the same for them: to let go of what came
 * with a message may take as long as whoever sent it likes, see fdpass_writer.h.
 */
#ifndef RUPTIME_DAEMON_INGRESS_ACCEPTOR_H
#define RUPTIME_DAEMON_INGRESS_ACCEPTOR_H

#include "daemon/ingress/ingress.h"

/* Start the thread; stop it with ingress_stop(). Returns 0, or -1 with errno. */
int acceptor_start(struct ingress *acceptor);
int porter_start(struct ingress *porter);

#endif
