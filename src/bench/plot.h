/* SPDX-License-Identifier: MIT */
/*
 * Plots as SVG inside a page of HTML. Colours and fonts come from the page's style sheet, by class.
 *
 * A drawing that shrinks with the window has letters that are too small, so each plot is drawn
 * twice, for wide and for narrow windows; the style sheet shows one of them.
 */
#ifndef RUPTIME_BENCH_PLOT_H
#define RUPTIME_BENCH_PLOT_H

#include <stdbool.h>
#include <stdio.h>

enum plot_style {
	PLOT_LINE,
	PLOT_AREA,		/* a line and what is below it */
	PLOT_DOTS,
};

struct plot_point {
	double x;
	double y;
};

struct plot_series {
	const char *name;	/* for the legend; NULL: not in it */
	const char *css_class;
	enum plot_style style;
	const struct plot_point *points;
	unsigned count;
};

enum plot_unit {
	PLOT_NUMBER,
	PLOT_SECONDS,
	PLOT_DURATION,		/* values in ns */
	PLOT_PERCENTILE,	/* values are -log10(1 - quantile): 2 is the 99th percentile */
};

struct plot_axis {
	const char *title;
	enum plot_unit unit;
	bool logarithmic;	/* from a whole power of ten or its double or fivefold to another */
	bool from_zero;
};

struct plot {
	const char *id;		/* of the page's element */
	const char *title;
	const char *subtitle;
	struct plot_axis x;
	struct plot_axis y;
	const struct plot_series *series;
	unsigned count;
};

/* Write the plot as a <figure>; nothing if no series has a point. */
void plot_write(const struct plot *plot, FILE *out);

/* Write TEXT so that HTML takes it for text. */
void plot_write_escaped(const char *text, FILE *out);

#endif
