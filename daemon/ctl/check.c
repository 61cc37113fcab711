/*
 * check: does every mail server of a destination verify for a sender that uses DANE? This file has
 * the options and the sequence of steps; server_check.h, check_status.h and check_warnings.h do the
 * work.
 */
#include "daemon/ctl/check/check_print.h"

#include "common/base/log.h"
#include "daemon/ctl/frame/arguments.h"
#include "daemon/ctl/frame/ip_address.h"

#include <string.h>

struct options {
	struct server_check_options check;
	uint32_t port; /* 0: the port of the destination */
	int protocol;
};

static int read_options(struct ctl *ctl, const struct command *command, int count, char **arguments,
	struct options *options, const char **destination)
{
	const struct argument table[] = {
		{"port", 'p', ARGUMENT_NUMBER, "N", "port, default that of DEST, or 25",
			&options->port, 1, 65535, NULL},
		{"connect", 0, ARGUMENT_TEXT, "ADDR",
			"connect to this address instead of the hosts' own",
			&options->check.connect, 0, 0, NULL},
		{"timeout", 0, ARGUMENT_NUMBER, "N", "seconds for one connection, default 20",
			&options->check.timeout, 1, 3600, NULL},
		{"starttls", 0, ARGUMENT_CHOICE, "smtp|none",
			"none: TLS from the first byte; default smtp", &options->protocol, 0, 0,
			server_protocol_names},
		{"ipv4", '4', ARGUMENT_FLAG, NULL, "connect over IPv4 only",
			&options->check.ipv4_only, 0, 0, NULL},
		{"ipv6", '6', ARGUMENT_FLAG, NULL, "connect over IPv6 only",
			&options->check.ipv6_only, 0, 0, NULL},
		{"mx-only", 0, ARGUMENT_FLAG, NULL, "only look up the DNS records, do not connect",
			&options->check.mx_only, 0, 0, NULL},
	};
	int status = arguments_parse(
		ctl, command, table, sizeof table / sizeof table[0], count, arguments, destination);

	options->check.protocol = (enum starttls_protocol)options->protocol;
	return status;
}

/* Refuses options that contradict each other. */
static bool check_options(const struct options *options)
{
	struct sockaddr_storage address;
	socklen_t size;

	if (options->check.ipv4_only && options->check.ipv6_only)
		log_error("check: -4 and -6 cannot be combined: no address is left");
	else if (options->check.connect != NULL &&
		 !ip_address_parse(options->check.connect, 25, &address, &size))
		log_error("--connect %s: expected a numeric IPv4 or IPv6 address",
			options->check.connect);
	else
		return true;
	return false;
}

/* Brackets and ports mean what they mean to Postfix. */
static bool read_destination(
	const char *typed, const struct options *options, struct destination *destination)
{
	switch (destination_parse(typed, strlen(typed), destination)) {
	case DESTINATION_OK:
		if (options->port != 0)
			destination->port = (uint16_t)options->port;
		return true;
	case DESTINATION_ADDRESS:
		log_error("%.300s is an address, and DANE needs a name: name the host, and give "
			  "the address with --connect",
			typed);
		return false;
	default:
		log_error("'%.300s' is not a mail domain or a host in brackets, as example.com or "
			  "[mx.example.com]:587",
			typed);
		return false;
	}
}

static int exit_status_of(enum check_status status)
{
	switch (status) {
	case CHECK_VERIFIED:
		return CTL_YES;
	case CHECK_FAILED:
		return CTL_NO;
	case CHECK_NO_DANE:
		return CTL_NO_DANE;
	default:
		return EX_TEMPFAIL;
	}
}

static int report(const struct ctl *ctl, const struct server_check *check)
{
	struct check_warnings warnings;

	if (!check_warnings_make(&warnings, check)) {
		log_error("out of memory");
		return EX_TEMPFAIL;
	}
	if (ctl->json)
		check_print_json(check, &warnings);
	else
		check_print_text(check, &warnings);
	check_warnings_clear(&warnings);
	return exit_status_of(check_status_of_all(check));
}

int check_run(struct ctl *ctl, const struct command *command, int count, char **arguments)
{
	struct options options = {.check = {.timeout = 20}};
	struct destination destination;
	struct local_resolver local;
	struct server_check check;
	const char *typed = NULL;
	int status = read_options(ctl, command, count, arguments, &options, &typed);

	if (status != ARGUMENTS_GO_ON)
		return status;
	if (!check_options(&options)) {
		arguments_print_usage(command);
		return EX_USAGE;
	}
	if (!read_destination(typed, &options, &destination))
		return CTL_NO_DANE;
	status = EX_TEMPFAIL;
	if (local_resolver_open(&local, ctl)) {
		if (server_check_run(&check, &local, &destination, &options.check))
			status = report(ctl, &check);
		server_check_clear(&check);
	}
	local_resolver_close(&local);
	return status;
}
