/* Private to the program roadbook-server: one run of it, its commands, its output.
 *
 * Commands stand in one table (server_table.c), from which help, dispatch and completion follow. A
 * command gets what was typed, opens what it needs below the home folder, and prints through a
 * listing, which is a table for people and an array of objects with --json.
 */
#ifndef ROADBOOK_SERVER_PROGRAM_H
#define ROADBOOK_SERVER_PROGRAM_H

#include "syncd/api/api.h"
#include "syncd/api/command.h"
#include "syncd/platform/platform.h"
#include "syncd/server/org.h"

enum { SERVER_PORT = 8443, SERVER_LINK_DAYS = 7 };
enum server_flags { SERVER_NEEDS_HOME = 1 }; /* the server's folder, whether it is made or not */

struct server {
    const struct command_set *set;
    const struct command_line *line;
    struct env env;
    struct catalogue catalogue;  /* of the release */
    const struct catalogue *cat; /* of the org that is open: with what head office added */
    struct arena mem; /* of the whole run */
    enum lang lang;
    bool json;
    const char *home;
    const char *org_name; /* --org, else NULL */
};

extern const struct command_set server_commands; /* the command table (server_table.c) */

/* Runs one command line. Returns the exit code. */
int server_main(int argc, char **argv);

/* The text in the person's language. */
const char *server_say(const struct server *server, const char *en, const char *zh);
/* A line to standard output for people; nothing with --json. */
void server_tell(const struct server *server, const char *en, const char *zh, ...) PRINTF_LIKE(2, 4)
    PRINTF_LIKE(3, 4);

/* ------------------------------------------------------------------ home folder */

/* What clients may do: ROW(id, name in server.conf, option, default, least, most, English,
 * Chinese). The defaults let an office of 500 laptops behind one address work, and come back all at
 * once. */
/* clang-format off */
#define SERVER_LIMIT_ROWS(ROW)                                                                     \
    ROW(CONNECTIONS, "connections", "--connections", 20000, 16, 1000000,                           \
        "connections in all (default: 20000)", "连接总数上限（默认 20000）")                       \
    ROW(ADDRESS_CONNECTIONS, "address_connections", "--address-connections", 2000, 0, 1000000,     \
        "connections of one address, 0: no limit (default: 2000)",                                 \
        "每个地址的连接数上限，0 为不限（默认 2000）")                                             \
    ROW(ADDRESS_CONNECTS, "address_connects", "--address-connects", 200, 0, 1000000,               \
        "new connections a second of one address, 20 seconds' worth at once, 0: no limit "         \
        "(default: 200)",                                                                          \
        "每个地址每秒新建连接数，可一次用完 20 秒的量，0 为不限（默认 200）")                      \
    ROW(ADDRESS_REQUESTS, "address_requests", "--address-requests", 1000, 0, 1000000,              \
        "requests a second of one address that no laptop has proved, likewise (default: 1000)",    \
        "每个地址每秒未经笔记本证明的请求数，规则同上（默认 1000）")                               \
    ROW(DEVICE_REQUESTS, "device_requests", "--device-requests", 200, 0, 1000000,                  \
        "requests a second of one laptop, likewise (default: 200)",                                \
        "每台笔记本每秒请求数，规则同上（默认 200）")                                               \
    ROW(DEVICE_CALLS, "device_calls", "--device-calls", 8, 0, 1000,                                \
        "requests of one laptop in hand at a time, 0: no limit (default: 8)",                      \
        "每台笔记本同时处理的请求数，0 为不限（默认 8）")                                          \
    ROW(HELD_MIB, "held_mib", "--held-mib", 256, 1, 65536,                                         \
        "MiB of bodies and replies in memory, half of it for one address (default: 256)",          \
        "内存中请求和答复的总量（MiB），每个地址至多一半（默认 256）")                             \
    ROW(READ_TIMEOUT, "read_timeout", "--read-timeout", 20, 1, 3600,                               \
        "seconds for a request's head, and the longest pause in a body or reply (default: 20)",    \
        "请求头的时限，以及正文或答复的最长停顿（秒，默认 20）")                                   \
    ROW(IDLE_TIMEOUT, "idle_timeout", "--idle-timeout", 75, 1, 86400,                              \
        "seconds that a connection may stay without a request (default: 75)",                      \
        "空闲连接的保留时间（秒，默认 75）")
enum server_limit {
#define SERVER_LIMIT_ENUM(id, ...) SERVER_LIMIT_##id,
    SERVER_LIMIT_ROWS(SERVER_LIMIT_ENUM)
#undef SERVER_LIMIT_ENUM
    SERVER_LIMIT_COUNT
};
/* clang-format on */

struct server_limit_row {
    const char *name, *option;
    int64_t standard, least, most;
    const char *help;
};
extern const struct server_limit_row server_limits[SERVER_LIMIT_COUNT];

struct server_settings {    /* server.conf */
    const char *listen;     /* "HOST:PORT" */
    const char *unix_path;  /* "": none */
    const char *cert, *key; /* paths; "": no TLS of our own */
    const char *public_url; /* what laptops dial */
    bool pin;               /* links hold the pin of cert */
    bool forwarded;         /* a proxy sets X-Forwarded-For, and only it can reach us */
    int64_t limits[SERVER_LIMIT_COUNT];
};
const char *server_path(struct server *server, const char *name); /* below home; NULL: no memory */
/* One server a folder, and nothing takes a file away under it. ST_BUSY. */
enum status server_serve_lock(struct server *server, struct platform_lock *out,
                              struct err *err) NODISCARD;
enum status server_home_find(struct server *server, struct err *err) NODISCARD;
enum status server_settings_read(struct server *server, struct server_settings *out,
                                 struct err *err) NODISCARD;
enum status server_settings_write(struct server *server, const struct server_settings *s,
                                  struct err *err) NODISCARD;
/* Names of orgs, sorted. */
enum status server_orgs(struct server *server, const char ***out_names, size_t *out_count,
                        struct err *err) NODISCARD;
/* The org that --org names, or the only one. */
enum status server_org_pick(struct server *server, const char **out_name,
                            struct err *err) NODISCARD;
const char *server_org_path(struct server *server, const char *name);
struct org_config server_org_config(struct server *server, const char *path);
enum status server_org_open(struct server *server, struct org **out, struct err *err) NODISCARD;
enum status server_reader_open(struct server *server, struct org_reader **out,
                               struct err *err) NODISCARD;
struct slice
server_person(const struct server *server); /* who is at the keyboard, for the journal */
void server_org_release(struct org **org);  /* for SCOPED */
void server_reader_release(struct org_reader **reader);

/* ------------------------------------------------------------------ output */

struct listing_column {
    const char *name;              /* of the JSON member; NULL: only people see it */
    const char *label[LANG_COUNT]; /* NULL: only programs see it */
};
struct listing;
enum { LISTING_COLUMNS_MAX = 64 };
/* one: a single object with --json, lines "label: value" for people. columns[count] borrowed.
 * People get local times, with the zone in the head, and no column that is empty in all rows. */
enum status listing_open(struct server *server, const struct listing_column *columns, size_t count,
                         bool one, struct listing **out, struct err *err) NODISCARD;
/* Cells from left to right; a row ends with its last column. Failures show at listing_close. */
void listing_text(struct listing *l, struct slice text); /* empty: null */
void listing_string(struct listing *l, const char *text);
void listing_int(struct listing *l, int64_t number);
void listing_real(struct listing *l, const char *number); /* as written */
void listing_bool(struct listing *l, bool yes);
void listing_json(struct listing *l, struct slice json); /* JSON as it is; empty: null */
void listing_time(struct listing *l, int64_t unix_ms); /* 0: never */
void listing_id(struct listing *l, int64_t id); /* a number in JSON, the short form in tables */
void listing_null(struct listing *l);
/* Columns that a person asked for stay, also when all of their cells are empty. */
void listing_keep_empty(struct listing *l);
/* What people are told when there is no row. */
void listing_none(struct listing *l, const char *en, const char *zh);
/* Prints, and frees: *l is NULL then. */
enum status listing_close(struct listing **l, struct err *err) NODISCARD;
void listing_release(struct listing **l); /* for SCOPED: frees without printing */

/* A link as a QR code in half blocks, for a terminal. */
enum status server_qr_print(const char *text, struct err *err) NODISCARD;
/* "Acme (3-1Z7K)"; the id alone where there is no title. e NULL: of a newer release. */
void server_put_row(const struct server *server, struct store *store, const struct entity *e,
                    int64_t row, struct buf *out);
/* What a change writes, "Label: value; ..."; named false: the values alone. */
void server_put_edits(const struct server *server, struct store *store, const struct entity *e,
                      const struct change *change, bool named, struct buf *out);
/* A book of the org, as the person at this terminal reads it. */
struct api_book server_book(const struct server *server, struct store *store);

/* ------------------------------------------------------------------ head office's own saves
 *
 * Collected into batches of device 0 and merged like any other. Ids are reserved some at a time, so
 * that a thousand new rows wait for the disk only a few times.
 */
struct office;
enum status office_open(struct server *server, struct org *org, int64_t import_id,
                        struct office **out, struct err *err) NODISCARD;
void office_close(struct office **office); /* for SCOPED */
struct api_writer office_writer(struct office *office);

/* ------------------------------------------------------------------ commands */

command_run server_cmd_copy_start, server_cmd_copy_stop, server_cmd_copy_status,
    server_cmd_copy_read;
command_run server_cmd_org_scope, server_cmd_org_lease, server_cmd_org_zone, server_cmd_grants,
    server_cmd_territory_tree, server_cmd_territory_add, server_cmd_territory_move,
    server_cmd_team_list, server_cmd_team_add, server_cmd_team_remove, server_cmd_assign,
    server_cmd_handover, server_cmd_dated_list, server_cmd_dated_cancel;
command_run server_cmd_duplicates, server_cmd_duplicates_dismiss, server_cmd_merge,
    server_cmd_merge_undo, server_cmd_merge_list;
command_run server_cmd_init, server_cmd_serve, server_cmd_org_add, server_cmd_org_list,
    server_cmd_user_add, server_cmd_user_list, server_cmd_user_deactivate, server_cmd_user_activate,
    server_cmd_device_list, server_cmd_device_show, server_cmd_device_revoke,
    server_cmd_device_lost, server_cmd_org_minimum, server_cmd_link, server_cmd_import,
    server_cmd_add, server_cmd_set, server_cmd_rm, server_cmd_export, server_cmd_list,
    server_cmd_get, server_cmd_history, server_cmd_conflicts, server_cmd_late, server_cmd_requests,
    server_cmd_approve, server_cmd_decline, server_cmd_status, server_cmd_backup,
    server_cmd_compact, server_cmd_org_keep_history, server_cmd_erase,
    server_cmd_restore, server_cmd_recovery_status, server_cmd_recovery_begin,
    server_cmd_recovery_facts, server_cmd_recovery_accept, server_cmd_recovery_reject,
    server_cmd_recovery_end,
    server_cmd_bundle_import, server_cmd_verify, server_cmd_content_status, server_cmd_content_list,
    server_cmd_content_gc, server_cmd_content_limits, server_cmd_sql, server_cmd_completion,
    server_cmd_help, server_cmd_version;

#endif
