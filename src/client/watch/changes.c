/* SPDX-License-Identifier: MIT */
#include "client/watch/changes.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"

/* To what uptimes are cut. */
#define RESOLUTION_S 60

int changes_init(struct changes *changes, size_t count)
{
	changes->count = count;
	changes->hosts = calloc(count ? count : 1, sizeof(*changes->hosts));
	return changes->hosts ? 0 : -1;
}

void changes_fini(struct changes *changes)
{
	free(changes->hosts);
	changes->hosts = NULL;
}

static bool was_rebooted(const struct changes_host *host, const struct report_row *row,
	uint64_t now_ns)
{
	int64_t uptime_s = row->facts.uptime_s;
	int64_t unseen_s = (int64_t)((now_ns - host->seen_up_ns) / CLOCK_S);

	if (uptime_s < 0 || host->uptime_s < 0) {
		return false;
	}
	return uptime_s + RESOLUTION_S <= host->uptime_s || uptime_s + RESOLUTION_S < unseen_s;
}

static enum change find_change(const struct changes_host *host, const struct report_row *row,
	uint64_t now_ns)
{
	if (host->state == REPORT_UNKNOWN) {
		return CHANGE_NONE;
	}
	if (row->state == REPORT_DOWN) {
		return host->state == REPORT_UP ? CHANGE_DOWN : CHANGE_NONE;
	}
	if (host->seen_up_ns && was_rebooted(host, row, now_ns)) {
		return CHANGE_REBOOTED;
	}
	return host->state == REPORT_DOWN ? CHANGE_BACK : CHANGE_NONE;
}

enum change changes_note(struct changes *changes, size_t at, const struct report_row *row,
	uint64_t now_ns, time_t wall)
{
	struct changes_host *host = &changes->hosts[at];
	enum change change = find_change(host, row, now_ns);
	bool up = row->state == REPORT_UP;

	if (host->state != row->state || change == CHANGE_REBOOTED) {
		host->since = wall;
	}
	host->state = row->state;
	if (change != CHANGE_NONE) {
		host->last = change;
	}
	if (up) {
		host->seen_up_ns = now_ns;
		host->uptime_s = row->facts.uptime_s;
	}
	host->loads[host->rounds++ % CHANGES_HISTORY] =
		up && row->facts.has_loads ? (float)row->facts.loads[0] : NAN;
	return change;
}

void changes_clear(struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		changes->hosts[i].last = CHANGE_NONE;
	}
}

const char *change_name(enum change change)
{
	static const char *const names[] = { "", "down", "back", "rebooted" };

	return names[change];
}

float changes_load(const struct changes *changes, size_t at, unsigned ago)
{
	const struct changes_host *host = &changes->hosts[at];

	if (ago >= host->rounds || ago >= CHANGES_HISTORY) {
		return NAN;
	}
	return host->loads[(host->rounds - 1 - ago) % CHANGES_HISTORY];
}
