/*
 * conf: the configuration, read with inih.
 *
 * Every setting is one row of the table in settings.c, which is used to parse, check, print and
 * explain it. In the sections `minimum` and `exception` the keys are domains: their lines are rules
 * (common/site/rules.h). A struct conf does not change after it is loaded; a reload makes a new
 * one. Each thread that uses one holds a reference (conf_hold(), conf_release()).
 *
 * Errors are one line that names the file and line or the override, the setting, what is wrong and
 * what to do.
 */
#ifndef TLSAD_CONF_CONF_H
#define TLSAD_CONF_CONF_H

#include "common/site/rules.h"
#include "common/verdict/pin.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CONF_LIST_MAX = 256, /* entries of one list */
	CONF_LINE_MAX = 198, /* longest line that inih reads [bytes] (INI_MAX_LINE minus 2) */
	CONF_ERROR_SIZE = 512,
	CONF_DIRECTORY_MAX = 200, /* of tafile_dir, which becomes part of replies [bytes] */
};

/* The default of [server] policy. If it cannot be created, tlsad only warns. */
#define CONF_DEFAULT_POLICY "unix:" TLSAD_RUNDIR "/policy"

enum conf_enforce { ENFORCE_NATIVE, ENFORCE_PINNED };
enum conf_mode { MODE_ENFORCE, MODE_MONITOR };
extern const char *const conf_mode_names[]; /* NULL-terminated */
enum conf_digest { DIGEST_SHA256, DIGEST_SHA512 };
enum conf_insecure_mx { INSECURE_MX_STS, INSECURE_MX_DANE };
enum conf_requiretls { REQUIRETLS_ENFORCE, REQUIRETLS_STARTTLS, REQUIRETLS_OPPORTUNISTIC };
extern const char *const conf_requiretls_names[]; /* NULL-terminated */

/* Strings of one setting; the entries point into memory that the struct conf owns. */
struct conf_list {
	size_t count;
	char *entries[CONF_LIST_MAX];
};

struct conf {
	atomic_uint references;

	struct {
		struct conf_list socketmap;
		struct conf_list policy; /* may be empty */
		char *control;           /* `unix:PATH`, or empty */
		char *metrics;           /* endpoint, or empty */
		struct conf_list allow;
		uint32_t workers;     /* 0: one for each processor, at most 8 */
		uint32_t socket_mode; /* permission bits */
		uint32_t max_connections;
		uint32_t idle_timeout; /* [s] */
		char *user;            /* account, or empty */
		char *chroot;          /* directory, or empty */
		char *pid_file;        /* or empty */
	} server;
	struct {
		char *trust_anchor; /* file */
		struct conf_list forward;
		struct conf_list stub;
		char *options; /* file, or empty */
		bool query_localhost;
		uint32_t timeout; /* [s] */
	} resolver;
	struct {
		int enforce;            /* enum conf_enforce */
		int site_level;         /* enum tls_level (common/verdict/level.h) */
		int fingerprint_digest; /* enum conf_digest */
		char *tafile_dir;       /* directory, or empty */
		char *tafile_prefix;    /* the same directory as Postfix sees it, or empty */
		bool learn_trust_anchors;
		int mode;              /* enum conf_mode */
		char *minimums_file;   /* or empty, like the next one */
		char *exceptions_file; /* need not exist */
	} dane;
	struct {
		bool warm;
		bool announce;
		char *announce_header; /* the name of a header field */
		char *lacking;         /* an action (common/site/action.h) */
		uint32_t wait;         /* [s] */
		struct conf_list senders, sasl_usernames, clients;
		/* The entries of these three lists; NULL before conf_load_rules(). */
		struct submitters *submitters;
	} policy;
	struct {
		bool enable;
		int insecure_mx;  /* enum conf_insecure_mx */
		uint32_t timeout; /* [s] */
		uint32_t keep;    /* [s] */
		char *ca_file;
		uint32_t port;
		bool private_addresses;
	} sts;
	struct {
		int otherwise; /* enum conf_requiretls */
	} requiretls;
	struct {
		char *path;           /* directory */
		uint64_t max_size;    /* [bytes] */
		uint32_t min_ttl;     /* [s] */
		uint32_t max_ttl;     /* [s] */
		uint32_t failure_ttl; /* [s] */
		uint32_t prefetch;    /* [percent] */
		uint32_t serve_stale; /* [s] */
	} cache;
	struct {
		int target;   /* enum log_target */
		bool answers; /* log replies from the cache as well */
	} log;
	/*
	 * Minimums and exceptions. NULL if there is no rule and the mode is MODE_ENFORCE: then
	 * no rule can change a reply.
	 */
	struct rules *rules;
};

/*
 * Read `file`, then the overrides, each `SECTION.KEY=VALUE`. `file_must_exist` is false for the
 * default file; if that does not exist, every setting has its default. Returns a reference that the
 * caller releases, or NULL and an error.
 */
struct conf *conf_load(const char *file, bool file_must_exist, char *const *overrides,
	size_t override_count, char error[CONF_ERROR_SIZE]);

/*
 * Read the files of rules and the lists of [policy]. Call this before other threads use the
 * configuration; without it only the rules of the configuration itself exist. False and an error on
 * failure.
 */
bool conf_load_rules(struct conf *conf, char error[CONF_ERROR_SIZE]);

struct conf *conf_hold(struct conf *conf);
void conf_release(struct conf *conf);

/* Print every setting with its value and its help line, as a configuration file. */
void conf_print(const struct conf *conf, FILE *out);

/*
 * The n-th setting that differs between two configurations, from 0, as `section.key`, or NULL. For
 * rules, in the configuration or in files, it is the section alone. The name is valid until the
 * next call in the same thread.
 */
const char *conf_difference(const struct conf *one, const struct conf *other, size_t n);

/* Does a reload apply a change of `section.key`, or only a restart? */
bool conf_reloadable(const char *setting);

/*
 * In a configuration that was just loaded and is not yet shared: set the settings that only a
 * restart can change back to the values in force. False: out of memory.
 */
bool conf_copy_restart_settings(struct conf *conf, const struct conf *in_force);

/* The settings of the resolver and of pinned replies; `conf` still owns the strings. */
struct resolver_settings;
struct resolver_settings conf_resolver_settings(const struct conf *conf);
struct pin_settings conf_pin_settings(const struct conf *conf);

/* Put the settings of [sts] that decide() needs into the facts. */
void conf_decide_settings(const struct conf *conf, struct decide_facts *facts);

#endif
