/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "daemon/config/config_diff.h"
#include "daemon/config/config_dump.h"
#include "daemon/config/config_file.h"
#include "daemon/config/given.h"
#include "daemon/config/option_table.h"
#include "daemon/config/option_value.h"
#include "daemon/life/activation.h"

/* The longest path and value, and what is wrong with it. */
#define WHY_BYTES (2 * PATH_MAX)

/* What the command line says stays in force whatever becomes of the file. */
static struct given_list command_line;
static char config_path[PATH_MAX];

/* Of the file and the command line together. */
static struct given_list in_force;
static struct given_list read_last;

static struct cli_option options[CLI_OPTIONS_MAX];

static struct cli cli = {
	.program = "ruptimed",
	.usage = "[-l ADDRESS]... [options]",
	.purpose = "Answer with the line of uptime.",
	.options = options,
	.patience_ms = OPTIONS_COMPLAINT_MS,
};

static void fill_cli(void)
{
	for (cli.count = 0; cli.count < option_count; cli.count++) {
		options[cli.count] = option_table[cli.count].cli;
	}
}

static unsigned count_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 1) {
		return 1;
	}
	return cpus > SETTINGS_WORKERS_MAX ? SETTINGS_WORKERS_MAX : (unsigned)cpus;
}

static int add_default(struct given_list *list, const struct option_entry *entry)
{
	struct given given = { .key = entry->cli.key, .source = GIVEN_DEFAULT };
	char text[PATH_MAX];

	if (entry->cli.key == 'w') {
		snprintf(text, sizeof(text), "%u", count_cpus());
	} else {
		snprintf(text, sizeof(text), "%s", entry->by_default);
	}
	if (entry->kind != OPTION_LIST) {
		given.text = text;
		return given_add(list, &given);
	}
	for (char *state, *word = strtok_r(text, " ", &state); word;
		word = strtok_r(NULL, " ", &state)) {
		given.text = word;
		if (given_add(list, &given) < 0) {
			return -1;
		}
	}
	return 0;
}

/* Copy those values of FROM whose option has none in BEFORE, which wins. */
static int add_unless(struct given_list *list, const struct given_list *from,
	const struct given_list *before)
{
	for (unsigned i = 0; i < from->count; i++) {
		if (!given_has(before, from->all[i].key) && given_add(list, &from->all[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

/* All that is in force: defaults first, then the file's, then the command line's. */
static int gather(struct given_list *list, const struct given_list *file)
{
	static const struct given_list none = { NULL, 0 };

	for (unsigned i = 0; i < option_count; i++) {
		const struct option_entry *entry = &option_table[i];

		/* A service manager that brings sockets says where to listen. */
		if (entry->cli.key == 'l' && activation_count()) {
			continue;
		}
		if (entry->by_default && !given_has(file, entry->cli.key) &&
		    !given_has(&command_line, entry->cli.key) && add_default(list, entry) < 0) {
			return -1;
		}
	}
	return add_unless(list, file, &command_line) < 0 ? -1
							  : add_unless(list, &command_line, &none);
}

/* AGAIN: without those that take a restart, and may not even be right any more. */
static int apply(struct settings *settings, const struct given_list *list, bool again, char *why,
	size_t size)
{
	*settings = (struct settings){
		.ready_fd = -1,
		.log_level = LOG_LEVEL_INFO,
		.reloads = config_path[0],
	};
	for (unsigned i = 0; i < list->count; i++) {
		if (again && option_of(list->all[i].key)->fixed) {
			continue;
		}
		if (option_value_set(settings, &list->all[i], why, size) < 0) {
			return -1;
		}
	}
	return 0;
}

/* LIST becomes all that is in force, and SETTINGS what it makes. */
static int read_all(struct settings *settings, struct given_list *list, bool again, char *why,
	size_t size)
{
	struct given_list file = { NULL, 0 };
	int result = -1;

	if (config_path[0] && config_file_read(config_path, &file, why, size) < 0) {
		goto out;
	}
	if (gather(list, &file) < 0) {
		snprintf(why, size, "%s", strerror(errno));
		goto out;
	}
	result = apply(settings, list, again, why, size);
out:
	given_clear(&file);
	return result;
}

bool daemon_options_have_file(void)
{
	return config_path[0];
}

int daemon_options_read_again(struct settings *settings, char *text, size_t size)
{
	given_clear(&read_last);
	if (read_all(settings, &read_last, true, text, size) < 0) {
		return -1;
	}
	config_diff(&in_force, &read_last, text, size);
	return 0;
}

void daemon_options_commit(void)
{
	given_clear(&in_force);
	in_force = read_last;
	read_last = (struct given_list){ NULL, 0 };
}

/* A daemon leaves its directory. */
static int set_config_path(const char *argument)
{
	char here[PATH_MAX] = "";
	int len;

	if (argument[0] != '/' && !getcwd(here, sizeof(here))) {
		return -1;
	}
	len = snprintf(config_path, sizeof(config_path), "%s%s%s", here, here[0] ? "/" : "",
		argument);
	errno = ENAMETOOLONG;
	return len < (int)sizeof(config_path) ? 0 : -1;
}

/* Returns OPTIONS_RUN to go on, or what has become of it. */
static enum options_result take_option(int key, const char *argument, bool *check, bool *dump)
{
	struct given given = {
		.key = key,
		.source = GIVEN_OPTION,
		.text = (char *)(uintptr_t)(argument ? argument : "true"),
	};

	switch (key) {
	case 'h':
		cli_print_help(&cli, stdout);
		return OPTIONS_DONE;
	case 'V':
		cli_print_version(&cli, stdout);
		return OPTIONS_DONE;
	case OPTION_CHECK_CONFIG:
		*check = true;
		return OPTIONS_RUN;
	case OPTION_DUMP_CONFIG:
		*dump = true;
		return OPTIONS_RUN;
	case 'c':
		if (set_config_path(argument) < 0) {
			cli_complain(&cli, "--config=%s: %s", argument, strerror(errno));
			return OPTIONS_WRONG;
		}
		return OPTIONS_RUN;
	case CLI_WRONG:
		/* cli_next() has complained about it. */
		return OPTIONS_WRONG;
	default:
		if (given_add(&command_line, &given) < 0) {
			cli_complain(&cli, "%s", strerror(errno));
			return OPTIONS_WRONG;
		}
		return OPTIONS_RUN;
	}
}

static enum options_result finish(struct settings *settings, bool check, bool dump)
{
	char why[WHY_BYTES];

	given_clear(&read_last);
	if (read_all(settings, &read_last, false, why, sizeof(why)) < 0) {
		cli_complain(&cli, "%s", why);
		return OPTIONS_WRONG;
	}
	if (dump) {
		config_dump(&read_last, stdout);
		return OPTIONS_DONE;
	}
	daemon_options_commit();
	return check ? OPTIONS_CHECK : OPTIONS_RUN;
}

enum options_result daemon_options_parse(struct settings *settings, int argc, char **argv)
{
	const char *argument;
	bool check = false;
	bool dump = false;
	int key;

	fill_cli();
	given_clear(&command_line);
	config_path[0] = '\0';
	while ((key = cli_next(&cli, argc, argv, &argument)) != CLI_END) {
		enum options_result result = take_option(key, argument, &check, &dump);

		if (result != OPTIONS_RUN) {
			return result;
		}
	}
	if (optind < argc) {
		cli_complain(&cli, "unexpected argument '%s'; addresses go with -l", argv[optind]);
		return OPTIONS_WRONG;
	}
	return finish(settings, check, dump);
}
