/* SPDX-License-Identifier: MIT */
/*
 * fdpass: a connection for each request that carries the write end of a pipe. It is answered when
 * the line has come through the pipe and the status 0 over the connection, in whatever order.
 */
#include "bench/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/judge.h"
#include "bench/lane.h"
#include "common/clock.h"
#include "common/io.h"

static int fdpass_open(struct lane *lane)
{
	(void)lane;
	return 0;
}

static void fdpass_close(struct lane *lane)
{
	(void)lane;
}

static int send_descriptor(int conn_fd, int passed_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &passed_fd, sizeof(int));
	return sendmsg(conn_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static void drop(struct request *request)
{
	io_close(&request->conn_fd);
	io_close(&request->line_fd);
}

static enum transport_start fdpass_start(struct lane *lane, struct request *request)
{
	const struct endpoint *endpoint = &lane->target->endpoints[request->endpoint];
	int pipe_fds[2] = { -1, -1 };

	request->conn_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (request->conn_fd < 0) {
		goto fail;
	}
	if (connect(request->conn_fd, (const struct sockaddr *)&endpoint->sockaddr,
		endpoint->sockaddr_len) < 0) {
		if (errno == EAGAIN) {
			drop(request);
			return TRANSPORT_AGAIN;
		}
		goto fail;
	}
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		goto fail;
	}
	request->line_fd = pipe_fds[0];
	if (send_descriptor(request->conn_fd, pipe_fds[1]) < 0 ||
	    lane_watch(lane, request->conn_fd, EPOLLIN, request, TRANSPORT_CONN) < 0 ||
	    lane_watch(lane, request->line_fd, EPOLLIN, request, TRANSPORT_LINE) < 0) {
		goto fail;
	}
	io_close(&pipe_fds[1]);
	return TRANSPORT_STARTED;
fail:
	io_close(&pipe_fds[1]);
	drop(request);
	lane_end(lane, request, outcome_of_errno(errno), clock_now_ns());
	return TRANSPORT_STARTED;
}

static void end(struct lane *lane, struct request *request, enum outcome outcome)
{
	lane_end(lane, request, outcome, clock_now_ns());
	drop(request);
}

static void end_if_complete(struct lane *lane, struct request *request)
{
	if (request->status_seen && request->line_fd < 0) {
		end(lane, request, line_judge(&request->line, lane->plan->expect,
			&request->tally->duplicate));
	}
}

static void read_status(struct lane *lane, struct request *request)
{
	char status[256];
	ssize_t got = recv(request->conn_fd, status, sizeof(status), MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN) {
		return;
	}
	if (got < 0) {
		end(lane, request, outcome_of_errno(errno));
	} else if (got == 0 && !request->status_seen) {
		end(lane, request, OUTCOME_ERROR_CLOSED);
	} else if (got == 0 || (got == 1 && status[0] == 0)) {
		/* It has said its last; only the line may still come. */
		request->status_seen = true;
		io_close(&request->conn_fd);
		end_if_complete(lane, request);
	} else {
		end(lane, request, judge_answer(status, (size_t)got, true, NULL) ==
			OUTCOME_ERROR_SERVER ? OUTCOME_ERROR_SERVER : OUTCOME_BAD_STATUS);
	}
}

static void fdpass_event(struct lane *lane, struct request *request, enum transport_role role,
	uint32_t events)
{
	if (role == TRANSPORT_CONN) {
		read_status(lane, request);
		return;
	}
	switch (line_read(&request->line, request->line_fd, events & EPOLLHUP)) {
	case LINE_MORE:
		return;
	case LINE_FAILED:
		end(lane, request, outcome_of_errno(errno));
		return;
	default:
		io_close(&request->line_fd);
		end_if_complete(lane, request);
	}
}

static void fdpass_abandon(struct lane *lane, struct request *request)
{
	(void)lane;
	drop(request);
}

const struct transport bench_transport_fdpass = {
	.fds_per_request = 3,
	.open = fdpass_open,
	.close = fdpass_close,
	.start = fdpass_start,
	.event = fdpass_event,
	.abandon = fdpass_abandon,
};
