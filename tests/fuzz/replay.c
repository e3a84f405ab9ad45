/* SPDX-License-Identifier: MIT */
/*
 * Feeds each file of a corpus to the fuzz target it is linked with, and prints TAP.
 * fuzz_NAME [DIRECTORY]; the default is $srcdir/fuzz/corpus/NAME, srcdir being set by make check.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX_BYTES 65536

/* Into a block of exactly its size, so that a sanitizer sees the first byte read too far. */
static int replay(const char *path)
{
	static uint8_t buf[INPUT_MAX_BYTES];
	FILE *in = fopen(path, "rb");
	uint8_t *input;
	size_t len;

	if (!in) {
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), in);
	fclose(in);
	input = malloc(len);
	if (!input && len) {
		return -1;
	}
	if (len) {
		memcpy(input, buf, len);
	}
	LLVMFuzzerTestOneInput(input, len);
	free(input);
	return 0;
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char directory[PATH_MAX];
	struct dirent **entries;
	int found;
	int count = 0;

	snprintf(directory, sizeof(directory), "%s/fuzz/corpus/%s", source ? source : ".",
		program_invocation_short_name + strlen("fuzz_"));
	if (argc > 1) {
		snprintf(directory, sizeof(directory), "%s", argv[1]);
	}
	found = scandir(directory, &entries, NULL, alphasort);
	if (found < 0) {
		perror(directory);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < found; i++) {
		const char *name = entries[i]->d_name;
		char path[PATH_MAX + 256];

		snprintf(path, sizeof(path), "%s/%s", directory, name);
		if (name[0] != '.') {
			printf("%s %d - %s\n", replay(path) == 0 ? "ok" : "not ok", ++count, name);
			fflush(stdout);
		}
		free(entries[i]);
	}
	free(entries);
	printf("1..%d\n", count);
	return EXIT_SUCCESS;
}
