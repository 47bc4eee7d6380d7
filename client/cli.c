/* The life of one command: opening the book, reading words, writing what was said. */
#include <stdio.h>
#include <string.h>

#include "client/cli.h"
#include "syncd/agent/wipe.h"

enum { CLI_FLUSH_BYTES = 64 * 1024, CLI_PATH_BYTES = 4096 };

/* ------------------------------------------------------------------ life */

static enum status prepare(struct cli *cli, struct err *err) {
    platform_env(&cli->env);
    TRY(crypto_start(err));
    TRY(catalogue_release(&cli->mem, &cli->catalogue, err));
    cli->cat = &cli->catalogue;
    cli->out_is_terminal = platform_is_terminal(PLATFORM_STDOUT);
    cli->err_is_terminal = platform_is_terminal(PLATFORM_STDERR);
    cli->book = (struct api_book){
        .lang = cli->lang,
        .utc_offset_min = platform_utc_offset_minutes(cli->env.wall_ms(cli->env.ctx)),
        .columns = cli->out_is_terminal ? platform_terminal_columns() : 0};
    cli->home = command_value(cli->line, "--home");
    return cli->home || !cli->line->command->flags ? ST_OK
                                                   : platform_data_dir(&cli->mem, &cli->home, err);
}

void cli_book_moved(struct cli *cli) {
    cli->book.store = cli->store;
    cli->cat = cli->store ? store_catalogue(cli->store) : &cli->catalogue;
}

/* A damaged book is set aside, and what can be rescued stands in a new one. The command itself has
 * failed. */
static enum status mend(struct cli *cli, enum status status, struct err *err) {
    struct err note, failure;
    if (status != ST_DAMAGED || !cli->store) return status;
    enum status mended =
        book_mend(&cli->store, cli->home, &cli->catalogue, &cli->env, &note, &failure);
    cli_book_moved(cli);
    if (mended == ST_DAMAGED)
        *err = failure;
    else if (mended == ST_OK && note.status != ST_OK)
        *err = note;
    return status;
}

/* A sync of a book that was deleted by order says so to the server, if it does not know yet. */
static enum status book_door(struct cli *cli, struct err *err) {
    struct err ignored;
    enum status status = cli_book_open(cli, true, err);
    bool tells = status == ST_REVOKED && cli->line->command->run == cli_sync_run;
    if (tells && transport_start(&ignored) == ST_OK) {
        (void)wipe_tell(cli->home, &ignored);
        transport_end();
    }
    TRY(status);
    return cli->line->command->flags & CLI_ALSO_LOCKED ? ST_OK : store_lease_check(cli->store, err);
}

enum status cli_run(struct cli *cli, struct err *err) {
    const struct command *command = cli->line->command;
    if (command && command_has(cli->line, "--help")) {
        command_help(cli->set, command, cli->lang, &cli->out);
        return ST_OK;
    }
    if (!command && command_has(cli->line, "--version"))
        return cli_about_version(cli, cli->line, err);
    if (!command) return cli_about_help(cli, cli->line, err);
    TRY(prepare(cli, err));
    if (command->flags & CLI_NEEDS_BOOK) TRY(book_door(cli, err));
    return mend(cli, command->run(cli, cli->line, err), err);
}

static enum status not_enrolled(struct err *err) {
    return err_set(err, ST_DENIED,
                   "this laptop is not enrolled yet: enrol first with: roadbook enroll LINK (head "
                   "office gives the link)",
                   "本机尚未登记：请先运行 roadbook enroll 链接（登记链接由总部提供）");
}

enum status cli_book_open(struct cli *cli, bool enrolled, struct err *err) {
    char path[CLI_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", cli->home, AGENT_STORE_FILE);
    if (n <= 0 || n >= CLI_PATH_BYTES)
        return err_set(err, ST_USAGE, "the path is too long: %s", "路径过长：%s", cli->home);
    if (enrolled && !platform_exists(path)) {
        TRY(wipe_check(cli->home, err));
        return not_enrolled(err);
    }
    struct err note;
    TRY(book_open(cli->home, &cli->catalogue, &cli->env, &cli->store, &note, err));
    if (note.text[cli->lang][0])
        fprintf(stderr, "%s: %s\n", cli->set->program, note.text[cli->lang]);
    TRY(store_identity(cli->store, &cli->identity, err));
    cli_book_moved(cli);
    return enrolled && cli->identity.device == 0 ? not_enrolled(err) : ST_OK;
}

void cli_close(struct cli *cli) {
    store_close(cli->store);
    cli->store = NULL;
    bytes_wipe(&cli->identity, sizeof(cli->identity));
    buf_free(&cli->out);
    arena_clear(&cli->mem);
}

enum status cli_flush(struct cli *cli, struct err *err) {
    TRY(buf_status(&cli->out, err));
    struct slice all = buf_slice(&cli->out);
    bool written = all.len == 0 || fwrite(all.data, 1, all.len, stdout) == all.len;
    if (!written || fflush(stdout) != 0)
        return err_set(err, ST_DISK, "the output could not be written: is the disk full?",
                       "输出无法写入：磁盘是否已满？");
    buf_reset(&cli->out);
    return ST_OK;
}

enum status cli_flush_some(struct cli *cli, struct err *err) {
    return cli->out.len < CLI_FLUSH_BYTES ? ST_OK : cli_flush(cli, err);
}

void cli_saved(const struct cli *cli) {
    struct err ignored;
    (void)agent_wake(cli->home, &ignored);
}

/* ------------------------------------------------------------------ words */

const char *cli_word(const struct cli *cli, size_t index) {
    return index < cli->line->word_count ? cli->line->words[index] : "";
}

enum status cli_entity(struct cli *cli, size_t index, const struct entity **out, struct err *err) {
    return api_entity(cli->cat, slice_from(cli_word(cli, index)), out, err);
}

enum status cli_row(struct cli *cli, size_t first, const struct entity **out_entity,
                    int64_t *out_id, struct err *err) {
    int64_t typed;
    if (cli->line->word_count > first + 1) {
        TRY(cli_entity(cli, first, out_entity, err));
        return store_resolve(cli->store, *out_entity, slice_from(cli_word(cli, first + 1)), out_id,
                             err);
    }
    if (!id_parse(slice_from(cli_word(cli, first)), &typed))
        return err_set(err, ST_USAGE,
                       "%s is not an id: check each character, or name the row as: ENTITY NAME",
                       "%s 不是编号：请逐字核对，或写明：类别 名称", cli_word(cli, first));
    TRY(store_locate(cli->store, typed, out_entity, out_id, err));
    if (*out_entity) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "there is no row %s here", "本机没有记录 %s",
                   cli_word(cli, first));
}

enum status cli_edits(struct cli *cli, const struct entity *e, size_t first,
                      struct field_edit **out, size_t *out_count, struct err *err) {
    size_t count = cli->line->word_count > first ? cli->line->word_count - first : 0;
    struct field_edit *edits = ARENA_ARRAY(&cli->mem, count + 1, struct field_edit);
    if (!edits) return err_no_memory(err);
    for (size_t i = 0; i < count; i++)
        TRY(api_edit(&cli->book, e, slice_from(cli_word(cli, first + i)), &cli->mem, &edits[i],
                     err));
    *out = edits;
    *out_count = count;
    return ST_OK;
}

enum status cli_conditions(struct cli *cli, const struct entity *e, size_t first,
                           struct condition **out, size_t *out_count, struct err *err) {
    size_t count = cli->line->word_count > first ? cli->line->word_count - first : 0;
    struct condition *conditions = ARENA_ARRAY(&cli->mem, count + 1, struct condition);
    if (!conditions) return err_no_memory(err);
    for (size_t i = 0; i < count; i++)
        TRY(api_condition(&cli->book, e, slice_from(cli_word(cli, first + i)), &cli->mem,
                          &conditions[i], err));
    *out = conditions;
    *out_count = count;
    return ST_OK;
}
