/* SPDX-License-Identifier: MIT */
/*
 * Lines for a reader that may stall. A buffer of fixed size takes them; one thread writes them out,
 * and it alone waits for the reader. A line that finds no room is dropped and counted. Once there
 * is room again, a line that tells the count stands in its place.
 *
 * The output may be anything: a pipe, a terminal, a socket, a file of a file system that does not
 * answer. Its open file description is shared with other processes, so its flags are left alone.
 */
#ifndef RUPTIME_COMMON_LINE_WRITER_H
#define RUPTIME_COMMON_LINE_WRITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_WRITER_BYTES (256 * 1024)

/* The longest line; what is longer counts as lost. */
#define LINE_WRITER_LINE_BYTES (48 * 1024)

struct line_output {
	const char *thread_name;
	/* Write one line. May block for as long as it takes. Returns 0, or -1 if it is lost. */
	int (*write)(const char *line, size_t len);
	/* The line that stands for LOST lines. Fits into SIZE; returns its length. */
	size_t (*tell)(uint64_t lost, char *buf, size_t size);
};

/* Static and zero-initialized. The fields are line_writer.c's. */
struct line_writer {
	const struct line_output *output;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;		/* protects what follows; held for a copy at most */
	pthread_cond_t filled;
	pthread_cond_t emptied;
	char buffer[LINE_WRITER_BYTES];
	size_t begin;
	size_t used;
	uint64_t lost;			/* and not told yet */
	uint64_t finished;		/* lines that were written, or could not be */
	bool writing;
	bool failing;			/* the last line could not be written */
	bool ending;
	bool ended;
	char line[LINE_WRITER_LINE_BYTES];	/* the thread's: the one that it writes */
};

/* Keep lines for OUTPUT from now on. No other thread may use WRITER yet. */
void line_writer_init(struct line_writer *writer, const struct line_output *output);

/* Start the thread; what was kept is written. Returns 0, or -1 with errno. */
int line_writer_start(struct line_writer *writer);

/* Keep a line, or count it as lost. Never waits for the reader. Any thread. */
void line_writer_put(struct line_writer *writer, const char *line, size_t len);

/*
 * Wait until all is written, as long as lines go out: 200 ms for a line, 1 s in all. Starts the
 * thread if need be. Returns false if some are left.
 */
bool line_writer_flush(struct line_writer *writer);

/*
 * The same, and end the thread. One that hangs is left behind; then WRITER still belongs to it.
 * Lines that come later are kept, and not written.
 */
void line_writer_end(struct line_writer *writer);

#endif
