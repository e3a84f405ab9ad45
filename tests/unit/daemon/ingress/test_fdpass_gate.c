/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/io.h"
#include "daemon/ingress/fdpass_gate.h"
#include "unit/process.h"
#include "unit/random.h"
#include "unit/sockets.h"

/* Nothing here looks at a clock: the time is what we say it is. */
#define NOW_NS	    (1000 * CLOCK_S)
#define PATIENCE_NS (FDPASS_GATE_PATIENCE_S * CLOCK_S)

/* What the connections count for: kept, and never looked at. */
#define SOURCE 7

static struct fdpass_gate *gate;
static struct listener listeners[2];
static unsigned open_before;

static void set_up(void)
{
	open_before = process_descriptors();
	gate = fdpass_gate_new();
	ck_assert_ptr_nonnull(gate);
}

static void tear_down(void)
{
	fdpass_gate_free(gate);
	ck_assert_uint_eq(process_descriptors(), open_before);
}

/* A connection at the gate. Returns its client's end. */
static int enter(const struct listener *listener, uint64_t now_ns)
{
	struct sockets_pair pair = sockets_unix_pair();
	struct fdpass_client client = {
		.listener = listener,
		.conn_fd = pair.server_fd,
		.source = SOURCE,
	};

	ck_assert(!fdpass_gate_enter(gate, &client, now_ns));
	return pair.client_fd;
}

static void see_off(struct fdpass_client *client)
{
	fdpass_discard(&client->passed_fd);
	io_close(&client->conn_fd);
}

START_TEST(test_empty)
{
	struct fdpass_client client;

	ck_assert_uint_eq(fdpass_gate_due_ns(gate), CLOCK_NEVER);
	ck_assert(!fdpass_gate_leave(gate, NOW_NS, &client));
	fdpass_gate_free(NULL);
}
END_TEST

START_TEST(test_results)
{
	enum fdpass_result expected = FDPASS_END;
	struct fdpass_client client;
	int client_fd = enter(&listeners[1], NOW_NS);

	ck_assert(!fdpass_gate_leave(gate, NOW_NS, &client));
	switch (_i) {
	case 0:
		expected = FDPASS_GOT;
		ck_assert_int_eq(fdpass_send(client_fd, STDIN_FILENO), 0);
		break;
	case 1:
		expected = FDPASS_NONE;
		ck_assert_int_eq(send(client_fd, "x", 1, 0), 1);
		break;
	case 2:
		/* Readable, and yet there is nothing to receive. */
		expected = FDPASS_NONE;
		ck_assert_int_eq(send(client_fd, "x", 1, MSG_OOB), 1);
		break;
	default:
		io_close(&client_fd);
	}
	ck_assert(fdpass_gate_leave(gate, NOW_NS, &client));
	ck_assert_int_eq(client.result, expected);
	ck_assert((client.passed_fd >= 0) == (expected == FDPASS_GOT));
	ck_assert_ptr_eq(client.listener, &listeners[1]);
	ck_assert_uint_eq(fdpass_gate_due_ns(gate), CLOCK_NEVER);
	ck_assert(!fdpass_gate_leave(gate, NOW_NS + PATIENCE_NS, &client));
	see_off(&client);
	io_close(&client_fd);
}
END_TEST

START_TEST(test_expiry)
{
	struct fdpass_client client;
	int client_fds[3];

	for (unsigned i = 0; i < 3; i++) {
		client_fds[i] = enter(&listeners[i % 2], NOW_NS + i);
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(fdpass_gate_due_ns(gate), NOW_NS + i + PATIENCE_NS);
		ck_assert(!fdpass_gate_leave(gate, NOW_NS + i + PATIENCE_NS - 1, &client));
		ck_assert(fdpass_gate_leave(gate, NOW_NS + i + PATIENCE_NS, &client));
		ck_assert_int_eq(client.result, FDPASS_LATER);
		ck_assert_ptr_eq(client.listener, &listeners[i % 2]);
		see_off(&client);
		io_close(&client_fds[i]);
	}
}
END_TEST

/* The one too many: the oldest has to go, after a last look at what it has sent. */
START_TEST(test_crowded)
{
	struct sockets_pair pair = sockets_unix_pair();
	struct fdpass_client client;
	int client_fds[FDPASS_GATE_MAX];

	for (unsigned i = 0; i < FDPASS_GATE_MAX; i++) {
		client_fds[i] = enter(&listeners[0], NOW_NS + i);
	}
	if (_i) {
		ck_assert_int_eq(fdpass_send(client_fds[0], STDIN_FILENO), 0);
	}
	client = (struct fdpass_client){ .listener = &listeners[1], .conn_fd = pair.server_fd };
	ck_assert(fdpass_gate_enter(gate, &client, NOW_NS + CLOCK_S));
	ck_assert_uint_eq(client.source, SOURCE);
	ck_assert_int_eq(client.result, _i ? FDPASS_GOT : FDPASS_LATER);
	ck_assert_ptr_eq(client.listener, &listeners[0]);
	ck_assert_uint_eq(fdpass_gate_due_ns(gate), NOW_NS + 1 + PATIENCE_NS);
	see_off(&client);
	for (unsigned i = 0; i < FDPASS_GATE_MAX; i++) {
		io_close(&client_fds[i]);
	}
	io_close(&pair.client_fd);
}
END_TEST

/* Comings and goings at random against a plain list. */
START_TEST(test_model)
{
	struct {
		int client_fd;
		uint64_t due_ns;
		bool sent;
	} model[FDPASS_GATE_MAX];
	unsigned count = 0;
	uint64_t now_ns = NOW_NS;

	random_init();
	for (unsigned step = 0; step < 5000; step++) {
		struct fdpass_client client;
		unsigned which = count ? random_below(count) : 0;
		unsigned expected = 0;

		now_ns += random_below(40) * CLOCK_MS;
		if (random_below(3) && count < FDPASS_GATE_MAX) {
			model[count].client_fd = enter(&listeners[0], now_ns);
			model[count].due_ns = now_ns + PATIENCE_NS;
			model[count++].sent = false;
		} else if (count && !model[which].sent && random_below(2)) {
			ck_assert_int_eq(fdpass_send(model[which].client_fd, STDIN_FILENO), 0);
			model[which].sent = true;
		}
		for (unsigned i = 0; i < count;) {
			if (!model[i].sent && model[i].due_ns > now_ns) {
				i++;
				continue;
			}
			expected += model[i].sent;
			io_close(&model[i].client_fd);
			ck_assert(fdpass_gate_leave(gate, now_ns, &client));
			expected -= client.result == FDPASS_GOT;
			see_off(&client);
			for (unsigned j = i; j + 1 < count; j++) {
				model[j] = model[j + 1];
			}
			count--;
		}
		ck_assert_uint_eq(expected, 0);
		ck_assert(!fdpass_gate_leave(gate, now_ns, &client));
		ck_assert_uint_eq(fdpass_gate_due_ns(gate), count ? model[0].due_ns : CLOCK_NEVER);
	}
	while (count) {
		io_close(&model[--count].client_fd);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("fdpass_gate");
	TCase *tcase = tcase_create("fdpass_gate");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, test_empty);
	tcase_add_loop_test(tcase, test_results, 0, 4);
	tcase_add_test(tcase, test_expiry);
	tcase_add_loop_test(tcase, test_crowded, 0, 2);
	tcase_add_test(tcase, test_model);
	suite_add_tcase(suite, tcase);
	return suite;
}
