/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/guard.h"

#include <endian.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

/* The one of a newer C library, which has another name in each header. */
#define TCGETS2_ANYWHERE 0x802c542a

/* is it a terminal? by glibc, by a newer glibc, by musl; has a client said more; the watcher */
static const uint32_t requests[] = {
	TCGETS, TCGETS2_ANYWHERE, TIOCGWINSZ, FIONREAD, SECCOMP_IOCTL_NOTIF_RECV,
	SECCOMP_IOCTL_NOTIF_SEND,
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* The kernel looks at 32 bits of a request. */
#define LOW_BYTES   (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0)
#define REQUEST_AT  (offsetof(struct seccomp_data, args[1]) + LOW_BYTES)
#define LOAD(at)    ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at)))
#define IS(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f))

void sandbox_guard(struct sock_fprog *program, uint32_t audit_arch, uint32_t number,
	uint32_t refuse)
{
	struct sock_filter *at = program->filter;
	const unsigned count = REQUESTS + 6;

	_Static_assert(REQUESTS + 6 <= GUARD_INSTRUCTIONS, "they have to find room");
	memmove(at + count, at, program->len * sizeof(*at));
	program->len = (unsigned short)(program->len + count);
	/* Jumps are as far as there are instructions to be left out. */
	at[0] = LOAD(offsetof(struct seccomp_data, arch));
	at[1] = IS(audit_arch, 0, (uint8_t)(count - 2));
	at[2] = LOAD(offsetof(struct seccomp_data, nr));
	at[3] = IS(number, 0, (uint8_t)(count - 4));
	at[4] = LOAD(REQUEST_AT);
	for (unsigned i = 0; i < REQUESTS; i++) {
		at[5 + i] = IS(requests[i], (uint8_t)(REQUESTS - i), 0);
	}
	at[5 + REQUESTS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refuse);
}
