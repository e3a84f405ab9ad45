/* SPDX-License-Identifier: MIT */
#include "daemon/sandbox/command_files.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io.h"

/* The kernel looks at 256 bytes of a script. */
#define HEAD_BYTES	  256
#define PROGRAM_PARTS_MAX 64

/* HEAD, a string, is "#!", blanks, the interpreter, perhaps more. Returns false if it is not. */
static bool read_interpreter(const char *head, char *path)
{
	size_t len;

	if (head[0] != '#' || head[1] != '!') {
		return false;
	}
	head += 2;
	head += strspn(head, " \t");
	len = strcspn(head, " \t\n");
	memcpy(path, head, len);
	path[len] = '\0';
	return path[0] == '/';
}

/* What PT_INTERP of an ELF program of our own kind says. Returns false if there is none. */
static bool read_loader(int fd, const char *head, size_t len, char *path)
{
	const ElfW(Ehdr) *elf = (const void *)head;
	ElfW(Phdr) part;

	if (len < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->e_phentsize != sizeof(part)) {
		return false;
	}
	for (unsigned i = 0; i < elf->e_phnum && i < PROGRAM_PARTS_MAX; i++) {
		if (pread(fd, &part, sizeof(part), (off_t)(elf->e_phoff + i * sizeof(part))) !=
			sizeof(part)) {
			return false;
		}
		if (part.p_type == PT_INTERP) {
			size_t size = part.p_filesz;

			return size > 1 && size <= PATH_MAX &&
			       pread(fd, path, size, (off_t)part.p_offset) == (ssize_t)size &&
			       path[size - 1] == '\0' && path[0] == '/';
		}
	}
	return false;
}

/* Note which file FILE's path is. Returns whether there is another in the chain, with its path. */
static bool follow(struct command_files *command, struct command_file *file, char *next)
{
	_Alignas(ElfW(Ehdr)) char head[HEAD_BYTES + 1];
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd < 0 ? -1 : read(fd, head, HEAD_BYTES);
	bool unreadable = fd < 0 && errno == EACCES;
	bool more = false;
	struct stat st;

	if (stat(file->path, &st) == 0) {
		file->device = st.st_dev;
		file->inode = st.st_ino;
	}
	/* It may be executed all the same, by whatever it is that it needs for that. */
	command->is_script = command->is_script || unreadable;
	if (len > 0) {
		head[len] = '\0';
		more = read_interpreter(head, next);
		command->is_script = command->is_script || more;
		more = more || read_loader(fd, head, (size_t)len, next);
	}
	io_close(&fd);
	return more;
}

void command_files_look_up(struct command_files *command, const char *path)
{
	char next[PATH_MAX] = "";
	bool more = true;

	command->count = 0;
	command->is_script = false;
	strncat(next, path, sizeof(next) - 1);
	while (more && command->count < COMMAND_FILES_MAX) {
		struct command_file *file = &command->files[command->count++];

		*file = (struct command_file){ .device = 0 };
		memcpy(file->path, next, sizeof(next));
		more = follow(command, file, next);
	}
}

bool command_files_is_stale(const struct command_files *command)
{
	for (unsigned i = 0; i < command->count; i++) {
		const struct command_file *file = &command->files[i];
		struct stat st = { .st_ino = 0 };

		(void)!stat(file->path, &st);
		if (st.st_dev != file->device || st.st_ino != file->inode) {
			return true;
		}
	}
	return false;
}
