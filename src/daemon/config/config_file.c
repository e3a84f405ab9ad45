/* SPDX-License-Identifier: MIT */
#include "daemon/config/config_file.h"

#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/io.h"
#include "daemon/config/config_text.h"
#include "daemon/config/option_table.h"

#define OPTIONS_MAX 64

/* Files that are read at a time or one after the other, each time that they are included. */
#define SOURCES_MAX 64
#define SOURCE_NAME "/proc/self/fd/"

static struct {
	int copy_fd;
	char path[PATH_MAX];
} sources[SOURCES_MAX];
static unsigned source_count;

/* The parser calls back without a word of ours: what it found, and what was wrong first. */
static struct given_list found;
static char *complaint;
static size_t complaint_bytes;

/* The file that a copy is of. */
static const char *file_of(const cfg_t *cfg)
{
	int copy_fd = -1;

	(void)sscanf(cfg->filename, SOURCE_NAME "%d", &copy_fd);
	for (unsigned i = 0; i < source_count; i++) {
		if (sources[i].copy_fd == copy_fd) {
			return sources[i].path;
		}
	}
	return cfg->filename;
}

static void complain(const char *file, int line, const char *text)
{
	if (!complaint[0] && line) {
		snprintf(complaint, complaint_bytes, "%s:%d: %s", file, line, text);
	} else if (!complaint[0]) {
		snprintf(complaint, complaint_bytes, "%s: %s", file, text);
	}
}

__attribute__((format(printf, 2, 0)))
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, args);
	complain(file_of(cfg), cfg->line, text);
}

static int key_of(const char *name)
{
	for (unsigned i = 0; i < option_count; i++) {
		if (strcmp(option_table[i].cli.name, name) == 0) {
			return option_table[i].cli.key;
		}
	}
	return 0;
}

static const char *parse_flag(const char *text)
{
	switch (cfg_parse_boolean(text)) {
	case 0:
		return "false";
	case 1:
		return "true";
	default:
		return NULL;
	}
}

/* Each value, in the order of the file. */
static int on_value(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	const struct option_entry *entry = option_of(key_of(option->name));
	const char *text = entry->cli.argument ? value : parse_flag(value);
	struct given given = {
		.key = entry->cli.key,
		.source = GIVEN_FILE,
		.text = (char *)(uintptr_t)text,
		.file = (char *)(uintptr_t)file_of(cfg),
		.line = (unsigned)cfg->line,
	};

	if (!text) {
		cfg_error(cfg, "%s = %s: neither true nor false", option->name, value);
		return -1;
	}
	if (given_add(&found, &given) < 0) {
		cfg_error(cfg, "%s", strerror(errno));
		return -1;
	}
	*(const char **)result = text;
	return 0;
}

/*
 * The parser gets a copy of each file, which it opens by this name: it would end the program if it
 * could not read. Returns 0, or -1 with errno.
 */
static int open_source(const char *path, char *name, size_t size)
{
	if (source_count == SOURCES_MAX) {
		errno = EMFILE;
		return -1;
	}
	sources[source_count].copy_fd = config_text_open(path);
	if (sources[source_count].copy_fd < 0) {
		return -1;
	}
	snprintf(sources[source_count].path, sizeof(sources[0].path), "%s", path);
	snprintf(name, size, SOURCE_NAME "%d", sources[source_count].copy_fd);
	source_count++;
	return 0;
}

static void close_sources(void)
{
	while (source_count > 0) {
		io_close(&sources[--source_count].copy_fd);
	}
}

/* A path that is not absolute starts where the file is that includes it. */
static int on_include(cfg_t *cfg, cfg_opt_t *option, int count, const char **arguments)
{
	const char *file = file_of(cfg);
	const char *slash = strrchr(file, '/');
	char path[PATH_MAX];
	char name[64];
	const char *there = name;
	int len;

	if (count != 1) {
		cfg_error(cfg, "include() takes one file");
		return 1;
	}
	len = arguments[0][0] == '/'
		      ? snprintf(path, sizeof(path), "%s", arguments[0])
		      : snprintf(path, sizeof(path), "%.*s%s", (int)(slash - file) + 1, file,
				arguments[0]);
	errno = ENAMETOOLONG;
	if (len >= (int)sizeof(path) || open_source(path, name, sizeof(name)) < 0) {
		cfg_error(cfg, "%s: %s", arguments[0], strerror(errno));
		return 1;
	}
	return cfg_include(cfg, option, 1, &there);
}

static void fill_options(cfg_opt_t *options)
{
	unsigned count = 0;

	for (unsigned i = 0; i < option_count && count < OPTIONS_MAX; i++) {
		const struct option_entry *entry = &option_table[i];

		if (entry->kind == OPTION_LIST) {
			options[count++] = (cfg_opt_t)CFG_STR_LIST_CB(entry->cli.name, NULL,
				CFGF_NODEFAULT, on_value);
		} else if (entry->kind == OPTION_ONCE) {
			options[count++] = (cfg_opt_t)CFG_STR_CB(entry->cli.name, NULL,
				CFGF_NODEFAULT, on_value);
		}
	}
	options[count++] = (cfg_opt_t)CFG_FUNC("include", on_include);
	options[count] = (cfg_opt_t)CFG_END();
}

/* Where a value stood that is one in the end: "=" replaces what came before it. */
static const struct given *find(int key, const char *text)
{
	for (unsigned i = found.count; i > 0; i--) {
		if (found.all[i - 1].key == key && strcmp(found.all[i - 1].text, text) == 0) {
			return &found.all[i - 1];
		}
	}
	return NULL;
}

static int collect(cfg_t *cfg, const cfg_opt_t *options, struct given_list *list)
{
	for (const cfg_opt_t *option = options; option->name; option++) {
		int key = key_of(option->name);
		cfg_opt_t *parsed = cfg_getopt(cfg, option->name);

		for (unsigned i = 0; key && i < cfg_opt_size(parsed); i++) {
			const char *text = cfg_opt_getnstr(parsed, i);
			const struct given *given = text ? find(key, text) : NULL;

			if (given && given_add(list, given) < 0) {
				return -1;
			}
		}
	}
	return 0;
}

int config_file_read(const char *path, struct given_list *list, char *why, size_t size)
{
	cfg_opt_t options[OPTIONS_MAX + 2];
	char name[64];
	cfg_t *cfg;

	complaint = why;
	complaint_bytes = size;
	complaint[0] = '\0';
	fill_options(options);
	cfg = cfg_init(options, CFGF_NONE);
	if (!cfg || open_source(path, name, sizeof(name)) < 0) {
		complain(path, 0, strerror(errno));
		goto out;
	}
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse(cfg, name) != CFG_SUCCESS) {
		complain(path, 0, "it cannot be read");
	} else if (collect(cfg, options, list) < 0) {
		complain(path, 0, strerror(errno));
	}
out:
	given_clear(&found);
	close_sources();
	if (cfg) {
		cfg_free(cfg);
	}
	return complaint[0] ? -1 : 0;
}
