/* SPDX-License-Identifier: MIT */
#include "bench/plot.h"

#include <math.h>
#include <string.h>

#include "bench/figure.h"

#define TICKS_MAX 32

/* Where the plotted area is, in units of the drawing. */
struct frame {
	double left, right, top, bottom;
	double width, height;	/* of the drawing */
	unsigned x_ticks;	/* about as many */
};

struct range {
	double min;
	double max;
	bool logarithmic;
};

static const struct frame frames[] = {
	{ .left = 68, .right = 846, .top = 12, .bottom = 262, .width = 880, .height = 306,
	  .x_ticks = 10 },
	{ .left = 58, .right = 338, .top = 12, .bottom = 212, .width = 360, .height = 256,
	  .x_ticks = 5 },
};
static const char *const frame_names[] = { "wide", "narrow" };

void plot_write_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* The steps of 1, 2 and 5 times a power of ten, next to VALUE below it or above. */
static double round_to_step(double value, bool up)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double power = pow(10, floor(log10(value)));

	if (up) {
		for (unsigned i = 0; i < 4; i++) {
			if (value <= power * steps[i] * 1.000001) {
				return power * steps[i];
			}
		}
	}
	for (unsigned i = 3; i > 0; i--) {
		if (value >= power * steps[i] * 0.999999) {
			return power * steps[i];
		}
	}
	return power;
}

static struct range range_of(const struct plot *plot, bool of_y)
{
	const struct plot_axis *axis = of_y ? &plot->y : &plot->x;
	struct range range = { .min = INFINITY, .max = -INFINITY };

	for (unsigned i = 0; i < plot->count; i++) {
		for (unsigned j = 0; j < plot->series[i].count; j++) {
			const struct plot_point *point = &plot->series[i].points[j];
			double value = of_y ? point->y : point->x;

			if (axis->logarithmic && value <= 0) {
				continue;
			}
			range.min = fmin(range.min, value);
			range.max = fmax(range.max, value);
		}
	}
	range.logarithmic = axis->logarithmic && range.max > 0;
	if (axis->from_zero && !range.logarithmic) {
		range.min = 0;
	}
	if (range.logarithmic) {
		range.min = round_to_step(range.min, false);
		range.max = round_to_step(range.max * 1.05, true);
	} else if (of_y) {
		range.max = range.max > 0 ? range.max * 1.08 : 1;
	}
	if (!(range.max > range.min)) {
		range.max = range.min + 1;
	}
	return range;
}

static unsigned add_ticks_by_step(const struct range *range, unsigned wanted, double *ticks)
{
	double step = round_to_step((range->max - range->min) / wanted, true);
	unsigned count = 0;

	for (double at = ceil(range->min / step) * step;
	     at <= range->max + step * 1e-6 && count < TICKS_MAX; at += step) {
		ticks[count++] = fabs(at) < step * 1e-6 ? 0 : at;
	}
	return count;
}

static unsigned add_ticks_by_power(const struct range *range, double *ticks)
{
	bool all_steps = range->max / range->min < 200;
	unsigned count = 0;
	double power = pow(10, floor(log10(range->min) + 1e-9));

	for (; power <= range->max * 1.000001; power *= 10) {
		const double steps[] = { 1, 2, 5 };

		for (unsigned i = 0; i < (all_steps ? 3 : 1) && count < TICKS_MAX; i++) {
			double at = power * steps[i];

			if (at >= range->min * 0.999999 && at <= range->max * 1.000001) {
				ticks[count++] = at;
			}
		}
	}
	return count;
}

static void write_label(double value, enum plot_unit unit, FILE *out)
{
	static const char *const percentiles[] = {
		"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999",
	};
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned i = 0;

	switch (unit) {
	case PLOT_DURATION:
		while (value >= 999.5 && i < 3) {
			value /= 1000;
			i++;
		}
		fprintf(out, "%g %s", value, units[value > 0 ? i : 2]);
		break;
	case PLOT_PERCENTILE:
		i = (unsigned)(value + 0.5);
		fprintf(out, "%s %%", percentiles[i < 8 ? i : 7]);
		break;
	case PLOT_SECONDS:
		fprintf(out, "%g s", value);
		break;
	default:
		if (value >= 1000) {
			fputs(figure_count((uint64_t)(value + 0.5)).text, out);
		} else {
			fprintf(out, "%g", value);
		}
	}
}

static double place(double value, const struct range *range, double from, double to)
{
	double share = range->logarithmic ?
		log(fmax(value, range->min) / range->min) / log(range->max / range->min) :
		(value - range->min) / (range->max - range->min);

	return from + share * (to - from);
}

static void write_y_axis(const struct plot *plot, const struct frame *frame,
	const struct range *range, FILE *out)
{
	double ticks[TICKS_MAX];
	unsigned count = range->logarithmic ? add_ticks_by_power(range, ticks) :
		add_ticks_by_step(range, 5, ticks);

	for (unsigned i = 0; i < count; i++) {
		double y = place(ticks[i], range, frame->bottom, frame->top);

		fprintf(out, "<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"y\" x=\"%g\" y=\"%.1f\">", frame->left, frame->right, y, y,
			frame->left - 8, y + 4);
		write_label(ticks[i], plot->y.unit, out);
		fputs("</text>\n", out);
	}
}

static void write_x_axis(const struct plot *plot, const struct frame *frame,
	const struct range *range, FILE *out)
{
	double ticks[TICKS_MAX];
	unsigned count;

	if (plot->x.unit == PLOT_PERCENTILE) {
		for (count = 0; count <= range->max && count < TICKS_MAX; count++) {
			ticks[count] = count;
		}
	} else if (range->logarithmic) {
		count = add_ticks_by_power(range, ticks);
	} else {
		count = add_ticks_by_step(range, frame->x_ticks, ticks);
	}
	fprintf(out, "<line class=\"axis\" x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\"/>\n",
		frame->left, frame->right, frame->bottom, frame->bottom);
	for (unsigned i = 0; i < count; i++) {
		double x = place(ticks[i], range, frame->left, frame->right);

		fprintf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>"
			"<text class=\"x\" x=\"%.1f\" y=\"%g\">", x, x, frame->bottom,
			frame->bottom + 5, x, frame->bottom + 19);
		write_label(ticks[i], plot->x.unit, out);
		fputs("</text>\n", out);
	}
	fprintf(out, "<text class=\"x title\" x=\"%g\" y=\"%g\">%s</text>\n",
		(frame->left + frame->right) / 2, frame->bottom + 38, plot->x.title);
}

static void write_path(const struct plot_series *series, const struct frame *frame,
	const struct range *x, const struct range *y, FILE *out)
{
	if (series->style == PLOT_AREA) {
		fprintf(out, "<polygon class=\"area %s\" points=\"%.1f,%g", series->css_class,
			place(series->points[0].x, x, frame->left, frame->right), frame->bottom);
		for (unsigned i = 0; i < series->count; i++) {
			fprintf(out, " %.1f,%.1f",
				place(series->points[i].x, x, frame->left, frame->right),
				place(series->points[i].y, y, frame->bottom, frame->top));
		}
		fprintf(out, " %.1f,%g\"/>\n", place(series->points[series->count - 1].x, x,
			frame->left, frame->right), frame->bottom);
	}
	fprintf(out, "<polyline class=\"line %s\" points=\"", series->css_class);
	for (unsigned i = 0; i < series->count; i++) {
		fprintf(out, "%s%.1f,%.1f", i ? " " : "",
			place(series->points[i].x, x, frame->left, frame->right),
			place(series->points[i].y, y, frame->bottom, frame->top));
	}
	fputs("\"/>\n", out);
}

static void write_dots(const struct plot *plot, const struct plot_series *series,
	const struct frame *frame, const struct range *x, const struct range *y, FILE *out)
{
	for (unsigned i = 0; i < series->count; i++) {
		const struct plot_point *point = &series->points[i];

		fprintf(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>",
			series->css_class, place(point->x, x, frame->left, frame->right),
			place(point->y, y, frame->bottom, frame->top));
		fputs(plot->y.unit == PLOT_DURATION ? figure_duration(point->y).text :
			figure_number(point->y).text, out);
		fputs("</title></circle>\n", out);
	}
}

static void write_drawing(const struct plot *plot, const struct frame *frame, const char *name,
	FILE *out)
{
	struct range x = range_of(plot, false);
	struct range y = range_of(plot, true);

	fprintf(out, "<svg class=\"%s\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n",
		name, frame->width, frame->height, plot->title);
	write_y_axis(plot, frame, &y, out);
	write_x_axis(plot, frame, &x, out);
	for (unsigned i = 0; i < plot->count; i++) {
		const struct plot_series *series = &plot->series[i];

		if (series->count == 0) {
			continue;
		}
		if (series->style == PLOT_DOTS) {
			write_dots(plot, series, frame, &x, &y, out);
		} else {
			write_path(series, frame, &x, &y, out);
		}
	}
	fputs("</svg>\n", out);
}

static void write_legend(const struct plot *plot, FILE *out)
{
	fputs("<p class=\"legend\">", out);
	for (unsigned i = 0; i < plot->count; i++) {
		if (plot->series[i].name && plot->series[i].count > 0) {
			fprintf(out, "<span class=\"%s%s\"><i></i>", plot->series[i].css_class,
				plot->series[i].style == PLOT_DOTS ? " dots" : "");
			plot_write_escaped(plot->series[i].name, out);
			fputs("</span>", out);
		}
	}
	fputs("</p>\n", out);
}

void plot_write(const struct plot *plot, FILE *out)
{
	unsigned points = 0;

	for (unsigned i = 0; i < plot->count; i++) {
		points += plot->series[i].count;
	}
	if (points == 0) {
		return;
	}
	fprintf(out, "<figure id=\"%s\">\n<figcaption><h2>%s</h2><p>%s</p></figcaption>\n",
		plot->id, plot->title, plot->subtitle);
	write_legend(plot, out);
	for (unsigned i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		write_drawing(plot, &frames[i], frame_names[i], out);
	}
	fputs("</figure>\n", out);
}
