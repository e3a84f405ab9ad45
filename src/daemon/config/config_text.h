/* SPDX-License-Identifier: MIT */
/*
 * The text of a configuration file, made ready for libconfuse, whose version 3.3 counts the line of
 * a comment three times.
 */
#ifndef RUPTIME_DAEMON_CONFIG_CONFIG_TEXT_H
#define RUPTIME_DAEMON_CONFIG_CONFIG_TEXT_H

#include <stddef.h>

/* A file that is longer is none. */
#define CONFIG_TEXT_MAX_BYTES (1024 * 1024)

/*
 * Put blanks in the place of comments: from # or // to the end of the line, from slash-star to
 * star-slash. They begin where a word could begin, and not within quotes. Lines stay in place.
 */
void config_text_blank_comments(char *text, size_t len);

/*
 * Open a copy of the file at PATH without its comments. Only a regular file is read, so that it
 * never blocks. Returns a descriptor, or -1 with errno.
 */
int config_text_open(const char *path);

#endif
