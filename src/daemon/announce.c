/* SPDX-License-Identifier: MIT */
#include "daemon/announce.h"

#include <stdbool.h>
#include <unistd.h>

#include "common/log.h"
#include "common/prefix.h"
#include "daemon/listen/udp_socket.h"
#include "daemon/policy/udp_policy.h"
#include "daemon/run/children.h"

static void announce_buffer(const struct listener *listener, const char *text)
{
	int bytes = udp_socket_buffer_bytes(listener->fd);

	log_info("receive buffer of %s: %d bytes%s", text, bytes,
		bytes < UDP_SOCKET_BUFFER_BYTES ? ", for want of net.core.rmem_max" : "");
}

static void warn_of_reflection(const struct settings *settings)
{
	static const char danger[] = "others can have answers sent to whom they like";

	if (settings->udp_open) {
		log_warning("--udp-open: %s", danger);
	}
	for (unsigned i = 0; i < settings->udp_allow_count; i++) {
		const struct prefix *network = &settings->udp_allow[i];
		char text[PREFIX_TEXT_BYTES];

		if (udp_policy_is_wide(network)) {
			log_warning("--udp-allow=%s: %s", prefix_format(network, text), danger);
		}
	}
}

void announce_metrics(const struct listener_set *listeners)
{
	for (unsigned i = 0; i < listeners->count; i++) {
		char text[ADDRESS_TEXT_MAX];

		if (i > 0 && address_equal(&listeners->all[i].address,
				     &listeners->all[i - 1].address)) {
			continue;
		}
		address_format(&listeners->all[i].address, text, sizeof(text));
		log_info("metrics %s", text);
	}
}

void announce_listeners(const struct listener_set *listeners, const struct settings *settings)
{
	const struct listener *all = listeners->all;
	bool udp = false;

	for (unsigned i = 0; i < listeners->count; i++) {
		char text[ADDRESS_TEXT_MAX];

		/* '*' has a socket for each family, and one line. */
		if (i > 0 && address_equal(&all[i].address, &all[i - 1].address)) {
			continue;
		}
		address_format(&all[i].address, text, sizeof(text));
		log_info("listening %s", text);
		if (all[i].absent) {
			log_warning("%s is not an address of this host now: it is served as soon "
				"as it is one", text);
		}
		if (all[i].address.scheme == ADDRESS_UDP) {
			announce_buffer(&all[i], text);
			udp = true;
		}
	}
	if (udp) {
		warn_of_reflection(settings);
	}
	if (settings->source == SETTINGS_EXEC && access(CHILDREN_PATH, R_OK) < 0) {
		log_warning("no %s: what a command leaves behind is not killed",
			CHILDREN_PATH);
	}
}
