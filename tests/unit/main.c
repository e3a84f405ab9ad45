/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdlib.h>

/* Failed cases are the TAP driver's business: success means that all of them were run. */
int main(void)
{
	SRunner *runner = srunner_create(unit_suite());

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	srunner_free(runner);
	return EXIT_SUCCESS;
}
