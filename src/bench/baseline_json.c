/* SPDX-License-Identifier: MIT */
#include "bench/baseline.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/text.h"

static double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void copy_text(char *buf, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	text = text ? text : "unknown";
	text_escape(buf, BASELINE_TEXT_MAX, text, strlen(text));
}

int baseline_read(struct baseline *baseline, const char *path, const char **why)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	const json_t *latency = json_object_get(root, "latency_us");
	const json_t *environment = json_object_get(root, "environment");
	const char *mode = json_string_value(json_object_get(root, "mode"));

	if (!root || !mode || !json_is_number(json_object_get(root, "throughput_rps"))) {
		*why = root ? "is no result of ruptime-bench -J" : "cannot be read as JSON";
		json_decref(root);
		return -1;
	}
	*baseline = (struct baseline){
		.path = path,
		.open_loop = strcmp(mode, "open") == 0,
		.rate_rps = number(root, "requested_rps"),
		.throughput_rps = number(root, "throughput_rps"),
		.p50_us = number(latency, "p50"),
		.p99_us = number(latency, "p99"),
		.valid = json_is_true(json_object_get(root, "valid")),
	};
	copy_text(baseline->target, root, "target");
	copy_text(baseline->date, environment, "date");
	copy_text(baseline->kernel, environment, "kernel");
	json_decref(root);
	return 0;
}
