/* The laptop's command line: what all commands of `roadbook` share.
 *
 * A command reads its words and options from cli->line, works on cli->store, and appends what it
 * says to cli->out; main writes it. Nothing here owns data: the book is in the store.
 */
#ifndef ROADBOOK_CLI_H
#define ROADBOOK_CLI_H

#include "syncd/agent/daemon.h"
#include "syncd/api/api.h"
#include "syncd/api/command.h"
#include "syncd/platform/platform.h"

enum cli_flags {
    CLI_NEEDS_HOME = 1, /* the folder of the book, whether there is one or not */
    CLI_NEEDS_BOOK = 2, /* an enrolled book, opened before the command runs */
    CLI_ALSO_LOCKED = 4 /* also when the time for working offline has ended */
};

struct cli {
    const struct command_set *set;
    const struct command_line *line;
    struct env env;
    struct catalogue catalogue;  /* of the release */
    const struct catalogue *cat; /* of the book, once opened: with what head office added */
    struct arena mem; /* of the command */
    const char *home;
    struct store *store;            /* NULL until opened */
    struct store_identity identity; /* once opened */
    struct api_book book;
    struct buf out; /* standard output, not yet written */
    enum lang lang;
    bool json;
    bool out_is_terminal, err_is_terminal;
};

/* ------------------------------------------------------------------ the program's life (cli.c) */

extern const struct command_set cli_commands; /* the command table (cli_commands.c) */

/* Runs the line; out and notes are written as it goes. */
enum status cli_run(struct cli *cli, struct err *err) NODISCARD;
/* Another book stands at cli->store now, or none, or it has learned of fields. */
void cli_book_moved(struct cli *cli);
/* Opens the book at home; with enrolled it must belong to someone. */
enum status cli_book_open(struct cli *cli, bool enrolled, struct err *err) NODISCARD;
void cli_close(struct cli *cli);
/* Writes cli->out. ST_DISK when standard output takes no more. */
enum status cli_flush(struct cli *cli, struct err *err) NODISCARD;
/* Flushes when much has gathered: for lists of any length. */
enum status cli_flush_some(struct cli *cli, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ words of the line */

const char *cli_word(const struct cli *cli, size_t index); /* "" when there is none */
enum status cli_entity(struct cli *cli, size_t index, const struct entity **out,
                       struct err *err) NODISCARD;
/* The row that words at first (entity) and first + 1 (row) name; a short id alone names its entity
 * itself. */
enum status cli_row(struct cli *cli, size_t first, const struct entity **out_entity,
                    int64_t *out_id, struct err *err) NODISCARD;
/* FIELD=VALUE words from first on, placed in cli->mem. */
enum status cli_edits(struct cli *cli, const struct entity *e, size_t first,
                      struct field_edit **out, size_t *out_count, struct err *err) NODISCARD;
enum status cli_conditions(struct cli *cli, const struct entity *e, size_t first,
                           struct condition **out, size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ saying things (cli_say.c) */

/* Appends the text of the reader's language to cli->out. Both take the same arguments in the same
 * order. */
void cli_say(struct cli *cli, const char *en, const char *zh, ...) PRINTF_LIKE(2, 4)
    PRINTF_LIKE(3, 4);
/* The same to standard error, at once, with a line feed; nothing with --json. For what is no
 * result. */
void cli_note(const struct cli *cli, const char *en, const char *zh, ...) PRINTF_LIKE(2, 4)
    PRINTF_LIKE(3, 4);
const char *cli_pick(const struct cli *cli, const char *en, const char *zh);

void cli_json_key(struct cli *cli, const char *key, bool first); /* {"key": or ,"key": */
void cli_json_int(struct cli *cli, const char *key, int64_t value, bool first);
void cli_json_bool(struct cli *cli, const char *key, bool value, bool first);
void cli_json_text(struct cli *cli, const char *key, struct slice value, bool first);
void cli_json_string(struct cli *cli, const char *key, const char *value, bool first);
void cli_json_time(struct cli *cli, const char *key, int64_t unix_ms, bool first); /* 0: null */
/* "id":123,"short_id":"3-1Z7K" */
void cli_json_id(struct cli *cli, int64_t id, bool first);

void cli_put_time(const struct cli *cli, int64_t unix_ms,
                  struct buf *out);                 /* 2026-11-21 09:30, local; 0: nothing */
void cli_put_bytes(int64_t bytes, struct buf *out); /* 4.1 KB */
void cli_put_row(struct cli *cli, const struct entity *e, int64_t id,
                 struct buf *out); /* Acme (3-1Z7K) */
/* The values of a cell as a person reads them. */
void cli_put_values(struct cli *cli, const struct entity *e, uint32_t cell_tag,
                    const struct value *values, size_t count, struct buf *out);
/* The labels of a cell's fields: "City", "Amount/Currency". Tag 0: the whole row. */
void cli_put_cell(const struct cli *cli, const struct entity *e, uint32_t cell_tag,
                  struct buf *out);
/* {"field":value,...} of a cell. */
void cli_json_values(struct cli *cli, const struct entity *e, uint32_t cell_tag,
                     const struct value *values, size_t count);
const char *cli_change_label(const struct cli *cli, enum change_kind kind);
const char *cli_change_name(enum change_kind kind);
/* What an edit does, for people: "Tags +a -b". For programs: an object by field. */
void cli_put_edit(struct cli *cli, const struct entity *e, const struct edit *edit,
                  struct buf *out);
/* The same without the field's name: "+a -b"; of a group "City: Lyon, Street: ...". */
void cli_put_operation(struct cli *cli, const struct entity *e, const struct edit *edit,
                       struct buf *out);
void cli_json_edit(struct cli *cli, const struct entity *e, const struct edit *edit);

/* Tables: a head of labels, cells row by row. */
struct cli_column {
    const char *label[LANG_COUNT];
    bool right;
};
enum status cli_table_open(const struct cli *cli, const struct cli_column *columns, size_t count,
                           struct api_table **out, struct err *err) NODISCARD;
void cli_table_text(struct api_table *t, const char *text);
void cli_table_int(struct api_table *t, int64_t value);
void cli_table_time(const struct cli *cli, struct api_table *t, int64_t unix_ms);
void cli_table_row(struct cli *cli, struct api_table *t, const struct entity *e, int64_t id);
void cli_table_cell(struct cli *cli, struct api_table *t, const struct entity *e,
                    uint32_t cell_tag);
void cli_table_close(struct api_table **t); /* usable with SCOPED */
void cli_table_write(struct cli *cli, const struct api_table *t);
/* A list for either reader: a table, or with --json an array, for which *out stays NULL and the
 * caller writes objects with commas between them. */
enum status cli_list_begin(struct cli *cli, const struct cli_column *columns, size_t count,
                           struct api_table **out, struct err *err) NODISCARD;
/* Ends the array, or writes the table; of a table without rows the note says what that means. */
void cli_list_end(struct cli *cli, const struct api_table *table, int64_t rows, const char *en,
                  const char *zh);

/* Progress: one line of standard error that is written over; nothing unless it is a terminal. */
void cli_progress(const struct cli *cli, const char *en, const char *zh, ...) PRINTF_LIKE(2, 4)
    PRINTF_LIKE(3, 4);
void cli_progress_end(const struct cli *cli);
/* What is typed, or piped, as one line, without blanks around it: in buffer[room]. The question is
 * shown when someone sits there. ST_USAGE when nothing came. */
enum status cli_ask(const struct cli *cli, const char *en, const char *zh, char *buffer,
                    size_t room, struct slice *out, struct err *err) NODISCARD;
/* Somebody sits at the terminal, and nothing asked for JSON. */
bool cli_can_ask(const struct cli *cli);
/* Asks on the terminal: where cli_can_ask. */
bool cli_confirm(const struct cli *cli, const char *en, const char *zh, ...) PRINTF_LIKE(2, 4)
    PRINTF_LIKE(3, 4);

/* The row as it is now: JSON, or a line. */
enum status cli_show_row(struct cli *cli, const struct entity *e, int64_t id,
                         struct err *err) NODISCARD;
/* Tells the daemon. The save stands, whatever comes of it. */
void cli_saved(const struct cli *cli);
/* Says which rows a new one may be the same as. Only a hint: what fails here fails silently. */
void cli_duplicates_hint(struct cli *cli, const struct entity *e, int64_t id);

/* ------------------------------------------------------------------ the commands, by family */

#define CLI_COMMAND(name)                                                                          \
    enum status name(void *program, const struct command_line *line, struct err *err)
CLI_COMMAND(cli_edit_add);
CLI_COMMAND(cli_edit_set);
CLI_COMMAND(cli_edit_rm);
CLI_COMMAND(cli_show_get);
CLI_COMMAND(cli_show_list);
CLI_COMMAND(cli_show_find);
CLI_COMMAND(cli_show_history);
CLI_COMMAND(cli_outbox_pending);
CLI_COMMAND(cli_outbox_undo);
CLI_COMMAND(cli_outbox_receipts);
CLI_COMMAND(cli_held_list);
CLI_COMMAND(cli_held_retry);
CLI_COMMAND(cli_held_drop);
CLI_COMMAND(cli_held_take);
CLI_COMMAND(cli_conflict_list);
CLI_COMMAND(cli_conflict_resolve);
CLI_COMMAND(cli_handover_sign);
CLI_COMMAND(cli_bundle_export);
CLI_COMMAND(cli_bundle_import);
CLI_COMMAND(cli_sync_enroll);
CLI_COMMAND(cli_sync_run);
CLI_COMMAND(cli_sync_status);
CLI_COMMAND(cli_scope_list);
CLI_COMMAND(cli_duplicates);
CLI_COMMAND(cli_attach_add);
CLI_COMMAND(cli_attach_list);
CLI_COMMAND(cli_attach_export);
CLI_COMMAND(cli_attach_saver);
CLI_COMMAND(cli_move_fetch);
CLI_COMMAND(cli_move_send);
CLI_COMMAND(cli_file_import);
CLI_COMMAND(cli_file_imports);
CLI_COMMAND(cli_file_revert);
CLI_COMMAND(cli_file_export);
CLI_COMMAND(cli_about_verify);
CLI_COMMAND(cli_about_sql);
CLI_COMMAND(cli_about_entities);
CLI_COMMAND(cli_about_fields);
CLI_COMMAND(cli_about_completion);
CLI_COMMAND(cli_about_help);
CLI_COMMAND(cli_about_version);

/* ------------------------------------------------------------------ rounds (cli_sync.c) */

/* One sync of a book at a time: waits for the daemon's, at most a minute. ST_BUSY. */
enum status cli_sync_lock(const struct cli *cli, struct platform_lock *out,
                          struct err *err) NODISCARD;
bool cli_sync_progress(void *ctx, const struct agent_progress *progress);
/* What a sync did, for people or as JSON. */
void cli_sync_say(struct cli *cli, const struct agent_result *result, int64_t took_ms);

#endif
