/* SPDX-License-Identifier: MIT */
#include "client/single.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/ask/fleet.h"
#include "common/io.h"

struct single {
	const struct options *options;
	const struct targets *targets;
	enum verdict result;
};

static enum verdict complain(const struct single *single, const char *reason)
{
	char text[ADDRESS_TEXT_MAX];
	struct address address;

	if (!single->options->quiet) {
		targets_address(single->targets, 0, &address);
		address_format(&address, text, sizeof(text));
		cli_complain(&client_options_cli, "%s: %s", text, reason);
	}
	return VERDICT_SYSTEM;
}

static enum verdict complain_stdout(const struct single *single)
{
	if (!single->options->quiet) {
		cli_complain(&client_options_cli, "standard output: %s", strerror(errno));
	}
	return VERDICT_SYSTEM;
}

static void take(void *context, size_t at, const struct ask_outcome *outcome)
{
	struct single *single = context;
	const char *line = outcome->answer.line;

	(void)at;
	if (outcome->status != ASK_ANSWERED) {
		complain(single, outcome->answer.reason);
		single->result = outcome->status == ASK_BROKEN ? VERDICT_SYSTEM : VERDICT_NONE;
	} else if (io_write_all(STDOUT_FILENO, line, strlen(line)) < 0) {
		single->result = complain_stdout(single);
	}
}

enum verdict single_run(const struct options *options, const struct targets *targets)
{
	const struct fleet_options fleet_options = {
		.ask = options->ask,
		.parallel = 1,
		.pass_fd = STDOUT_FILENO,
	};
	struct single single = { .options = options, .targets = targets };
	struct fleet *fleet;
	int more;

	fleet = fleet_open(&fleet_options);
	if (!fleet) {
		return complain(&single, strerror(errno));
	}
	more = fleet_begin(fleet, targets, take, &single) < 0 ? -1 : 1;
	while (more > 0) {
		more = fleet_step(fleet, CLOCK_NEVER, NULL);
	}
	if (more < 0) {
		single.result = complain(&single, strerror(errno));
	}
	fleet_close(fleet);
	return single.result;
}
