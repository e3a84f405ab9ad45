/* SPDX-License-Identifier: MIT */
/*
 * Fetch a document over HTTP. For one thread.
 */
#ifndef RUPTIME_CLIENT_PROMETHEUS_HTTP_H
#define RUPTIME_CLIENT_PROMETHEUS_HTTP_H

#include <stddef.h>
#include <stdint.h>

/* The longest document that is taken. */
#define HTTP_BYTES_MAX (256ul << 20)

#define HTTP_ERROR_BYTES 512

/*
 * GET BASE + PATH + VALUE, the value escaped. Connecting may take CONNECT_NS.
 * Returns what came, with a NUL behind it, for free(); or NULL with the reason in ERROR, of
 * HTTP_ERROR_BYTES. A status that is no success is for the caller: *STATUS.
 */
char *http_get(const char *base, const char *path, const char *value, uint64_t connect_ns,
	long *status, char *error);

#endif
