/* roadbook duplicates: rows here that may be the same; and a hint of that when one is made. Head
 * office merges: a laptop sees only its own accounts, and may be wrong about what is one. */
#include "client/cli.h"

#include "syncd/api/likeness.h"

enum { HINT_ROWS_MAX = 20000, HINTS_MAX = 3 }; /* more would make a person wait for the hint */

static void put_pair(struct cli *cli, struct api_table *table, const struct entity *e,
                     const struct likeness_pair *pair, bool first) {
    SCOPED(buf_free) struct buf why = buf_new(BUF_MAX_LINE);
    likeness_write(pair->reasons, cli->lang, &why);
    if (table) {
        cli_table_int(table, pair->score);
        cli_table_row(cli, table, e, pair->a);
        cli_table_row(cli, table, e, pair->b);
        api_table_cell(table, buf_slice(&why));
        return;
    }
    buf_put_text(&cli->out, first ? "" : ",\n");
    cli_json_int(cli, "score", pair->score, true);
    cli_json_int(cli, "a", pair->a, false);
    cli_json_int(cli, "b", pair->b, false);
    cli_json_text(cli, "why", buf_slice(&why), false);
    buf_put_byte(&cli->out, '}');
}

enum status cli_duplicates(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {{.label = {"Score", "分数"}, .right = true},
                                                {.label = {"This", "甲"}},
                                                {.label = {"and this", "乙"}},
                                                {.label = {"Why", "依据"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    const char *name = command_value(line, "--entity");
    const struct entity *e;
    struct likeness_pair *pairs;
    size_t count;
    int64_t min;
    TRY(api_entity(cli->cat, slice_from(name ? name : "account"), &e, err));
    TRY(command_number(line, "--min", 1, 100, LIKENESS_MIN, &min, err));
    TRY(likeness_find(cli->store, e, 0, (int)min, &cli->mem, &pairs, &count, err));
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    for (size_t i = 0; i < count; i++) {
        put_pair(cli, table, e, &pairs[i], i == 0);
        TRY(cli_flush_some(cli, err));
    }
    cli_list_end(cli, table, (int64_t)count, "no likely duplicates here",
                 "本机没有发现可能重复的记录");
    return ST_OK;
}

void cli_duplicates_hint(struct cli *cli, const struct entity *e, int64_t id) {
    struct query query = {.entity = e};
    struct likeness_pair *pairs;
    size_t count;
    int64_t rows;
    if (!likeness_is_possible(e) || store_count(cli->store, &query, &rows, NULL) != ST_OK ||
        rows > HINT_ROWS_MAX)
        return;
    if (likeness_find(cli->store, e, id, LIKENESS_MIN, &cli->mem, &pairs, &count, NULL) != ST_OK)
        return;
    for (size_t i = 0; i < count && i < HINTS_MAX; i++) {
        SCOPED(buf_free) struct buf row = buf_new(BUF_MAX_LINE);
        SCOPED(buf_free) struct buf en = buf_new(BUF_MAX_LINE);
        SCOPED(buf_free) struct buf zh = buf_new(BUF_MAX_LINE);
        cli_put_row(cli, e, pairs[i].a == id ? pairs[i].b : pairs[i].a, &row);
        likeness_write(pairs[i].reasons, LANG_EN, &en);
        likeness_write(pairs[i].reasons, LANG_ZH, &zh);
        cli_note(cli, "may be the same as %s: %s%.0s", "可能与 %s 重复：%.0s%s", buf_text(&row),
                 buf_text(&en), buf_text(&zh));
    }
}
