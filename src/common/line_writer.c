/* SPDX-License-Identifier: MIT */
#include "common/line_writer.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/thread.h"

#define LINE_PATIENCE_NS (200 * CLOCK_MS)
#define PATIENCE_NS	 (1 * CLOCK_S)

/* In front of each line in the buffer. IS_NOTE: a count of lost lines stands there instead. */
typedef uint32_t line_len;
#define IS_NOTE UINT32_MAX

#define NOTE_BYTES (sizeof(line_len) + sizeof(uint64_t))

static void copy_in(struct line_writer *writer, const void *from, size_t len)
{
	size_t at = (writer->begin + writer->used) % LINE_WRITER_BYTES;
	size_t first = len < LINE_WRITER_BYTES - at ? len : LINE_WRITER_BYTES - at;

	memcpy(writer->buffer + at, from, first);
	memcpy(writer->buffer, (const char *)from + first, len - first);
	writer->used += len;
}

static void copy_out(struct line_writer *writer, void *to, size_t len)
{
	size_t first = LINE_WRITER_BYTES - writer->begin;

	first = len < first ? len : first;
	memcpy(to, writer->buffer + writer->begin, first);
	memcpy((char *)to + first, writer->buffer, len - first);
	writer->begin = (writer->begin + len) % LINE_WRITER_BYTES;
	writer->used -= len;
}

static bool has_room(const struct line_writer *writer, size_t len)
{
	return sizeof(line_len) + len <= LINE_WRITER_BYTES - writer->used;
}

static void keep(struct line_writer *writer, const char *line, size_t len)
{
	line_len stored = (line_len)len;

	copy_in(writer, &stored, sizeof(stored));
	copy_in(writer, line, len);
}

static void keep_note(struct line_writer *writer)
{
	line_len mark = IS_NOTE;

	copy_in(writer, &mark, sizeof(mark));
	copy_in(writer, &writer->lost, sizeof(writer->lost));
	writer->lost = 0;
}

void line_writer_init(struct line_writer *writer, const struct line_output *output)
{
	writer->output = output;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->filled, NULL);
	clock_init_condition(&writer->emptied);
}

void line_writer_put(struct line_writer *writer, const char *line, size_t len)
{
	pthread_mutex_lock(&writer->lock);
	if (writer->lost && has_room(writer, NOTE_BYTES + len)) {
		keep_note(writer);
	}
	if (!writer->lost && len <= LINE_WRITER_LINE_BYTES && has_room(writer, len)) {
		keep(writer, line, len);
		pthread_cond_signal(&writer->filled);
	} else {
		writer->lost++;
	}
	pthread_mutex_unlock(&writer->lock);
}

/*
 * Put the next line into writer->line; *LINES is how many it stands for. Returns its length, or 0
 * at the end. Lock held.
 */
static size_t take(struct line_writer *writer, uint64_t *lines)
{
	line_len len;

	*lines = 1;
	for (;;) {
		/* An output that fails is told what it missed when the next line comes. */
		if (!writer->used && writer->lost && !writer->failing) {
			keep_note(writer);
		}
		if (writer->used) {
			copy_out(writer, &len, sizeof(len));
			if (len == IS_NOTE) {
				copy_out(writer, lines, sizeof(*lines));
				return writer->output->tell(*lines, writer->line,
					sizeof(writer->line));
			}
			copy_out(writer, writer->line, len);
			return len;
		}
		if (writer->ending) {
			return 0;
		}
		pthread_cond_wait(&writer->filled, &writer->lock);
	}
}

static void *writer_main(void *argument)
{
	struct line_writer *writer = argument;
	uint64_t lines;
	bool failing;
	size_t len;

	pthread_setname_np(pthread_self(), writer->output->thread_name);
	pthread_mutex_lock(&writer->lock);
	while ((len = take(writer, &lines)) > 0) {
		writer->writing = true;
		pthread_mutex_unlock(&writer->lock);
		failing = writer->output->write(writer->line, len) < 0;
		pthread_mutex_lock(&writer->lock);
		writer->failing = failing;
		writer->lost += failing ? lines : 0;
		writer->writing = false;
		writer->finished++;
		pthread_cond_broadcast(&writer->emptied);
	}
	writer->ended = true;
	pthread_cond_broadcast(&writer->emptied);
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

int line_writer_start(struct line_writer *writer)
{
	int error = writer->started
			    ? 0
			    : thread_start(&writer->thread, writer_main, writer);

	writer->started = !error;
	errno = error;
	return error ? -1 : 0;
}

static bool is_empty(const struct line_writer *writer)
{
	return !writer->used && !writer->writing;
}

static bool has_ended(const struct line_writer *writer)
{
	return writer->ended;
}

/* Until IS_DONE. Returns false if no line goes out any more. Lock held. */
static bool await(struct line_writer *writer, bool (*is_done)(const struct line_writer *writer))
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	uint64_t line_end_ns = 0;
	uint64_t finished = writer->finished - 1;

	while (!is_done(writer)) {
		struct timespec deadline;

		if (finished != writer->finished) {
			finished = writer->finished;
			line_end_ns = clock_now_ns() + LINE_PATIENCE_NS;
		}
		deadline = clock_timespec(line_end_ns < end_ns ? line_end_ns : end_ns);
		if (pthread_cond_timedwait(&writer->emptied, &writer->lock, &deadline)) {
			return is_done(writer);
		}
	}
	return true;
}

bool line_writer_flush(struct line_writer *writer)
{
	bool flushed;

	if (line_writer_start(writer) < 0) {
		return false;
	}
	pthread_mutex_lock(&writer->lock);
	flushed = await(writer, is_empty);
	pthread_mutex_unlock(&writer->lock);
	return flushed;
}

void line_writer_end(struct line_writer *writer)
{
	bool ended;

	if (!writer->started && (!writer->used || line_writer_start(writer) < 0)) {
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_signal(&writer->filled);
	ended = await(writer, has_ended);
	pthread_mutex_unlock(&writer->lock);
	if (ended) {
		pthread_join(writer->thread, NULL);
		writer->started = false;
	} else {
		pthread_detach(writer->thread);
	}
}
