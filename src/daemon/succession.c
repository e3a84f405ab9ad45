/* SPDX-License-Identifier: MIT */
#include "daemon/succession.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"

/* None but root and the server's own user may ask. */
#define SOCKET_MODE 0600

/* The socket that came with the claim: its name becomes ours with the rest. */
static int keep_socket(struct succession *succession, const struct address *address)
{
	int fd = takeover_claim_socket(succession->claim);
	struct listener *listener = listener_append(&succession->socket, address, address, &fd);
	char dir[ADDRESS_PATH_MAX + 1];

	if (!listener) {
		io_close(&fd);
		return -1;
	}
	memcpy(dir, address->path, sizeof(dir));
	strrchr(dir, '/')[1] = '\0';
	listener->file.dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return listener->file.dir_fd < 0 ? -1 : 0;
}

static void own_socket(struct succession *succession)
{
	struct listener *listener = &succession->socket.all[0];
	const char *name = strrchr(listener->address.path, '/') + 1;
	struct stat st;

	if (fstatat(listener->file.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode)) {
		listener->file.device = st.st_dev;
		listener->file.inode = st.st_ino;
	}
}

int succession_begin(struct succession *succession, const char *path, uid_t uid, gid_t gid,
	struct listener_failure *failure)
{
	struct address address = { .scheme = ADDRESS_UNIX_SEQPACKET, .mode = SOCKET_MODE };
	const char *why;

	*failure = (struct listener_failure){ .why = "" };
	succession->over_ns = CLOCK_NEVER;
	succession->uid = uid;
	succession->began_ns = clock_now_ns();
	if (!path[0]) {
		return 0;
	}
	memcpy(address.path, path, strlen(path));
	if (takeover_claim_open(&succession->claim, path, uid, &why) < 0 ||
	    (succession->claim && keep_socket(succession, &address) < 0)) {
		failure->not_permitted = errno == EACCES || errno == EPERM;
		snprintf(failure->why, sizeof(failure->why), "%s", why ? why : strerror(errno));
		return -1;
	}
	if (succession->claim) {
		return 0;
	}
	/* Root gives it to the user that it becomes, who is to serve there. */
	snprintf(address.user, sizeof(address.user), "%u", uid);
	snprintf(address.group, sizeof(address.group), "%u", gid);
	return listener_open(&succession->socket, &address, uid, gid, failure);
}

bool succession_follows(const struct succession *succession)
{
	return succession->claim != NULL;
}

int succession_take(struct succession *succession, struct listener_set *set,
	const struct address *asked, bool metrics)
{
	return succession->claim ? takeover_claim_take(succession->claim, set, asked, metrics) : 0;
}

int succession_serve(struct succession *succession, struct listener_set *listeners,
	struct listener_set *metrics)
{
	if (!succession->socket.count) {
		return 0;
	}
	if (succession->claim) {
		if (takeover_claim_finish(succession->claim, listeners, metrics) < 0) {
			return -1;
		}
		own_socket(succession);
		log_info("took over %u listeners in %llu ms", listeners->count,
			(unsigned long long)((clock_now_ns() - succession->began_ns) / CLOCK_MS));
	}
	succession->offer = takeover_offer_start(
		succession->socket.all[0].fd, listeners, metrics, succession->uid);
	return succession->offer ? 0 : -1;
}

int succession_taken_fd(const struct succession *succession)
{
	return succession->offer ? takeover_offer_fd(succession->offer) : -1;
}

int succession_drained_fd(const struct succession *succession)
{
	return succession->claim ? takeover_claim_fd(succession->claim) : -1;
}

void succession_take_counters(struct succession *succession, struct server *server)
{
	struct stats_counters counters;

	if (takeover_claim_counters(succession->claim, &counters)) {
		server_absorb_counters(server, &counters);
		log_info("the server before has drained");
	} else {
		log_warning("the server before has ended without saying what it has counted");
	}
	takeover_claim_free(succession->claim);
	succession->claim = NULL;
	/* A client may fetch its last replies for as long as any. */
	succession->over_ns = clock_now_ns() + MSGQ_REPLIES_MAX_S * CLOCK_S;
}

uint64_t succession_due_ns(const struct succession *succession)
{
	return succession->over_ns;
}

void succession_mind(struct succession *succession, const struct listener_set *listeners)
{
	takeover_claim_is_over(listeners);
	succession->over_ns = CLOCK_NEVER;
}

bool succession_suspend(struct succession *succession)
{
	if (!succession->offer) {
		return false;
	}
	takeover_offer_withdraw(succession->offer);
	if (takeover_offer_taker(succession->offer)) {
		return true;
	}
	takeover_offer_end(succession->offer, NULL);
	succession->offer = NULL;
	return false;
}

void succession_resume(struct succession *succession, struct listener_set *listeners,
	struct listener_set *metrics)
{
	if (succession->offer || !succession->socket.count) {
		return;
	}
	succession->offer = takeover_offer_start(
		succession->socket.all[0].fd, listeners, metrics, succession->uid);
	if (!succession->offer) {
		log_error("no server can take over any more: %s", strerror(errno));
	}
}

pid_t succession_close(struct succession *succession)
{
	pid_t taker;

	if (!succession->offer) {
		return 0;
	}
	takeover_offer_withdraw(succession->offer);
	taker = takeover_offer_taker(succession->offer);
	if (taker) {
		succession->socket.all[0].file.inode = 0;
	}
	listener_close_all(&succession->socket);
	return taker;
}

void succession_end(struct succession *succession, const struct server *server)
{
	struct stats_counters counters;

	if (server) {
		server_count(server, &counters);
	}
	takeover_offer_end(succession->offer, server ? &counters : NULL);
	succession->offer = NULL;
	takeover_claim_free(succession->claim);
	succession->claim = NULL;
	listener_close_all(&succession->socket);
}
