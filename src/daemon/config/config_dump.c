/* SPDX-License-Identifier: MIT */
#include "daemon/config/config_dump.h"

#include <limits.h>
#include <string.h>

#include "common/text.h"
#include "daemon/config/option_table.h"

#define SOURCE_BYTES (PATH_MAX + 32)

/* Between single quotes nothing has a meaning but they themselves and the backslash. */
static void print_quoted(const char *text, FILE *out)
{
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\') {
			putc('\\', out);
		}
		putc(*text, out);
	}
	putc('\'', out);
}

static void print_value(const struct option_entry *entry, const struct given *given, FILE *out)
{
	if (entry->cli.argument) {
		print_quoted(given->text, out);
	} else {
		fputs(given->text, out);
	}
}

/* In a comment, which ends with the line. */
static void print_source(const struct given *given, FILE *out)
{
	char source[SOURCE_BYTES];
	char shown[SOURCE_BYTES];

	given_show_source(given, source, sizeof(source));
	text_escape(shown, sizeof(shown), source, strlen(source));
	fprintf(out, "\t# %s\n", shown);
}

static void dump_list(const struct option_entry *entry, const struct given_list *list, FILE *out)
{
	if (!given_has(list, entry->cli.key)) {
		fprintf(out, "%s = {}\t# default\n", entry->cli.name);
		return;
	}
	fprintf(out, "%s = {\n", entry->cli.name);
	for (unsigned i = 0; i < list->count; i++) {
		if (list->all[i].key == entry->cli.key) {
			putc('\t', out);
			print_value(entry, &list->all[i], out);
			putc(',', out);
			print_source(&list->all[i], out);
		}
	}
	fprintf(out, "}\n");
}

static void dump_one(const struct option_entry *entry, const struct given_list *list, FILE *out)
{
	for (unsigned i = list->count; i > 0; i--) {
		const struct given *given = &list->all[i - 1];

		if (given->key == entry->cli.key) {
			fprintf(out, "%s = ", entry->cli.name);
			print_value(entry, given, out);
			print_source(given, out);
			return;
		}
	}
	fprintf(out, "# %s is not set\t# default\n", entry->cli.name);
}

void config_dump(const struct given_list *list, FILE *out)
{
	for (unsigned i = 0; i < option_count; i++) {
		if (option_table[i].kind == OPTION_LIST) {
			dump_list(&option_table[i], list, out);
		} else if (option_table[i].kind == OPTION_ONCE) {
			dump_one(&option_table[i], list, out);
		}
	}
}
