/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed -plot: the rows of a report as a drawing, by gnuplot. */
#ifndef MTLS_APPS_SPEED_PLOT_H
#define MTLS_APPS_SPEED_PLOT_H

#include "speed.h"

struct speed_plot;

/*
 * speed_plot_new sees that gnuplot is there and |file| can be written. NULL,
 * with a message, when not.
 */
struct speed_plot *speed_plot_new(const char *file);

/* speed_plot_row keeps a row; the drawing has a part for each mode and unit. */
void speed_plot_row(struct speed_plot *p, const struct speed_row *row,
                    const struct speed_summary *mtls,
                    const struct speed_summary *base, double ratio);

/* speed_plot_draw writes the file; 0 with a message. */
int speed_plot_draw(const struct speed_plot *p);

void speed_plot_free(struct speed_plot *p);

#endif
