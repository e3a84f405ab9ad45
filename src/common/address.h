/* SPDX-License-Identifier: MIT */
/*
 * Addresses: SCHEME://REST[?key=value&...], the one syntax of all programs, files and logs.
 *
 *	tcp://HOST:PORT			udp://HOST:PORT
 *	unix:///PATH			unix-seqpacket:///PATH		unix-dgram:///PATH
 *	msgq://KEY			fdpass:///PATH
 *
 * HOST is '*' (every local address), a name, an IPv4 address or an IPv6 address in brackets.
 * PORT is a number or a service name; left out with its colon it means the default port, see
 * resolve_port(). KEY is decimal or hexadecimal (0x...). The keys mode, user and group go with
 * what has a file's permissions: all UNIX sockets take the three of them, msgq takes mode.
 *
 * Nothing here touches the system: no name is looked up and no file is opened. Thread-safe.
 */
#ifndef RUPTIME_COMMON_ADDRESS_H
#define RUPTIME_COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_HOST_MAX  255		/* RFC 1035: 253, and room for an IPv6 scope */
#define ADDRESS_PORT_MAX  32		/* the longest service name we take */
#define ADDRESS_PATH_MAX  107		/* sockaddr_un.sun_path less its NUL */
#define ADDRESS_OWNER_MAX 32		/* Linux: the longest user or group name */
#define ADDRESS_KEY_MAX	  0x3fffffffu	/* bit 30 marks the reply queue */
#define ADDRESS_TEXT_MAX  384		/* enough for any formatted address and its NUL */
#define ADDRESS_MODE_NONE (-1)

enum address_scheme {
	ADDRESS_TCP,
	ADDRESS_UDP,
	ADDRESS_UNIX,
	ADDRESS_UNIX_SEQPACKET,
	ADDRESS_UNIX_DGRAM,
	ADDRESS_MSGQ,
	ADDRESS_FDPASS,
};
#define ADDRESS_SCHEMES 7

struct address {
	enum address_scheme scheme;
	char host[ADDRESS_HOST_MAX + 1];    /* tcp, udp; "" means '*' */
	char port[ADDRESS_PORT_MAX + 1];    /* tcp, udp; as written, "" means the default */
	char path[ADDRESS_PATH_MAX + 1];    /* unix*, fdpass; absolute */
	uint32_t key;			    /* msgq */
	int mode;			    /* permission bits, or ADDRESS_MODE_NONE */
	char user[ADDRESS_OWNER_MAX + 1];   /* "" when not given */
	char group[ADDRESS_OWNER_MAX + 1];  /* "" when not given */
};

/*
 * Parse the LEN bytes at TEXT, which need no NUL behind them.
 *
 * Returns 0, or -1 with errno EINVAL and *WHY pointing at a constant sentence fragment that fits
 * behind the offending text ("tcp://h:99999: the port is not a number from 0 to 65535").
 */
int address_parse(struct address *address, const char *text, size_t len, const char **why);

/*
 * The same for a program that asks instead of listening: HOST and HOST:PORT are short for BARE (tcp
 * or udp), and '*' is refused.
 */
int address_parse_target(struct address *address, enum address_scheme bare, const char *text,
	size_t len, const char **why);

/*
 * Write ADDRESS in its canonical form into BUF, always ended by a NUL when SIZE is not 0.
 * Parsing what was written gives an equal address.
 *
 * Returns the length without the NUL, as snprintf() does; ADDRESS_TEXT_MAX bytes always suffice.
 */
size_t address_format(const struct address *address, char *buf, size_t size);

bool address_equal(const struct address *a, const struct address *b);

/* The scheme's name, without "://". */
const char *address_scheme_name(enum address_scheme scheme);

/* Does the scheme name a host and a port? */
bool address_is_inet(const struct address *address);

#endif
