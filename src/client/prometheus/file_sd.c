/* SPDX-License-Identifier: MIT */
#include "client/prometheus/file_sd.h"

#include <stdbool.h>
#include <string.h>

#include "common/text.h"

/* TEXT as a JSON string; what is not printable in it has been escaped. */
static void write_string(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') {
			fputc('\\', out);
		}
		fputc(*text, out);
	}
	fputc('"', out);
}

void file_sd_write(const struct targets *targets, unsigned port, FILE *out, size_t *left_out)
{
	bool first = true;

	*left_out = 0;
	fputc('[', out);
	for (size_t i = 0; i < targets->count; i++) {
		char name[TEXT_ESCAPED_BYTES * ADDRESS_TEXT_MAX];
		char host[ADDRESS_TEXT_MAX];
		struct address address;
		const char *text = targets->list[i].text;

		targets_address(targets, i, &address);
		if (!address_is_inet(&address)) {
			++*left_out;
			continue;
		}
		snprintf(address.port, sizeof(address.port), "%u", port);
		address_format(&address, host, sizeof(host));
		text_escape(name, sizeof(name), text, strlen(text));
		fputs(first ? "\n  {\"targets\": [" : ",\n  {\"targets\": [", out);
		write_string(strstr(host, "://") + 3, out);
		fputs("], \"labels\": {\"" FILE_SD_LABEL "\": ", out);
		write_string(name, out);
		fputs("}}", out);
		first = false;
	}
	fputs(first ? "]\n" : "\n]\n", out);
}
