/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them: 4096, 10k, 2M; 250ms, 1.5s, 2m. Thread-safe, no locale.
 */
#ifndef RUPTIME_COMMON_UNITS_H
#define RUPTIME_COMMON_UNITS_H

#include <stdint.h>

/*
 * A count with an optional k (1,000) or M (1,000,000) behind it.
 * Returns 0, or -1 with errno EINVAL (not a count) or ERANGE (not from MIN to MAX).
 */
int units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count);

/*
 * The number of a user or a group: decimal digits, without a unit. One that no id can hold does not
 * turn into another, least of all into root's. Returns 0, or -1 with errno EINVAL.
 */
int units_parse_id(const char *text, uint32_t *id);

/*
 * A duration with us, ms, s, m (or min) or h behind it, a decimal point allowed; a bare number is
 * seconds. Returns 0, or -1 with errno EINVAL (not a duration) or ERANGE (more than a year).
 */
int units_parse_duration(const char *text, uint64_t *ns);

#endif
