/* SPDX-License-Identifier: MIT */
/*
 * What each unit test file provides; unit/main.c runs it and prints TAP. Each ck_assert() is a
 * message to the process that minds the test, so what is done a hundred thousand times calls
 * ck_abort_msg() if it fails.
 */
#ifndef RUPTIME_TESTS_UNIT_H
#define RUPTIME_TESTS_UNIT_H

#include <check.h>

/* The suite of this program, named like the module it tests. */
Suite *unit_suite(void);

#endif
