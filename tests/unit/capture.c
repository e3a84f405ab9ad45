/* SPDX-License-Identifier: MIT */
#include "unit/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int capture_fd = -1;
static int stderr_fd = -1;
static off_t taken_bytes;

int capture_begin(void)
{
	taken_bytes = 0;
	capture_fd = memfd_create("stderr", MFD_CLOEXEC);
	stderr_fd = dup(STDERR_FILENO);
	/* A memfd has no lock around its position: without O_APPEND threads overwrite. */
	if (capture_fd < 0 || stderr_fd < 0 || fcntl(capture_fd, F_SETFL, O_APPEND) < 0 ||
		 dup2(capture_fd, STDERR_FILENO) < 0) {
		abort();
	}
	return capture_fd;
}

size_t capture_take(char *text, size_t size)
{
	ssize_t len;

	fflush(stderr);
	/* Not emptied by ftruncate(): that would lose what another thread writes in between. */
	len = pread(capture_fd, text, size - 1, taken_bytes);
	if (len < 0) {
		abort();
	}
	taken_bytes += len;
	text[len] = '\0';
	return (size_t)len;
}

void capture_end(void)
{
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(capture_fd);
	stderr_fd = -1;
	capture_fd = -1;
}
