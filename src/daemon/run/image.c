/* SPDX-License-Identifier: MIT */
#include "daemon/run/image.h"

#include <string.h>

static struct image_file look(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0) {
		return (struct image_file){ .device = 0 };
	}
	return (struct image_file){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = st.st_size,
		.modified = st.st_mtim,
		.changed = st.st_ctim,
	};
}

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool is_same(const struct image_file *one, const struct image_file *other)
{
	return one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && is_same_time(&one->modified, &other->modified) &&
	       is_same_time(&one->changed, &other->changed);
}

void image_clear(struct image *image)
{
	image->count = 0;
	image->names_len = 0;
}

int image_add(struct image *image, const char *names, size_t len)
{
	if (!len || names[len - 1] || len > sizeof(image->names) - image->names_len) {
		return -1;
	}
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		if (image->count == IMAGE_FILES_MAX) {
			return -1;
		}
		image->files[image->count++] = look(name);
	}
	memcpy(image->names + image->names_len, names, len);
	image->names_len += len;
	return 0;
}

bool image_has_same_names(const struct image *image, const struct image *other)
{
	return image->names_len == other->names_len &&
	       memcmp(image->names, other->names, image->names_len) == 0;
}

bool image_is_stale(const struct image *image)
{
	const char *name = image->names;

	for (unsigned i = 0; i < image->count; i++) {
		const struct image_file now = look(name);

		if (!is_same(&image->files[i], &now)) {
			return true;
		}
		name += strlen(name) + 1;
	}
	return false;
}
