/* SPDX-License-Identifier: MIT */
#include "unit/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"

static char directory[32];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void scratch_init(void)
{
	strcpy(directory, "/tmp/ruptime-XXXXXX");
	if (!mkdtemp(directory)) {
		abort();
	}
}

void scratch_fini(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct scratch_path scratch_path(const char *name)
{
	struct scratch_path path;

	if (snprintf(path.text, sizeof(path.text), "%s/%s", directory, name) >=
		 (int)sizeof(path.text)) {
		abort();
	}
	return path;
}

struct scratch_path scratch_file(const char *name, const char *text, int mode)
{
	struct scratch_path path = scratch_path(name);
	int fd;

	unlink(path.text);
	fd = open(path.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0 || fchmod(fd, (mode_t)mode) < 0) {
		abort();
	}
	io_close(&fd);
	return path;
}

struct scratch_path scratch_command(const char *name, const char *script)
{
	char text[4096];

	if (snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script) >= (int)sizeof(text)) {
		abort();
	}
	return scratch_file(name, text, 0755);
}

int scratch_fifo(const char *name)
{
	struct scratch_path path = scratch_path(name);
	int fd;

	unlink(path.text);
	fd = mkfifo(path.text, 0600) < 0 ? -1 : open(path.text, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		abort();
	}
	return fd;
}

struct scratch_path scratch_fixture(const char *name)
{
	const char *build = getenv("RUPTIME_BUILD_DIR");
	struct scratch_path path;

	if (snprintf(path.text, sizeof(path.text), "%s/tests/fixtures/%s", build ? build : "..",
		    name) >= (int)sizeof(path.text)) {
		abort();
	}
	return path;
}
