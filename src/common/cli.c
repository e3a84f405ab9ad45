/* SPDX-License-Identifier: MIT */
#include "common/cli.h"

#include <assert.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "common/text.h"

/* Of the name in front of a complaint. */
#define PROGRAM_BYTES 64

static int getopt_kind(const struct cli_option *option)
{
	if (!option->argument) {
		return no_argument;
	}
	return option->argument_optional ? optional_argument : required_argument;
}

/* optopt: 0 for an unknown long option, the key of a known one, or an unknown short letter. */
static void complain_unknown(const struct cli *cli, const char *word)
{
	for (unsigned i = 0; i < cli->count; i++) {
		if (optopt && cli->options[i].key == optopt) {
			cli_complain(cli, "option '%s' takes no argument", word);
			return;
		}
	}
	if (optopt) {
		cli_complain(cli, "unknown option '-%c'", optopt);
	} else {
		cli_complain(cli, "unknown or ambiguous option '%s'", word);
	}
}

int cli_next(const struct cli *cli, int argc, char **argv, const char **argument)
{
	struct option longs[CLI_OPTIONS_MAX + 1];
	char shorts[3 * CLI_OPTIONS_MAX + 2];
	char *at = shorts;
	int key;

	assert(cli->count <= CLI_OPTIONS_MAX);
	*at++ = ':';
	for (unsigned i = 0; i < cli->count; i++) {
		const struct cli_option *option = &cli->options[i];
		int kind = getopt_kind(option);

		longs[i] = (struct option){ option->name, kind, NULL, option->key };
		if (option->key < CLI_LONG_ONLY) {
			*at++ = (char)option->key;
			for (int colons = kind; colons > 0; colons--) {
				*at++ = ':';
			}
		}
	}
	*at = '\0';
	longs[cli->count] = (struct option){ NULL, 0, NULL, 0 };
	opterr = 0;
	key = getopt_long(argc, argv, shorts, longs, NULL);
	*argument = optarg;
	if (key == ':') {
		cli_complain(cli, "option '%s' needs an argument", argv[optind - 1]);
		return CLI_WRONG;
	}
	if (key == '?') {
		complain_unknown(cli, argv[optind - 1]);
	}
	return key;
}

void cli_print_help(const struct cli *cli, FILE *out)
{
	fprintf(out, "Usage: %s %s\n%s\n\n", cli->program, cli->usage, cli->purpose);
	for (unsigned i = 0; i < cli->count; i++) {
		const struct cli_option *option = &cli->options[i];
		const char *equals = option->argument_optional ? "[=" : "=";
		char names[64];
		char letter[8] = "    ";

		if (option->key < CLI_LONG_ONLY) {
			snprintf(letter, sizeof(letter), "-%c, ", option->key);
		}
		snprintf(names, sizeof(names), "%s--%s%s%s%s", letter, option->name,
			option->argument ? equals : "", option->argument ? option->argument : "",
			option->argument_optional ? "]" : "");
		fprintf(out, "  %-30s %s\n", names, option->help);
	}
}

void cli_print_version(const struct cli *cli, FILE *out)
{
	fprintf(out, "%s (%s) %s\n", cli->program, PACKAGE_NAME, PACKAGE_VERSION);
}

void cli_complain(const struct cli *cli, const char *format, ...)
{
	/* The longest path, and still the reason behind it. */
	char text[2 * PATH_MAX];
	char line[PROGRAM_BYTES + TEXT_ESCAPED_BYTES * sizeof(text) + 1];
	size_t len;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	len = (size_t)snprintf(line, PROGRAM_BYTES, "%s: ", cli->program);
	len += text_escape(line + len, sizeof(line) - len - 1, text, strlen(text));
	line[len++] = '\n';
	if (cli->patience_ms) {
		(void)io_write_soon(STDERR_FILENO, line, len, cli->patience_ms);
	} else {
		(void)io_write_all(STDERR_FILENO, line, len);
	}
}
