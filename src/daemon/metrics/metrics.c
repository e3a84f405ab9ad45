/* SPDX-License-Identifier: MIT */
#include "daemon/metrics/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/prefix.h"
#include "common/thread.h"
#include "daemon/metrics/scrapers.h"

/* Of all listeners. A client that stalls keeps its place for so long. */
#define CONNECTIONS_MAX	   32
#define CONNECTIONS_SOURCE 16
#define TIMEOUT_S	   5
#define MEMORY_BYTES	   (size_t)16384

struct metrics {
	struct metrics_source source;
	pthread_mutex_t lock;		/* of the source: one caller at a time */
	struct access access;
	struct MHD_Daemon *server;
	struct scrapers *scrapers;
};

bool metrics_is_built_in(void)
{
	return true;
}

/* TEXT is copied. */
static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status,
	const char *content_type, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response) {
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	}
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned status,
	const char *text)
{
	return respond(connection, status, "text/plain; charset=utf-8", text);
}

static enum MHD_Result respond_metrics(struct metrics *metrics, struct MHD_Connection *connection)
{
	enum exposition_format format = exposition_format_of(MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	struct exposition figures;
	enum MHD_Result result;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		return MHD_NO;
	}
	pthread_mutex_lock(&metrics->lock);
	metrics->source.collect(metrics->source.context, &figures);
	pthread_mutex_unlock(&metrics->lock);
	exposition_write(out, &figures, format);
	result = fclose(out) == 0 ? respond(connection, MHD_HTTP_OK,
					    exposition_content_type(format), text)
				  : MHD_NO;
	free(text);
	return result;
}

static bool ask(struct metrics *metrics, bool (*question)(void *))
{
	bool answer;

	pthread_mutex_lock(&metrics->lock);
	answer = question(metrics->source.context);
	pthread_mutex_unlock(&metrics->lock);
	return answer;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *data_size, void **state)
{
	struct metrics *metrics = context;

	(void)version;
	(void)data;
	(void)state;
	/* A body is not wanted: it is taken and thrown away. */
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		return respond_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	}
	if (strcmp(url, "/metrics") == 0) {
		return respond_metrics(metrics, connection);
	}
	if (strcmp(url, "/healthz") == 0) {
		return ask(metrics, metrics->source.is_healthy)
			       ? respond_text(connection, MHD_HTTP_OK, "ok\n")
			       : respond_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
					 "no worker makes progress\n");
	}
	if (strcmp(url, "/readyz") == 0) {
		return ask(metrics, metrics->source.is_ready)
			       ? respond_text(connection, MHD_HTTP_OK, "ready\n")
			       : respond_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
					 "draining\n");
	}
	return respond_text(connection, MHD_HTTP_NOT_FOUND, "/metrics, /healthz or /readyz\n");
}

static enum MHD_Result may_ask(void *context, const struct sockaddr *peer, socklen_t len)
{
	struct metrics *metrics = context;
	struct in6_addr address;

	(void)len;
	if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6) {
		return MHD_YES;
	}
	address = prefix_address(peer);
	return access_allows(&metrics->access, &address) ? MHD_YES : MHD_NO;
}

static bool has_room(void *context)
{
	struct metrics *metrics = context;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(metrics->server, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return !info || info->num_connections < CONNECTIONS_MAX;
}

static void take(void *context, int conn_fd, const struct sockaddr *peer, socklen_t len)
{
	struct metrics *metrics = context;

	/* It closes the connection if that is one too many. */
	(void)MHD_add_connection(metrics->server, conn_fd, peer, len);
}

struct metrics *metrics_start(const struct listener_set *listeners, const struct settings *settings,
	const struct metrics_source *source)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	const struct scrapers_taker taker = { metrics, has_room, take };

	if (!metrics) {
		return NULL;
	}
	metrics->source = *source;
	pthread_mutex_init(&metrics->lock, NULL);
	access_init(&metrics->access, settings);
	errno = 0;
	metrics->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
				MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET,
		0, may_ask, metrics, answer, metrics,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_SOURCE,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_BYTES,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK_BYTES,
		MHD_OPTION_END);
	metrics->scrapers = metrics->server ? scrapers_start(listeners, &taker) : NULL;
	if (!metrics->scrapers) {
		int error = errno ? errno : EIO;

		metrics_stop(metrics);
		errno = error;
		return NULL;
	}
	return metrics;
}

void metrics_stop(struct metrics *metrics)
{
	if (!metrics) {
		return;
	}
	scrapers_stop(metrics->scrapers);
	if (metrics->server) {
		MHD_stop_daemon(metrics->server);
	}
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}
