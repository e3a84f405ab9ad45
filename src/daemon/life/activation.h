/* SPDX-License-Identifier: MIT */
/*
 * Sockets that a service manager has opened for us, by the protocol of sd_listen_fds(3): LISTEN_PID
 * says that they are ours, LISTEN_FDS how many there are from descriptor 3 on, LISTEN_FDNAMES what
 * they are called. Main only.
 */
#ifndef RUPTIME_DAEMON_LIFE_ACTIVATION_H
#define RUPTIME_DAEMON_LIFE_ACTIVATION_H

#define ACTIVATION_FIRST_FD 3
#define ACTIVATION_MAX	    256

/*
 * Take them: they become close-on-exec, and the environment tells of them no more. Returns how many
 * there are, or -1 with errno: EINVAL if the environment says nonsense, EBADF if one of them is not
 * open.
 */
int activation_take(void);

/* How many were taken, and what the one with NUMBER is called; "" if nothing is said. */
unsigned activation_count(void);
const char *activation_name(unsigned number);

#endif
