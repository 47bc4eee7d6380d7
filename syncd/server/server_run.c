/* The life of one command of `roadbook-server`: reading the line, running it, saying what failed.
 */
#include <stdarg.h>
#include <stdio.h>

#include "syncd/server/server.h"

/* ------------------------------------------------------------------ saying things */

const char *server_say(const struct server *server, const char *en, const char *zh) {
    return server->lang == LANG_ZH ? zh : en;
}

void server_tell(const struct server *server, const char *en, const char *zh, ...) {
    va_list args;
    if (server->json) return;
    va_start(args, zh);
    if (server->lang == LANG_ZH)
        vprintf(zh, args);
    else
        vprintf(en, args);
    va_end(args);
    putchar('\n');
}

/* ------------------------------------------------------------------ about the program */

static enum status print(const struct buf *text, struct err *err) {
    TRY(buf_status(text, err));
    (void)fwrite(text->data, 1, text->len, stdout);
    return ST_OK;
}

enum status server_cmd_completion(void *program, const struct command_line *line, struct err *err) {
    const struct server *server = program;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_FILE);
    TRY(command_completion(server->set, line->words[0], &server->catalogue, &text, err));
    return print(&text, err);
}

enum status server_cmd_help(void *program, const struct command_line *line, struct err *err) {
    const struct server *server = program;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_FILE);
    TRY(command_help_words(server->set, line->words, line->word_count, server->lang, &text, err));
    return print(&text, err);
}

enum status server_cmd_version(void *program, const struct command_line *line, struct err *err) {
    const struct server *server = program;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    (void)line;
    command_version(server->set, server->json, &text);
    return print(&text, err);
}

/* ------------------------------------------------------------------ one run */

static enum status run(struct server *server, struct err *err) {
    const struct command_line *line = server->line;
    const struct command *command = line->command;
    if (command && command_has(line, "--help")) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_FILE);
        command_help(server->set, command, server->lang, &text);
        return print(&text, err);
    }
    if (!command && command_has(line, "--version")) return server_cmd_version(server, line, err);
    if (!command) return server_cmd_help(server, line, err);
    TRY(crypto_start(err));
    TRY(catalogue_release(&server->mem, &server->catalogue, err));
    server->cat = &server->catalogue;
    if (command->flags & SERVER_NEEDS_HOME) TRY(server_home_find(server, err));
    return command->run(server, line, err);
}

static void write_error(const struct server *server, const struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    command_error(server->set, err, server->lang, server->json, &text);
    (void)fputs(buf_text(&text), stderr);
}

int server_main(int argc, char **argv) {
    struct server server = {.set = &server_commands, .mem = arena_new(ARENA_CAP_DEFAULT)};
    struct command_line line;
    struct err err = {0};
    platform_env(&server.env);
    server.json = command_typed(argc, argv, "--json");
    enum status status = command_language(argc, argv, platform_lang(), &server.lang, &err);
    if (status == ST_OK) status = command_parse(server.set, argc, argv, &line, &err);
    server.line = &line;
    if (status == ST_OK) status = run(&server, &err);
    if (fflush(stdout) != 0 && status == ST_OK)
        status = err_set(&err, ST_DISK, "the output could not be written: is the disk full?",
                         "输出无法写入：磁盘是否已满？");
    if (status != ST_OK) write_error(&server, &err);
    arena_clear(&server.mem);
    return status_exit(status);
}
