/* SPDX-License-Identifier: MIT */
#include "client/hosts/hosts_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 16

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_group_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '_' || c == '.';
}

int hosts_words_add(struct hosts_words *words, const char *at, size_t len,
	struct hosts_origin origin)
{
	if (words->count == words->room) {
		size_t room = words->room ? 2 * words->room : FIRST_ROOM;
		struct hosts_word *list = reallocarray(words->list, room, sizeof(*list));

		if (!list) {
			return -1;
		}
		words->list = list;
		words->room = room;
	}
	words->list[words->count++] = (struct hosts_word){ at, len, origin };
	return 0;
}

int hosts_words_split(struct hosts_words *words, const char *text, size_t len,
	struct hosts_origin origin)
{
	size_t at = 0;

	while (at < len) {
		size_t start;

		while (at < len && is_blank(text[at])) {
			at++;
		}
		start = at;
		while (at < len && !is_blank(text[at])) {
			at++;
		}
		if (at > start && hosts_words_add(words, text + start, at - start, origin) < 0) {
			return -1;
		}
	}
	return 0;
}

/* All that PATH holds, with a NUL behind it. Returns NULL with errno. */
static char *read_text(const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	int error;

	if (!in) {
		return NULL;
	}
	errno = 0;
	if (getdelim(&text, &room, '\0', in) < 0 && !ferror(in)) {
		/* An empty file is one without hosts. */
		free(text);
		text = strdup("");
	}
	error = ferror(in) ? errno : 0;
	if (!is_stdin) {
		fclose(in);
	}
	if (error) {
		free(text);
		errno = error;
		return NULL;
	}
	return text;
}

static struct hosts_group *add_group(struct hosts_file *file)
{
	struct hosts_group *groups = reallocarray(file->groups, file->group_count + 1,
		sizeof(*groups));

	if (!groups) {
		return NULL;
	}
	file->groups = groups;
	groups[file->group_count] = (struct hosts_group){ .expanding = false };
	return &groups[file->group_count++];
}

/* The length of "@NAME:" at the start of a line, or 0 if the line defines no group. */
static size_t definition_bytes(const char *line, size_t len)
{
	size_t at = 1;

	if (!len || line[0] != '@') {
		return 0;
	}
	while (at < len && is_group_char(line[at])) {
		at++;
	}
	return at > 1 && at < len && line[at] == ':' ? at + 1 : 0;
}

static bool is_defined(const struct hosts_file *file, const char *name, size_t len)
{
	for (size_t i = 0; i < file->group_count; i++) {
		const struct hosts_word *other = &file->groups[i].name;

		if (other->len == len && memcmp(other->at, name, len) == 0) {
			return true;
		}
	}
	return false;
}

/* Returns as hosts_file_read(). */
static int take_line(struct hosts_file *file, const char *line, size_t len,
	struct hosts_origin origin, const char **why)
{
	size_t definition;
	struct hosts_group *group;

	while (len && is_blank(line[0])) {
		line++;
		len--;
	}
	definition = definition_bytes(line, len);
	if (!definition) {
		return hosts_words_split(&file->words, line, len, origin);
	}
	if (is_defined(file, line + 1, definition - 2)) {
		*why = "the group is defined twice";
		return 1;
	}
	group = add_group(file);
	if (!group) {
		return -1;
	}
	group->name = (struct hosts_word){ line + 1, definition - 2, origin };
	return hosts_words_split(&group->members, line + definition, len - definition, origin);
}

/* The length of the line before its comment, which begins at a '#' behind a blank. */
static size_t without_comment(const char *line, size_t len)
{
	for (size_t at = 0; at < len; at++) {
		if (line[at] == '#' && (at == 0 || is_blank(line[at - 1]))) {
			return at;
		}
	}
	return len;
}

int hosts_file_read(struct hosts_file *file, const char *path, unsigned *line, const char **why)
{
	const char *at;
	int result = 0;

	*file = (struct hosts_file){ .text = NULL };
	*line = 0;
	file->text = read_text(path);
	file->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
	if (!file->text || !file->name) {
		return -1;
	}
	for (at = file->text; result == 0 && *at; at += *at == '\n') {
		size_t len = strcspn(at, "\n");
		struct hosts_origin origin = { file->name, ++*line };

		result = take_line(file, at, without_comment(at, len), origin, why);
		at += len;
	}
	return result;
}

void hosts_file_fini(struct hosts_file *file)
{
	for (size_t i = 0; i < file->group_count; i++) {
		free(file->groups[i].members.list);
	}
	free(file->groups);
	free(file->words.list);
	free(file->text);
	free(file->name);
	*file = (struct hosts_file){ .text = NULL };
}
