/* SPDX-License-Identifier: MIT */
/*
 * Files that name hosts:
 *
 *	# a comment, also behind a word
 *	web01.example udp://db1:9000		words, on as many lines as you like
 *	web[02-40].example			each may be a range
 *	@web: web[01-40].example @edge		what the group web is; it may name groups
 *	@web					all of that group
 *
 * Nothing is expanded here. One thread at a time.
 */
#ifndef RUPTIME_CLIENT_HOSTS_HOSTS_FILE_H
#define RUPTIME_CLIENT_HOSTS_HOSTS_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Where a word comes from. */
struct hosts_origin {
	const char *file;	/* NULL: the command line or the environment */
	unsigned line;
};

struct hosts_word {
	const char *at;		/* borrowed from a file's text, or from the caller */
	size_t len;
	struct hosts_origin origin;
};

struct hosts_words {
	struct hosts_word *list;
	size_t count;
	size_t room;
};

struct hosts_group {
	struct hosts_word name;		/* without '@' */
	struct hosts_words members;
	bool expanding;			/* for its user: to find a group that holds itself */
};

struct hosts_file {
	struct hosts_words words;	/* but the definitions */
	struct hosts_group *groups;
	size_t group_count;
	char *text;
	char *name;
};

/* Returns 0, or -1 with errno ENOMEM. */
int hosts_words_add(struct hosts_words *words, const char *at, size_t len,
	struct hosts_origin origin);

/* Add the words of TEXT, which blanks separate; they are borrowed from it. As above. */
int hosts_words_split(struct hosts_words *words, const char *text, size_t len,
	struct hosts_origin origin);

/*
 * Read the file PATH, or standard input if that is "-". Blocks as long as reading takes.
 * Returns 0; 1 if something in line *LINE is wrong, with *WHY, a constant; or -1 with errno.
 * Whatever it returns, FILE is then for hosts_file_fini().
 */
int hosts_file_read(struct hosts_file *file, const char *path, unsigned *line, const char **why);

void hosts_file_fini(struct hosts_file *file);

#endif
