/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "bench/judge.h"
#include "bench/ticket.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text;
	const char *expect;
	bool framed;
	enum outcome outcome;
} answers[] = {
	{ " 12:00 up 1 day\n", NULL, false, OUTCOME_ANSWERED },
	{ " 12:00 up 1 day\n", "up", false, OUTCOME_ANSWERED },
	{ " 12:00 up 1 day\n", "down", false, OUTCOME_BAD_UNEXPECTED },
	{ " 12:00 up 1 day", NULL, false, OUTCOME_BAD_UNFINISHED },
	{ " 12:00 up 1 day", NULL, true, OUTCOME_ANSWERED },
	{ "", NULL, false, OUTCOME_ERROR_CLOSED },
	{ "", NULL, true, OUTCOME_BAD_UNFINISHED },
	{ "a\x01\n", NULL, false, OUTCOME_BAD_NOT_TEXT },
	{ "caf\xc3\xa9\r\n", NULL, false, OUTCOME_ANSWERED },
	{ "error: no\n", NULL, false, OUTCOME_ERROR_SERVER },
	{ "error: no\n", "no", false, OUTCOME_ERROR_SERVER },
	{ "error: no\n", "yes", false, OUTCOME_ERROR_SERVER },
	{ "error: n", "yes", false, OUTCOME_ERROR_SERVER },
	{ "error: no", "error", true, OUTCOME_ERROR_SERVER },
	{ "errors: 0, up 1 day\n", "up", false, OUTCOME_ANSWERED },
};

START_TEST(test_judging)
{
	for (size_t i = 0; i < ROWS(answers); i++) {
		enum outcome outcome = judge_answer(answers[i].text, strlen(answers[i].text),
			answers[i].framed, answers[i].expect);

		ck_assert_msg(outcome == answers[i].outcome, "'%s': %s", answers[i].text,
			outcome_name(outcome));
	}
	ck_assert(judge_answer("a\0b\n", 4, false, NULL) == OUTCOME_BAD_NOT_TEXT);
}
END_TEST

START_TEST(test_surplus)
{
	ck_assert(judge_surplus_lines("a\n", 2) == 0);
	ck_assert(judge_surplus_lines("a", 1) == 0);
	ck_assert(judge_surplus_lines("a\na\n", 4) == 1);
	ck_assert(judge_surplus_lines("a\na\nb\n", 6) == 2);
}
END_TEST

START_TEST(test_every_outcome_has_a_name_and_a_kind)
{
	for (unsigned i = 0; i < OUTCOMES; i++) {
		enum outcome outcome = (enum outcome)i;
		int kinds = (outcome == OUTCOME_ANSWERED) + (outcome == OUTCOME_LOST) +
			outcome_is_bad(outcome) + outcome_is_error(outcome);

		ck_assert(outcome_name(outcome)[0]);
		ck_assert_msg(kinds == 1, "%s", outcome_name(outcome));
	}
}
END_TEST

START_TEST(test_tickets)
{
	struct ticket_book *book = ticket_book_new(UINT64_MAX - 100);
	uint64_t first = ticket_issue(book, 7);
	uint64_t id = first;

	ck_assert(ticket_find(book, first)->slot == 7);
	ck_assert(ticket_find(book, first + 1) == NULL);
	/* Round the ring, over the end of the numbers; the first still runs and keeps its place. */
	for (unsigned i = 0; i < 3 * TICKETS; i++) {
		id = ticket_issue(book, 8);
		ck_assert(id != first);
		ticket_find(book, id)->state = TICKET_ANSWERED;
	}
	ck_assert(ticket_find(book, first)->state == TICKET_RUNNING);
	ck_assert(ticket_find(book, id)->state == TICKET_ANSWERED);
	ck_assert(ticket_find(book, id - TICKETS) == NULL);
	ck_assert(ticket_find_number(book, (uint32_t)(id % (4 * TICKETS)), 4 * TICKETS)->id == id);
	/* One whose place another has taken is unknown, not that other one. */
	ck_assert(!ticket_find_number(book, (uint32_t)((id - TICKETS) % (4 * TICKETS)),
		4 * TICKETS));
	free(book);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("judge");
	TCase *tcase = tcase_create("judge");

	tcase_add_test(tcase, test_judging);
	tcase_add_test(tcase, test_surplus);
	tcase_add_test(tcase, test_every_outcome_has_a_name_and_a_kind);
	tcase_add_test(tcase, test_tickets);
	suite_add_tcase(suite, tcase);
	return suite;
}
