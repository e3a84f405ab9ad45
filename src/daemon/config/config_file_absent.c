/* SPDX-License-Identifier: MIT */
#include "daemon/config/config_file.h"

#include <stdio.h>

int config_file_read(const char *path, struct given_list *list, char *why, size_t size)
{
	(void)list;
	snprintf(why, size, "%s: this program is built without libconfuse", path);
	return -1;
}
