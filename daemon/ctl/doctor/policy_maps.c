/*
 * smtp_tls_policy_maps: is one of its tables an endpoint of tlsad with a map that exists, and may
 * Postfix's process open the socket?
 */
#include "common/base/text.h"
#include "daemon/answer/maps.h"
#include "daemon/ctl/doctor/postfix.h"
#include "daemon/ctl/doctor/socket.h"

#include <string.h>

enum { MAP_NAMES_SIZE = 256 };

/* A table, and where it is in the list. */
struct examined {
	const struct lookup_table *table;
	size_t index;
};

/* A unix path as seen by smtp or proxymap, which run in the queue directory. */
struct socket_path {
	bool chrooted;
	char inside[ACCESS_PATH_SIZE]; /* from the root of the process */
};

static void find_path(const struct examination *examination, const struct lookup_table *table,
	struct socket_path *path)
{
	const char *queue = examination_value(examination, POSTCONF_QUEUE_DIRECTORY);

	path->chrooted = table->proxied ? examination->postconf->proxymap_chrooted
					: examination->client->chrooted;
	if (table->address[0] == '/' || path->chrooted)
		snprintf(path->inside, sizeof path->inside, "%s", table->address);
	else
		snprintf(path->inside, sizeof path->inside, "%.3000s/%s", queue, table->address);
}

/*
 * The same path as seen outside of the chroot. Links inside the chroot are followed; permissions do
 * not matter.
 */
static void find_outside(const struct examination *examination, const struct socket_path *path,
	char outside[ACCESS_PATH_SIZE])
{
	const struct access_account root_account = {.uid = 0};
	const char *root = examination_root(examination, path->chrooted);
	struct access_path reached;

	if (access_walk(&reached, root, path->inside, &root_account, 0) == ACCESS_YES)
		snprintf(outside, ACCESS_PATH_SIZE, "%s", reached.path);
	else
		snprintf(outside, ACCESS_PATH_SIZE, "%.500s/%.3500s", root,
			path->inside + strspn(path->inside, "/"));
}

/*
 * The endpoint that a table is meant to name, even if the path does not lead there from inside the
 * chroot.
 */
static const char *find_endpoint(
	const struct examination *examination, const struct lookup_table *table)
{
	const struct conf_list *list = &examination->doctor->conf->server.socketmap;
	char outside[ACCESS_PATH_SIZE];
	struct socket_path path = {.chrooted = false};

	if (table->kind == LOOKUP_TABLE_UNIX) {
		find_path(examination, table, &path);
		find_outside(examination, &path, outside);
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *entry = list->entries[i];
		if (table->kind == LOOKUP_TABLE_INET
				? doctor_socket_is(entry, table->address, false)
				: doctor_socket_is(entry, path.inside, true) ||
					  doctor_socket_is(entry, outside, true))
			return entry;
	}
	return NULL;
}

/* --- the map --------------------------------------------------------------------------------- */

/* Adds the names of the maps that reply with policies. */
static void add_map_names(struct text *text)
{
	for (size_t i = 0, count = 0; i < MAP_COUNT; i++) {
		if (map_is_policy_table(&maps[i]))
			text_add_format(text, "%s%s", count++ > 0 ? ", " : "", maps[i].name);
	}
}

/* The map with the same policies, and the other way about attributes for TLSRPT. */
static const struct map *find_counterpart(const struct map *map)
{
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (maps[i].form == map->form && maps[i].tlsrpt != map->tlsrpt)
			return &maps[i];
	}
	return map;
}

/*
 * The map with the same policies that suits this Postfix. One without the attributes suits it if it
 * would not know them, or if there are none.
 */
static const struct map *find_suitable(const struct examination *examination, const struct map *map)
{
	struct postfix_version version = examination->postconf->version;
	bool unknown = map->tlsrpt && !postfix_version_has_tlsrpt(version);
	bool missed = !map->tlsrpt && examination->doctor->conf->sts.enable &&
		      postfix_version_has_sts_patterns(version);

	return version.major > 0 && (unknown || missed) ? find_counterpart(map) : map;
}

/* The remedy of the last finding is another map. */
static void change_map(
	struct examination *examination, const struct examined *examined, const struct map *map)
{
	table_changes_note(examination->changes, examination->doctor);
	struct table_change *change =
		table_changes_change(examination->changes, examined->index, examined->table);
	snprintf(change->map, sizeof change->map, "%s", map->name);
}

static void add_wrong_map(
	struct examination *examination, const struct examined *examined, const struct map *map)
{
	const struct lookup_table *table = examined->table;
	char names[MAP_NAMES_SIZE];
	struct text text;

	text_init(&text, names, sizeof names);
	add_map_names(&text);
	if (map != NULL)
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
			"%s: the map %s does not reply with policies, so Postfix defers all mail",
			table->word, table->map);
	else
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
			"%s: tlsad has no map %s, so Postfix defers all mail; maps with "
			"policies: %s",
			table->word, table->map, names);
	change_map(examination, examined, find_suitable(examination, map_default()));
}

static void add_unsuitable(struct examination *examination, const struct examined *examined,
	const struct map *suitable)
{
	const char *word = examined->table->word;

	if (suitable->tlsrpt)
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS,
			DOCTOR_WARNING,
			"%s: this map does not tell Postfix which MX hosts an MTA-STS policy "
			"allows: it connects to all of them, and accepts a certificate for any "
			"name of the policy",
			word);
	else
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS,
			examination->doctor->conf->sts.enable ? DOCTOR_FAULT : DOCTOR_WARNING,
			"%s: Postfix %.40s does not know the attributes of this map, which came "
			"with 3.10: %s",
			word, postconf_value(examination->postconf, NULL, POSTCONF_VERSION),
			examination->doctor->conf->sts.enable
				? "it defers mail to domains with an MTA-STS policy"
				: "with [sts] enable = yes it would defer mail to domains with "
				  "an MTA-STS policy");
	change_map(examination, examined, suitable);
}

/* The replies of this map, which is one with policies. */
static void note_policies(struct examination *examination, const struct map *map)
{
	bool by_default = examination->doctor->conf->dane.enforce == ENFORCE_PINNED;

	examination->tlsrpt = examination->tlsrpt || map->tlsrpt;
	if (map->form == MAP_PINNED || (map->form == MAP_CONFIGURED && by_default))
		examination->pinned = true;
	else
		examination->native = true;
}

static const struct map *find_policies(const char *name)
{
	const struct map *map = map_find(name, strlen(name));

	return map != NULL && map_is_policy_table(map) ? map : NULL;
}

static void examine_map(struct examination *examination, const struct examined *examined)
{
	const char *name = examined->table->map;
	const struct map *map = find_policies(name);

	if (map == NULL) {
		add_wrong_map(examination, examined, map_find(name, strlen(name)));
		return;
	}
	const struct map *suitable = find_suitable(examination, map);
	if (suitable != map)
		add_unsuitable(examination, examined, suitable);
	/* Examine the other parameters as if that remedy had been applied. */
	note_policies(examination, suitable);
}

/* --- access to a unix socket ----------------------------------------------------------------- */

/*
 * The remedy is to use proxymap(8), which runs outside, or to write the path as seen inside the
 * chroot.
 */
static void add_hidden(const struct examination *examination, const struct examined *examined,
	const char *endpoint)
{
	const struct lookup_table *table = examined->table;
	const char *queue = examination_value(examination, POSTCONF_QUEUE_DIRECTORY);
	const char *path = endpoint + strlen("unix:");
	size_t length = strlen(queue);

	examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
		"%s: %s runs in the chroot %s and does not see this path", table->word,
		table->proxied ? "proxymap" : "the smtp client", queue);
	bool below = strncmp(path, queue, length) == 0 && path[length] == '/';
	if (!below && table->proxied) {
		doctor_remedy(examination->doctor,
			"set the column chroot of proxymap to n in master.cf; postfix reload");
		return;
	}
	table_changes_note(examination->changes, examination->doctor);
	struct table_change *change =
		table_changes_change(examination->changes, examined->index, table);
	change->proxied = !below;
	if (below)
		snprintf(change->endpoint, sizeof change->endpoint, "unix:%.500s",
			path + length + 1);
}

static void add_denied(const struct examination *examination, const struct lookup_table *table,
	const struct access_path *reached, enum access_result result)
{
	const char *name = examination->account.name;

	if (result == ACCESS_UNKNOWN) {
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS,
			DOCTOR_UNKNOWN,
			"%s: this account may not examine %s, so it is unknown whether %s may "
			"open the socket",
			table->word, reached->path, name);
		doctor_remedy(examination->doctor, "run doctor as root");
		return;
	}
	examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
		"%s: the user %s may not %s %s, mode %04o", table->word, name,
		result == ACCESS_NO_SEARCH ? "enter" : "write to", reached->path,
		(unsigned)reached->status.st_mode & 07777);
	if (result == ACCESS_NO_SEARCH)
		doctor_remedy(examination->doctor, "chmod o+x %s", reached->path);
	else
		doctor_remedy(examination->doctor,
			"[server] socket_mode = 0666 in tlsad.conf; systemctl restart tlsad");
}

static void examine_access(const struct examination *examination, const struct examined *examined,
	const char *endpoint)
{
	const struct lookup_table *table = examined->table;
	const char *outside = endpoint + strlen("unix:");
	struct access_path reached;
	struct socket_path path;
	struct stat status;

	if (!examination->account_known)
		return;
	find_path(examination, table, &path);
	enum access_result result =
		access_walk(&reached, examination_root(examination, path.chrooted), path.inside,
			&examination->account, ACCESS_WRITE);
	switch (result) {
	case ACCESS_YES:
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_OK,
			"%s: the user %s may open it", table->word, examination->account.name);
		return;
	case ACCESS_ABSENT:
		/* If the socket does not exist at all, socket.c reports it. */
		if (path.chrooted && lstat(outside, &status) == 0)
			add_hidden(examination, examined, endpoint);
		return;
	default:
		add_denied(examination, table, &reached, result);
	}
}

/* --- all tables ------------------------------------------------------------------------------ */

static void add_refused(const struct examination *examination, const struct examined *examined)
{
	const struct table_change *change = &examination->changes->tables[examined->index];
	const char *directory = examination->postconf->directory;
	const char *option = directory[0] != '\0' ? " -c " : "";
	char word[TABLE_WORD_SIZE];

	/* The remedy of another finding takes "proxy:" away. */
	if (change->changed && !change->proxied)
		return;
	examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_PROXY_READ_MAPS, DOCTOR_FAULT,
		"proxymap refuses %s: proxy_read_maps does not contain it", examined->table->word);
	snprintf(word, sizeof word, "%s", examined->table->word);
	if (change->changed)
		table_change_print(change, word);
	doctor_remedy(examination->doctor,
		"postconf%s%s -e \"proxy_read_maps = $(postconf%s%s -h proxy_read_maps) %s\"",
		option, directory, option, directory, word);
}

static void examine_table(
	struct examination *examination, const struct examined *examined, const char *endpoint)
{
	const struct lookup_table *table = examined->table;

	examine_map(examination, examined);
	if (table->kind == LOOKUP_TABLE_UNIX)
		examine_access(examination, examined, endpoint);
	else
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_OK,
			"%s is an endpoint of tlsad", table->word);
	if (table->proxied &&
		!lookup_tables_have(
			examination_value(examination, POSTCONF_PROXY_READ_MAPS), table->word))
		add_refused(examination, examined);
}

/*
 * Is this table meant to be tlsad's? If a process listens there, it is a table of the site, which
 * stays.
 */
static bool is_dead(const struct examination *examination, const struct lookup_table *table)
{
	char endpoint[ACCESS_PATH_SIZE + 8], outside[ACCESS_PATH_SIZE];
	struct socket_path path;

	if (table->kind == LOOKUP_TABLE_BROKEN)
		return true;
	if (table->kind == LOOKUP_TABLE_INET) {
		snprintf(endpoint, sizeof endpoint, "inet:%s", table->address);
	} else {
		find_path(examination, table, &path);
		find_outside(examination, &path, outside);
		snprintf(endpoint, sizeof endpoint, "unix:%s", outside);
	}
	return !doctor_socket_listens(endpoint);
}

/* The remedy replaces `wrong`, or else appends a table. */
static void change_none(struct examination *examination, const struct examined *wrong)
{
	const struct conf_list *list = &examination->doctor->conf->server.socketmap;
	struct table_change *change = &examination->changes->appended;
	const struct map *map = NULL;

	if (wrong->table != NULL) {
		change = table_changes_change(examination->changes, wrong->index, wrong->table);
		map = find_policies(wrong->table->map);
	}
	map = find_suitable(examination, map != NULL ? map : map_default());
	change->changed = true;
	snprintf(change->endpoint, sizeof change->endpoint, "%.500s",
		list->count > 0 ? list->entries[0] : "unix:" TLSAD_RUNDIR "/socketmap");
	change->proxied = strncmp(change->endpoint, "unix:", 5) == 0;
	snprintf(change->map, sizeof change->map, "%s", map->name);
	note_policies(examination, map);
}

static void add_none(struct examination *examination, const struct lookup_table *other)
{
	if (examination_value(examination, POSTCONF_POLICY_MAPS)[0] == '\0')
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
			"smtp_tls_policy_maps is empty: Postfix does not ask tlsad");
	else if (other != NULL)
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
			"no table of smtp_tls_policy_maps is an endpoint of tlsad: %s is not in "
			"[server] socketmap",
			other->word);
	else
		examination_add(examination, DOCTOR_POLICY_MAPS, POSTCONF_POLICY_MAPS, DOCTOR_FAULT,
			"no table of smtp_tls_policy_maps is a socketmap");
	table_changes_note(examination->changes, examination->doctor);
}

void examination_policy_maps(struct examination *examination)
{
	static struct lookup_table tables[LOOKUP_TABLES_MAX];
	size_t count =
		lookup_tables_parse(examination_value(examination, POSTCONF_POLICY_MAPS), tables);
	struct examined wrong = {.table = NULL};
	const struct lookup_table *other = NULL;
	bool ours = false;

	for (size_t i = 0; i < count; i++) {
		struct examined examined = {&tables[i], i};
		const char *endpoint = NULL;
		if (tables[i].kind == LOOKUP_TABLE_OTHER)
			continue;
		if (tables[i].kind != LOOKUP_TABLE_BROKEN)
			endpoint = find_endpoint(examination, &tables[i]);
		if (endpoint != NULL)
			examine_table(examination, &examined, endpoint);
		else if (wrong.table == NULL && is_dead(examination, &tables[i]))
			wrong = examined;
		other = endpoint == NULL && wrong.table == NULL ? &tables[i] : other;
		ours = ours || endpoint != NULL;
	}
	if (!ours) {
		add_none(examination, wrong.table != NULL ? wrong.table : other);
		change_none(examination, &wrong);
	}
}

/* A command that is cut, or has bytes that are not printed as they are, would do harm. */
static bool is_whole(const struct text *command)
{
	bool printable = true;

	for (size_t i = 0; i < command->used; i++)
		printable = printable && command->bytes[i] >= ' ' && command->bytes[i] <= '~';
	return printable && !command->cut;
}

void examination_remedy_policy_maps(const struct examination *examination)
{
	const struct table_changes *changes = examination->changes;
	char list[DOCTOR_WORDS_SIZE], command[DOCTOR_WORDS_SIZE];
	struct text value, remedy;

	text_init(&value, list, sizeof list);
	table_changes_print(changes,
		postconf_raw_value(
			examination->postconf, examination->client, POSTCONF_POLICY_MAPS),
		examination_value(examination, POSTCONF_POLICY_MAPS), &value);
	text_init(&remedy, command, sizeof command);
	examination_command(examination, POSTCONF_POLICY_MAPS, list, &remedy);
	remedy.cut = remedy.cut || value.cut;
	for (size_t i = 0; i < changes->count; i++)
		doctor_remedy_at(examination->doctor, changes->findings[i], "%s",
			is_whole(&remedy) ? command
					  : "correct this table in smtp_tls_policy_maps, and keep "
					    "the others; see POSTFIX in tlsad(8)");
}
