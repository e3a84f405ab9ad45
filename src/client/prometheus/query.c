/* SPDX-License-Identifier: MIT */
#include "client/prometheus/query.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/prometheus/file_sd.h"
#include "common/text.h"

#define OURS "ruptimed_host_"
#define NODE "node_"

/* All metrics at once: one question, one moment. */
static const char selector[] =
	"{__name__=~\"up|ruptimed_host_(uptime_seconds|users|load1|load5|load15)|"
	"node_(boot_time_seconds|load1|load5|load15)\"";

char *query_make(const char *matchers)
{
	size_t len = strlen(matchers);
	const size_t room = sizeof(selector) + len + 4;
	char *query = malloc(room);

	if (!query) {
		return NULL;
	}
	/* A user may write the braces, too. */
	if (len >= 2 && matchers[0] == '{' && matchers[len - 1] == '}') {
		matchers++;
		len -= 2;
	}
	snprintf(query, room, "%s%s%.*s}", selector, len ? "," : "", (int)len, matchers);
	return query;
}

void query_hosts_fini(struct query_hosts *hosts)
{
	free(hosts->list);
	targets_fini(&hosts->targets);
	hosts->list = NULL;
}

/* A new host. Returns its place, or SIZE_MAX without memory. */
static size_t add_host(struct query_hosts *hosts, const char *name)
{
	struct targets *targets = &hosts->targets;
	size_t at = targets->count;

	if (targets->count == targets->room) {
		size_t room = targets->room ? 2 * targets->room : 64;
		struct target *list = reallocarray(targets->list, room, sizeof(*list));
		struct query_host *host_list;

		if (!list) {
			return SIZE_MAX;
		}
		targets->list = list;
		host_list = reallocarray(hosts->list, room, sizeof(*host_list));
		if (!host_list) {
			return SIZE_MAX;
		}
		hosts->list = host_list;
		targets->room = room;
	}
	targets->list[at] = (struct target){ .text = strdup(name) };
	if (!targets->list[at].text) {
		return SIZE_MAX;
	}
	hosts->list[at] = (struct query_host){ .facts = { .uptime_s = -1, .users = -1 } };
	targets->count++;
	return at;
}

/* The host that METRIC is of, by its label or its instance. Returns NULL if it has no name. */
static struct query_host *find_host(struct query_hosts *hosts, json_t *places, const json_t *metric)
{
	const char *name = json_string_value(json_object_get(metric, FILE_SD_LABEL));
	json_t *place;
	size_t at;

	if (!name) {
		name = json_string_value(json_object_get(metric, "instance"));
	}
	if (!name) {
		return NULL;
	}
	place = json_object_get(places, name);
	if (place) {
		return &hosts->list[json_integer_value(place)];
	}
	at = add_host(hosts, name);
	if (at == SIZE_MAX || json_object_set_new(places, name, json_integer((json_int_t)at)) < 0) {
		return NULL;
	}
	return &hosts->list[at];
}

/* "load1", "load5" or "load15". Returns its place, or -1. */
static int load_of(const char *name)
{
	static const char *const names[UPTIME_LINE_LOADS] = { "load1", "load5", "load15" };

	for (int i = 0; i < UPTIME_LINE_LOADS; i++) {
		if (strcmp(name, names[i]) == 0) {
			return i;
		}
	}
	return -1;
}

static void take_fact(struct query_host *host, const char *name, double value, double now)
{
	int load = load_of(name);

	if (load >= 0) {
		host->facts.loads[load] = value;
		host->has_load[load] = true;
	} else if (strcmp(name, "uptime_seconds") == 0) {
		host->facts.uptime_s = (int64_t)value;
	} else if (strcmp(name, "boot_time_seconds") == 0) {
		host->facts.uptime_s = now > value ? (int64_t)(now - value) : 0;
	} else if (strcmp(name, "users") == 0) {
		host->facts.users = (int64_t)value;
	}
}

/* One of the results: a metric, and its value at a moment. */
static void take_result(struct query_hosts *hosts, json_t *places, const json_t *result)
{
	const json_t *metric = json_object_get(result, "metric");
	const json_t *pair = json_object_get(result, "value");
	const char *name = json_string_value(json_object_get(metric, "__name__"));
	const char *text = json_string_value(json_array_get(pair, 1));
	struct query_host *host = name && text ? find_host(hosts, places, metric) : NULL;
	double value = text ? strtod(text, NULL) : NAN;

	if (!host || !isfinite(value) || fabs(value) > 1e15) {
		return;
	}
	if (strcmp(name, "up") == 0) {
		/* Several jobs may scrape it: it is up if any of them can. */
		host->is_up = host->is_up || value == 1;
		host->has_up = true;
	} else if (strncmp(name, OURS, strlen(OURS)) == 0) {
		take_fact(host, name + strlen(OURS), value, 0);
		host->has_facts = true;
	} else if (strncmp(name, NODE, strlen(NODE)) == 0 && !host->has_facts) {
		take_fact(host, name + strlen(NODE), value,
			json_number_value(json_array_get(pair, 0)));
	}
}

static void finish(struct query_hosts *hosts)
{
	for (size_t i = 0; i < hosts->targets.count; i++) {
		struct query_host *host = &hosts->list[i];

		host->facts.has_loads = host->has_load[0] && host->has_load[1] && host->has_load[2];
		/* Where the server says nothing, it has metrics, and they are not stale. */
		host->is_up = host->has_up ? host->is_up : true;
	}
}

static int refuse(char *error, size_t size, const char *reason)
{
	text_escape(error, size, reason, strlen(reason));
	return -1;
}

int query_read(const char *json, struct query_hosts *hosts, char *error, size_t size)
{
	json_t *root = json_loads(json, 0, NULL);
	const char *why = json_string_value(json_object_get(root, "error"));
	const json_t *results = json_object_get(json_object_get(root, "data"), "result");
	json_t *places = json_object();
	const json_t *result;
	size_t i;
	int outcome = 0;

	*hosts = (struct query_hosts){ .list = NULL };
	if (!json_is_array(results) || !places) {
		outcome = refuse(error, size, why ? why : "");
	} else {
		json_array_foreach (results, i, result) {
			take_result(hosts, places, result);
		}
		finish(hosts);
	}
	json_decref(places);
	json_decref(root);
	return outcome;
}
