/*
 * exception remove: removes the exception for a destination.
 */
#include "daemon/ctl/exception/exception_edit.h"
#include "daemon/ctl/frame/arguments.h"

int exception_remove_run(
	struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	const char *domain = NULL;
	int status = arguments_parse(ctl, command, NULL, 0, count, arguments, &domain);

	return status != ARGUMENTS_GO_ON ? status
					 : exception_edit(ctl, domain, NULL, json_object());
}
