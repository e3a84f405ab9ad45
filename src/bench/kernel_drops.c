/* SPDX-License-Identifier: MIT */
#include "bench/kernel_drops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES    8192
#define SOFTNET_INDEX (KERNEL_DROPS - 1)

static const struct {
	const char *group;
	const char *name;
	const char *shown;
} counters[KERNEL_DROPS] = {
	{ "TcpExt:", "ListenOverflows", "ListenOverflows" },
	{ "TcpExt:", "ListenDrops", "ListenDrops" },
	{ "TcpExt:", "TCPTimeWaitOverflow", "TCPTimeWaitOverflow" },
	{ "TcpExt:", "TCPReqQFullDrop", "TCPReqQFullDrop" },
	{ "TcpExt:", "TCPAbortOnClose", "TCPAbortOnClose" },
	{ "TcpExt:", "TCPBacklogDrop", "TCPBacklogDrop" },
	{ "Udp:", "RcvbufErrors", "UdpRcvbufErrors" },
	{ "Udp:", "SndbufErrors", "UdpSndbufErrors" },
	{ "Udp:", "NoPorts", "UdpNoPorts" },
	{ "", "", "SoftnetDropped" },
};

/* HEADER has the names, VALUES the numbers, word for word below each other. */
static void read_pair(struct kernel_drops *drops, char *header, char *values)
{
	char *header_at;
	char *values_at;
	const char *group = strtok_r(header, " \n", &header_at);
	const char *name;
	const char *value;

	strtok_r(values, " \n", &values_at);
	while (group && (name = strtok_r(NULL, " \n", &header_at)) != NULL &&
	       (value = strtok_r(NULL, " \n", &values_at)) != NULL) {
		for (unsigned i = 0; i < KERNEL_DROPS; i++) {
			if (strcmp(counters[i].group, group) == 0 &&
			    strcmp(counters[i].name, name) == 0) {
				drops->count[i] = strtoull(value, NULL, 10);
			}
		}
	}
}

static void read_table(struct kernel_drops *drops, const char *path)
{
	char header[LINE_BYTES];
	char values[LINE_BYTES];
	FILE *file = fopen(path, "re");

	while (file && fgets(header, sizeof(header), file) && fgets(values, sizeof(values), file)) {
		read_pair(drops, header, values);
	}
	if (file) {
		fclose(file);
	}
}

/* One line for each CPU; the second number, hexadecimal, is what found its backlog full. */
static void read_softnet(struct kernel_drops *drops)
{
	char line[LINE_BYTES];
	FILE *file = fopen("/proc/net/softnet_stat", "re");

	while (file && fgets(line, sizeof(line), file)) {
		char *end;

		strtoul(line, &end, 16);
		drops->count[SOFTNET_INDEX] += strtoul(end, NULL, 16);
	}
	if (file) {
		fclose(file);
	}
}

void kernel_drops_read(struct kernel_drops *drops)
{
	memset(drops, 0, sizeof(*drops));
	read_table(drops, "/proc/net/netstat");
	read_table(drops, "/proc/net/snmp");
	read_softnet(drops);
}

void kernel_drops_add(struct kernel_drops *sum, const struct kernel_drops *before,
	const struct kernel_drops *after)
{
	for (unsigned i = 0; i < KERNEL_DROPS; i++) {
		sum->count[i] += after->count[i] - before->count[i];
	}
}

const char *kernel_drops_name(unsigned i)
{
	return counters[i].shown;
}
