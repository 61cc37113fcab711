/*
 * probe-starttls - runs common/smtp/starttls with one server, for t/lab/starttls.t
 *
 *	probe-starttls [--sni NAME] [--tls-only] [--timeout SECONDS] [--longest-chain BYTES]
 *	               [--verify] ADDRESS PORT
 *
 * Prints `outcome`, `stage`, `detail`, `verify` (OpenSSL's text), `certificates` (their number),
 *and for each of them `sha256`, each with its value on a separate line. Exit status 0 with any
 *outcome.
 * --longest-chain is OpenSSL's max_cert_list; --verify makes the handshake fail if no authority of
 * the system issued the certificate.
 *
 * SIGPIPE keeps its default action: common/smtp/starttls must not raise it.
 */
#include "common/base/text.h"
#include "common/smtp/starttls.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct event_base *base;

static void print_certificate(X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char digits[2 * EVP_MAX_MD_SIZE + 1];
	unsigned size = 0;
	struct text text;

	text_init(&text, digits, sizeof digits);
	if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1)
		text_add_hex(&text, digest, size);
	printf("sha256 %s\n", digits);
}

static void print_result(void *context, const struct starttls_result *result)
{
	STACK_OF(X509) *chain = result->ssl != NULL ? SSL_get_peer_cert_chain(result->ssl) : NULL;
	int count = chain != NULL ? sk_X509_num(chain) : 0;

	(void)context;
	printf("outcome %s\nstage %s\ndetail %s\n", starttls_outcome_name(result->outcome),
		starttls_stage_name(result->stage), result->detail);
	if (result->ssl != NULL)
		printf("verify %s\n",
			X509_verify_cert_error_string(SSL_get_verify_result(result->ssl)));
	printf("certificates %d\n", count);
	for (int i = 0; i < count; i++)
		print_certificate(sk_X509_value(chain, i));
	event_base_loopbreak(base);
}

static void usage(void)
{
	fputs("usage: probe-starttls [--sni NAME] [--tls-only] [--timeout SECONDS]\n"
	      "                      [--longest-chain BYTES] [--verify] ADDRESS PORT\n",
		stderr);
	exit(64);
}

static void parse_address(struct starttls_terms *terms, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&terms->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&terms->address;
	in_port_t number = htons((uint16_t)strtoul(port, NULL, 10));

	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = number;
		terms->address_size = sizeof *v6;
	} else if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		terms->address_size = sizeof *v4;
	} else {
		usage();
	}
}

static int probe(struct starttls_terms *terms)
{
	base = terms->base = event_base_new();
	if (base == NULL)
		return 1;
	struct starttls *starttls = starttls_new(terms, print_result, NULL);
	if (starttls == NULL)
		return 1;
	event_base_dispatch(base);
	starttls_free(starttls);
	event_base_free(base);
	if (ERR_peek_error() != 0) {
		fputs("probe-starttls: an OpenSSL error remains in the queue\n", stderr);
		return 1;
	}
	return 0;
}

static const struct option long_options[] = {
	{"sni", required_argument, NULL, 's'},
	{"tls-only", no_argument, NULL, 'o'},
	{"timeout", required_argument, NULL, 't'},
	{"longest-chain", required_argument, NULL, 'c'},
	{"verify", no_argument, NULL, 'v'},
	{NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	struct starttls_terms terms = {.helo = "probe.example", .timeout = 10};
	int letter;

	signal(SIGPIPE, SIG_DFL);
	terms.context = SSL_CTX_new(TLS_client_method());
	if (terms.context == NULL)
		return 1;
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 's':
			terms.server_name = optarg;
			break;
		case 'o':
			terms.protocol = STARTTLS_NONE;
			break;
		case 't':
			terms.timeout = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			SSL_CTX_set_max_cert_list(terms.context, strtol(optarg, NULL, 10));
			break;
		case 'v':
			SSL_CTX_set_verify(terms.context, SSL_VERIFY_PEER, NULL);
			break;
		default:
			usage();
		}
	}
	if (argc != optind + 2)
		usage();
	parse_address(&terms, argv[optind], argv[optind + 1]);
	int status = probe(&terms);
	SSL_CTX_free(terms.context);
	return status;
}
