/* SPDX-License-Identifier: MIT */
#include "daemon/config/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/io.h"

/* Behind what a word may begin. */
static bool ends_word(char c)
{
	return c == '\0' || strchr(" \t\r\n={}(),+'\"", c);
}

/* Returns where the comment at TEXT ends, or NULL if there is none. */
static char *end_of_comment(char *text, const char *end)
{
	char *at = text + 1;

	if (text[0] == '#' || (text[0] == '/' && at < end && *at == '/')) {
		while (at < end && *at != '\n') {
			at++;
		}
		return at;
	}
	if (text[0] != '/' || at == end || *at != '*') {
		return NULL;
	}
	for (at += 1; at < end; at++) {
		if (at[0] == '*' && at + 1 < end && at[1] == '/') {
			return at + 2;
		}
	}
	return at;
}

static char *end_of_quotes(char *text, const char *end)
{
	char *at = text + 1;

	while (at < end && *at != *text) {
		at += *at == '\\' && at + 1 < end ? 2 : 1;
	}
	return at < end ? at + 1 : at;
}

void config_text_blank_comments(char *text, size_t len)
{
	const char *end = text + len;
	char before = '\0';

	for (char *at = text; at < end;) {
		char *comment_end = ends_word(before) ? end_of_comment(at, end) : NULL;

		if (comment_end) {
			for (; at < comment_end; at++) {
				*at = *at == '\n' ? '\n' : ' ';
			}
		} else if (*at == '"' || *at == '\'') {
			at = end_of_quotes(at, end);
		} else {
			at++;
		}
		before = at[-1];
	}
}

/* Returns the length, or -1 with errno. */
static ssize_t read_file(int file_fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(file_fd, text + len, size - len);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0 && len < size);
	if (got == 0) {
		return (ssize_t)len;
	}
	errno = got > 0 ? EFBIG : errno;
	return -1;
}

static int open_file(const char *path)
{
	int file_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (file_fd >= 0 && fstat(file_fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		io_close(&file_fd);
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	return file_fd;
}

int config_text_open(const char *path)
{
	char *text = malloc(CONFIG_TEXT_MAX_BYTES + 1);
	int file_fd = open_file(path);
	int copy_fd = -1;
	ssize_t len;

	if (!text || file_fd < 0) {
		goto out;
	}
	len = read_file(file_fd, text, CONFIG_TEXT_MAX_BYTES + 1);
	if (len < 0) {
		goto out;
	}
	config_text_blank_comments(text, (size_t)len);
	copy_fd = memfd_create("configuration", MFD_CLOEXEC);
	if (copy_fd >= 0 && io_write_all(copy_fd, text, (size_t)len) < 0) {
		io_close(&copy_fd);
	}
out:
	io_close(&file_fd);
	free(text);
	return copy_fd;
}
