/* roadbook: the book on the command line. Owns the process: arguments, language, exit code, error
 * output. */
#include <stdio.h>

#include "client/cli.h"

static void write_error(const struct cli *cli, const struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    command_error(cli->set, err, cli->lang, cli->json, &text);
    fputs(buf_text(&text), stderr);
}

/* Half of an array before an error helps no program that reads it. */
static bool ends_document(const struct buf *out) {
    return out->len > 0 && out->data[out->len - 1] == '\n';
}

int main(int argc, char **argv) {
    struct cli cli = {
        .set = &cli_commands, .mem = arena_new(ARENA_CAP_DEFAULT), .out = buf_new(BUF_MAX_FILE)};
    struct command_line line;
    struct err err = {0};
    cli.json = command_typed(argc, argv, "--json");
    enum status status = command_language(argc, argv, platform_lang(), &cli.lang, &err);
    if (status == ST_OK) status = command_parse(&cli_commands, argc, argv, &line, &err);
    cli.line = &line;
    if (status == ST_OK) status = cli_run(&cli, &err);
    if (status != ST_OK && cli.json && !ends_document(&cli.out)) buf_reset(&cli.out);
    struct err write_err;
    enum status written = cli_flush(&cli, &write_err);
    if (status == ST_OK && written != ST_OK) {
        status = written;
        err = write_err;
    }
    if (status != ST_OK) {
        if (err.status == ST_OK) (void)err_set(&err, status, "%s", "%s", "");
        write_error(&cli, &err);
    }
    cli_close(&cli);
    return status_exit(status);
}
