/* SPDX-License-Identifier: MIT */
/*
 * What each fuzz target provides. libFuzzer calls it if configured with --enable-fuzzing;
 * otherwise replay.c does, with each file of corpus/NAME.
 */
#ifndef RUPTIME_TESTS_FUZZ_H
#define RUPTIME_TESTS_FUZZ_H

/* A target without its assertions would find nothing. */
#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Dies if the LEN bytes at DATA show something wrong. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
