/* SPDX-License-Identifier: MIT */
/*
 * TAILQ of queue(7), as far as it is used here, also where the C library leaves it out, as musl.
 */
#ifndef RUPTIME_COMMON_TAILQ_H
#define RUPTIME_COMMON_TAILQ_H

#ifdef HAVE_SYS_QUEUE_H
#include <sys/queue.h>
#else
#include <stddef.h>

#define TAILQ_HEAD(name, type)       \
	struct name {                \
		struct type *first_; \
		struct type *last_;  \
	}

#define TAILQ_ENTRY(type)             \
	struct {                      \
		struct type *next_;   \
		struct type *before_; \
	}

#define TAILQ_EMPTY(head)      ((head)->first_ == NULL)
#define TAILQ_FIRST(head)      ((head)->first_)
#define TAILQ_LAST(head, name) ((head)->last_)

#define TAILQ_FOREACH(element, head, field)                 \
	for ((element) = (head)->first_; (element) != NULL; \
		(element) = (element)->field.next_)

#define TAILQ_INIT(head)                               \
	do {                                           \
		(head)->first_ = (head)->last_ = NULL; \
	} while (0)

#define TAILQ_INSERT_HEAD(head, element, field)                    \
	do {                                                       \
		(element)->field.before_ = NULL;                   \
		(element)->field.next_ = (head)->first_;           \
		if ((head)->first_ != NULL) {                      \
			(head)->first_->field.before_ = (element); \
		} else {                                           \
			(head)->last_ = (element);                 \
		}                                                  \
		(head)->first_ = (element);                        \
	} while (0)

#define TAILQ_INSERT_TAIL(head, element, field)                 \
	do {                                                    \
		(element)->field.next_ = NULL;                  \
		(element)->field.before_ = (head)->last_;       \
		if ((head)->last_ != NULL) {                    \
			(head)->last_->field.next_ = (element); \
		} else {                                        \
			(head)->first_ = (element);             \
		}                                               \
		(head)->last_ = (element);                      \
	} while (0)

#define TAILQ_REMOVE(head, element, field)                                                \
	do {                                                                              \
		if ((element)->field.next_ != NULL) {                                     \
			(element)->field.next_->field.before_ = (element)->field.before_; \
		} else {                                                                  \
			(head)->last_ = (element)->field.before_;                         \
		}                                                                         \
		if ((element)->field.before_ != NULL) {                                   \
			(element)->field.before_->field.next_ = (element)->field.next_;   \
		} else {                                                                  \
			(head)->first_ = (element)->field.next_;                          \
		}                                                                         \
	} while (0)

#endif

#endif
