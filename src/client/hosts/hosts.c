/* SPDX-License-Identifier: MIT */
#include "client/hosts/hosts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/hosts/range.h"

/* Groups in groups. */
#define DEPTH_MAX 32

struct gathering {
	struct hosts *hosts;
	struct targets *targets;
	const struct hosts_word *word;	/* that is being expanded */
	const char *why;
};

static int complain(struct hosts *hosts, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int complain(struct hosts *hosts, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(hosts->error, sizeof(hosts->error), format, args);
	va_end(args);
	return -1;
}

/* "FILE:LINE: TEXT: WHY", or without the place if TEXT is not from a file. */
static int complain_of(struct hosts *hosts, const struct hosts_word *word, const char *why)
{
	if (word->origin.file) {
		return complain(hosts, "%s:%u: %.*s: %s", word->origin.file, word->origin.line,
			(int)word->len, word->at, why);
	}
	return complain(hosts, "%.*s: %s", (int)word->len, word->at, why);
}

static int complain_memory(struct hosts *hosts)
{
	return complain(hosts, "%s", strerror(ENOMEM));
}

static int read_file(struct hosts *hosts, const char *path)
{
	unsigned line;
	const char *why;
	struct hosts_file *file;
	int result;

	if (hosts->file_count == HOSTS_FILES_MAX) {
		return complain(hosts, "%s: more than %d files", path, HOSTS_FILES_MAX);
	}
	file = &hosts->files[hosts->file_count++];
	result = hosts_file_read(file, path, &line, &why);
	if (result < 0) {
		return complain(hosts, "%s: %s", path, strerror(errno));
	}
	return result == 0 ? 0 : complain(hosts, "%s:%u: %s", file->name, line, why);
}

/* A file that is not there, or not for us, is none. */
static int read_default(struct hosts *hosts, const char *path)
{
	return access(path, R_OK) < 0 ? 0 : read_file(hosts, path);
}

static int read_defaults(struct hosts *hosts)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	if (hosts->has_defaults) {
		return 0;
	}
	hosts->has_defaults = true;
	if (home && home[0] &&
	    snprintf(path, sizeof(path), "%s/%s", home, HOSTS_USER_FILE) < (int)sizeof(path) &&
	    read_default(hosts, path) < 0) {
		return -1;
	}
	return read_default(hosts, HOSTS_SYSTEM_FILE);
}

static struct hosts_group *find_group(struct hosts *hosts, const char *name, size_t len)
{
	for (unsigned i = 0; i < hosts->file_count; i++) {
		for (size_t j = 0; j < hosts->files[i].group_count; j++) {
			struct hosts_group *group = &hosts->files[i].groups[j];

			if (group->name.len == len && memcmp(group->name.at, name, len) == 0) {
				return group;
			}
		}
	}
	return NULL;
}

static int take_name(void *context, const char *name, size_t len)
{
	struct gathering *gathering = context;

	(void)len;
	return targets_add(gathering->targets, name, &gathering->why);
}

static int take_words(struct gathering *gathering, const struct hosts_words *words,
	unsigned depth);

static int take_group(struct gathering *gathering, const struct hosts_word *word, unsigned depth)
{
	struct hosts *hosts = gathering->hosts;
	struct hosts_group *group = find_group(hosts, word->at + 1, word->len - 1);
	int result;

	if (!group) {
		if (read_defaults(hosts) < 0) {
			return -1;
		}
		group = find_group(hosts, word->at + 1, word->len - 1);
	}
	if (!group) {
		return complain_of(hosts, word, "no hosts file defines such a group");
	}
	if (group->expanding || depth == DEPTH_MAX) {
		return complain_of(hosts, word, "the group holds itself");
	}
	group->expanding = true;
	result = take_words(gathering, &group->members, depth + 1);
	group->expanding = false;
	return result;
}

static int take_words(struct gathering *gathering, const struct hosts_words *words, unsigned depth)
{
	for (size_t i = 0; i < words->count; i++) {
		const struct hosts_word *word = &words->list[i];
		const char *why;

		if (word->at[0] == '@') {
			if (take_group(gathering, word, depth) < 0) {
				return -1;
			}
		} else if (range_expand(word->at, word->len, take_name, gathering, &why) < 0) {
			return complain_of(gathering->hosts, word, why ? why : gathering->why);
		}
	}
	return 0;
}

/* Does any of WORDS name a group? */
static bool names_group(const struct hosts_words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		if (words->list[i].at[0] == '@') {
			return true;
		}
	}
	return false;
}

/*
 * The hosts of a file: its words, or, if it has none, all that its groups hold, unless the command
 * line has chosen groups.
 */
static int take_file(struct gathering *gathering, struct hosts_file *file)
{
	gathering->hosts->from_file = true;
	if (file->words.count || names_group(&gathering->hosts->words)) {
		return take_words(gathering, &file->words, 0);
	}
	for (size_t i = 0; i < file->group_count; i++) {
		if (take_words(gathering, &file->groups[i].members, 0) < 0) {
			return -1;
		}
	}
	return 0;
}

/* No host is named: look into the environment and the default files. */
static int take_defaults(struct gathering *gathering)
{
	static const struct hosts_origin nowhere = { NULL, 0 };
	struct hosts *hosts = gathering->hosts;
	const char *text = getenv(HOSTS_VARIABLE);

	if (text && hosts_words_split(&hosts->words, text, strlen(text), nowhere) < 0) {
		return complain_memory(hosts);
	}
	if (hosts->words.count) {
		return take_words(gathering, &hosts->words, 0);
	}
	if (read_defaults(hosts) < 0) {
		return -1;
	}
	if (hosts->file_count) {
		return take_file(gathering, &hosts->files[0]);
	}
	return targets_add(gathering->targets, "localhost", &gathering->why) < 0
		       ? complain(hosts, "localhost: %s", gathering->why)
		       : 0;
}

int hosts_gather(struct hosts *hosts, struct targets *targets, char *const *words,
	unsigned word_count, const char *const *paths, unsigned path_count)
{
	static const struct hosts_origin command_line = { NULL, 0 };
	struct gathering gathering = { .hosts = hosts, .targets = targets };

	*hosts = (struct hosts){ .file_count = 0 };
	if (!word_count && !path_count) {
		return take_defaults(&gathering);
	}
	for (unsigned i = 0; i < path_count; i++) {
		if (read_file(hosts, paths[i]) < 0) {
			return -1;
		}
	}
	for (unsigned i = 0; i < word_count; i++) {
		if (hosts_words_add(&hosts->words, words[i], strlen(words[i]), command_line) < 0) {
			return complain_memory(hosts);
		}
	}
	if (take_words(&gathering, &hosts->words, 0) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < path_count; i++) {
		if (take_file(&gathering, &hosts->files[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

void hosts_fini(struct hosts *hosts)
{
	for (unsigned i = 0; i < hosts->file_count; i++) {
		hosts_file_fini(&hosts->files[i]);
	}
	free(hosts->words.list);
	hosts->words = (struct hosts_words){ .count = 0 };
	hosts->file_count = 0;
}
