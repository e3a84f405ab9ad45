/* SPDX-License-Identifier: MIT */
#include "bench/shape.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/resolve.h"
#include "daemon/listen/listener.h"

static char **settings;
static sigset_t ends;

_Noreturn void shape_die(const char *what)
{
	perror(what);
	exit(1);
}

void shape_begin(int argc, char **argv)
{
	(void)argc;
	settings = argv + 1;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
}

const char *shape_text(const char *name, const char *otherwise)
{
	size_t len = strlen(name);

	for (char **setting = settings; *setting; setting++) {
		if (strncmp(*setting, name, len) == 0 && (*setting)[len] == '=') {
			return *setting + len + 1;
		}
	}
	return otherwise;
}

unsigned long shape_number(const char *name, unsigned long otherwise)
{
	const char *text = shape_text(name, NULL);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

unsigned shape_choice(const char *name, const char *const *names, unsigned count)
{
	const char *text = shape_text(name, names[0]);

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			return i;
		}
	}
	fprintf(stderr, "%s=%s: no such choice\n", name, text);
	exit(2);
}

int shape_listen(void)
{
	/* For as long as the program runs. */
	static struct listener_set set;
	struct listener_failure failure;
	struct address address;
	char text[ADDRESS_TEXT_MAX];
	const char *wanted = shape_text("listen", "tcp://127.0.0.1:0");
	const char *why = "";

	if (address_parse(&address, wanted, strlen(wanted), &why) < 0 ||
	    resolve_port(&address, &why) < 0) {
		fprintf(stderr, "%s: %s\n", wanted, why);
		exit(2);
	}
	if (listener_open(&set, &address, (uid_t)-1, (gid_t)-1, &failure) < 0) {
		fprintf(stderr, "%s: %s\n", wanted, failure.why);
		exit(1);
	}
	address_format(&set.all[0].address, text, sizeof(text));
	fprintf(stderr, "listening %s\n", text);
	return set.all[0].fd;
}

pthread_t shape_thread(void *(*main)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, main, argument) != 0) {
		shape_die("pthread_create");
	}
	return thread;
}

void shape_wait(void)
{
	int signal_number;

	sigwait(&ends, &signal_number);
}
