/*
 * json_output: what --json prints: one JSON value, indented, in ASCII.
 */
#ifndef TLSAD_CTL_FRAME_JSON_OUTPUT_H
#define TLSAD_CTL_FRAME_JSON_OUTPUT_H

#include <jansson.h>

/* To standard output, whose errors main() reports. */
void json_output_print(const json_t *value);

/* The same, and releases the value. */
void json_output_print_new(json_t *value);

#endif
