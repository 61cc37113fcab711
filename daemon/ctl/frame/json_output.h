/*
 * json_output: prints one JSON value for --json, indented, in ASCII.
 */
#ifndef TLSAD_CTL_FRAME_JSON_OUTPUT_H
#define TLSAD_CTL_FRAME_JSON_OUTPUT_H

#include <jansson.h>

/* Prints to standard output; main() reports its errors. */
void json_output_print(const json_t *value);

/* The same; releases the value. */
void json_output_print_new(json_t *value);

#endif
