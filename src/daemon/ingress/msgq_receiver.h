/* SPDX-License-Identifier: MIT */
/*
 * A msgq-K thread: makes one XSI queue, which cannot be polled, into datagrams on a socket, which
 * can. It blocks in msgrcv() while there is nothing, and in sendmmsg() while the dispatcher has no
 * room; then messages stay in the queue, and in the end their senders wait.
 *
 * Each datagram is the used part of a struct msgq_message. An empty one is the last.
 */
#ifndef RUPTIME_DAEMON_INGRESS_MSGQ_RECEIVER_H
#define RUPTIME_DAEMON_INGRESS_MSGQ_RECEIVER_H

#include <stdbool.h>

#include "daemon/listen/msgq.h"

struct msgq_receiver;

/* MSGQ is borrowed; takes WRITE_FD. NUMBER goes into the thread's name. NULL with errno. */
struct msgq_receiver *msgq_receiver_start(struct msgq *msgq, int write_fd, unsigned number);

/*
 * Receive what is there, unless another thread is to (LEAVE), and send the last datagram. Returns
 * at once. To be called again after a moment, until that datagram has come: the thread may not have
 * noticed (interrupt.h).
 */
void msgq_receiver_request_stop(struct msgq_receiver *receiver, bool leave);

/* After the last datagram: wait for the thread and free RECEIVER. */
void msgq_receiver_join(struct msgq_receiver *receiver);

#endif
