#include "daemon/ctl/frame/json_output.h"

#include <stdio.h>

void json_output_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

void json_output_print_new(json_t *value)
{
	json_output_print(value);
	json_decref(value);
}
