/* SPDX-License-Identifier: MIT */
/*
 * What a UDP socket has that others have not. Nothing blocks. Thread-safe.
 */
#ifndef RUPTIME_DAEMON_LISTEN_UDP_SOCKET_H
#define RUPTIME_DAEMON_LISTEN_UDP_SOCKET_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The receive buffer that is asked for, as it is asked for. */
#define UDP_SOCKET_BUFFER_BYTES (4 << 20)

/* So many of one byte fit: the kernel charges 832 bytes for each, and allows twice what it says. */
#define UDP_SOCKET_DATAGRAMS (UDP_SOCKET_BUFFER_BYTES / 416)

/*
 * Make FD ready to be bound to INFO's address: a large buffer, and, for an address that means all
 * of ours, word with each datagram of which one was asked.
 * Returns 0, or -1 with errno; EADDRNOTAVAIL for an address that means more hosts than this one.
 */
int udp_socket_prepare(int fd, const struct addrinfo *info);

/*
 * The receive buffer it has got, which may be smaller where its user lacks a privilege and
 * net.core.rmem_max is small. Returns -1 with errno.
 */
int udp_socket_buffer_bytes(int fd);

/*
 * Could its receive buffer, were it made smaller, be made as large again by us as we will be? Opens
 * a socket for a moment.
 */
bool udp_socket_may_shrink(int fd);

/* Let the kernel keep room for some COUNT datagrams. What it has stays. */
void udp_socket_limit(int fd, size_t count);

/*
 * How many datagrams the kernel has thrown away at FD, nearly all of them for want of room in the
 * buffer: what SO_RXQ_OVFL would tell with each datagram, had for the asking. Counts modulo 2^32;
 * 0 if the kernel does not tell.
 */
uint32_t udp_socket_kernel_drops(int fd);

#endif
