/* SPDX-License-Identifier: MIT */
/*
 * libcurl is loaded when it is needed: with the thirty libraries that it brings that takes 8 ms,
 * and each run of ruptime would pay for it, most of which take less. It stays loaded, as some of
 * these libraries have something to do at the exit.
 */
#include "client/prometheus/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* Of the whole: a server may have to think about 100,000 hosts. */
#define WHOLE_MS 60000

#define LIBRARY "libcurl.so.4"

/* What is used of it, under its own names. */
struct library {
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *curl, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *curl);
	CURLcode (*easy_getinfo)(CURL *curl, CURLINFO info, ...);
	char *(*easy_escape)(CURL *curl, const char *string, int length);
	const char *(*easy_strerror)(CURLcode code);
	void (*easy_cleanup)(CURL *curl);
	void (*free)(void *memory);
};

struct document {
	char *text;
	size_t len;
	size_t room;
};

/* ISO C knows no way from an object's pointer to a function's; POSIX promises this one. */
static bool find(void *handle, const char *name, void *function)
{
	void *found = dlsym(handle, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static bool load(struct library *library)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	return handle && find(handle, "curl_easy_init", &library->easy_init) &&
	       find(handle, "curl_easy_setopt", &library->easy_setopt) &&
	       find(handle, "curl_easy_perform", &library->easy_perform) &&
	       find(handle, "curl_easy_getinfo", &library->easy_getinfo) &&
	       find(handle, "curl_easy_escape", &library->easy_escape) &&
	       find(handle, "curl_easy_strerror", &library->easy_strerror) &&
	       find(handle, "curl_easy_cleanup", &library->easy_cleanup) &&
	       find(handle, "curl_free", &library->free);
}

/* Returns less than it was given to end the transfer. */
static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct document *document = context;
	size_t len = size * count;

	if (len > HTTP_BYTES_MAX - document->len) {
		return 0;
	}
	if (document->len + len + 1 > document->room) {
		size_t room = 2 * (document->len + len + 1);
		char *text = realloc(document->text, room);

		if (!text) {
			return 0;
		}
		document->text = text;
		document->room = room;
	}
	memcpy(document->text + document->len, bytes, len);
	document->len += len;
	document->text[document->len] = '\0';
	return len;
}

/* BASE without slashes at its end, PATH, and VALUE escaped; for free(). */
static char *make_url(const struct library *library, CURL *curl, const char *base,
	const char *path, const char *value)
{
	char *escaped = library->easy_escape(curl, value, 0);
	size_t base_len = strlen(base);
	char *url = NULL;
	size_t len;

	while (base_len && base[base_len - 1] == '/') {
		base_len--;
	}
	if (escaped) {
		len = base_len + strlen(path) + strlen(escaped) + 1;
		url = malloc(len);
		if (url) {
			snprintf(url, len, "%.*s%s%s", (int)base_len, base, path, escaped);
		}
	}
	library->free(escaped);
	return url;
}

static CURLcode fetch(const struct library *library, CURL *curl, const char *url,
	uint64_t connect_ns, struct document *document, char *error)
{
	library->easy_setopt(curl, CURLOPT_URL, url);
	library->easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	library->easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	library->easy_setopt(curl, CURLOPT_WRITEDATA, document);
	library->easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ns / CLOCK_MS) + 1);
	library->easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
	library->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	library->easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	library->easy_setopt(curl, CURLOPT_USERAGENT, "ruptime/" PACKAGE_VERSION);
	return library->easy_perform(curl);
}

static char *get(const struct library *library, const char *base, const char *path,
	const char *value, uint64_t connect_ns, long *status, char *error)
{
	struct document document = { .len = 0 };
	CURL *curl = library->easy_init();
	char *url = curl ? make_url(library, curl, base, path, value) : NULL;
	char curl_error[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (url) {
		code = fetch(library, curl, url, connect_ns, &document, curl_error);
		library->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	}
	if (code == CURLE_OK && !document.text) {
		document.text = strdup("");
	}
	if (code != CURLE_OK) {
		snprintf(error, HTTP_ERROR_BYTES, "%s",
			curl_error[0] ? curl_error : library->easy_strerror(code));
		free(document.text);
		document.text = NULL;
	}
	free(url);
	library->easy_cleanup(curl);
	return document.text;
}

char *http_get(const char *base, const char *path, const char *value, uint64_t connect_ns,
	long *status, char *error)
{
	struct library library;

	if (load(&library)) {
		return get(&library, base, path, value, connect_ns, status, error);
	}
	snprintf(error, HTTP_ERROR_BYTES, LIBRARY " cannot be loaded");
	return NULL;
}
