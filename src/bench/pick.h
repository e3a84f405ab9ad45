/* SPDX-License-Identifier: MIT */
/*
 * Which of a name's addresses serves? They are tried in turn, each 250 ms after the one before or
 * as soon as that has failed, with the two families alternating; the first one that answers wins
 * (RFC 8305, section 5).
 */
#ifndef RUPTIME_BENCH_PICK_H
#define RUPTIME_BENCH_PICK_H

#include <netdb.h>

#define PICK_MAX 16

enum pick_outcome {
	PICK_NONE,		/* none of them answers */
	PICK_CONNECTED,		/* streams */
	PICK_PLAIN,		/* datagrams: answered, not by the extended dialect */
	PICK_EXTENDED,		/* datagrams: answered an extended request */
};

/*
 * Race the addresses of LIST, whose sockets are of SOCKTYPE, PICK_MAX of them at most. Blocks
 * until one has answered: 300 ms (datagrams) or a second (streams) after the last was tried at
 * the latest. *WINNER is the one that has, or the first of LIST.
 */
enum pick_outcome pick_address(const struct addrinfo *list, int socktype,
	const struct addrinfo **winner);

#endif
