/* roadbook scope: the homes that this laptop holds. */
#include "client/cli.h"

#include "protocol/model/home.h"

struct scope_listing {
    struct cli *cli;
    struct api_table *table; /* NULL: JSON */
    int64_t homes;
    bool any_fills;
};

static const struct {
    const char *name;
    const char *label[LANG_COUNT];
} CLASSES[HOME_CLASS_COUNT] = {
    [HOME_CLASS_NONE] = {"none", {"None", "无"}},
    [HOME_CLASS_OWN] = {"own", {"Own work", "个人工作"}},
    [HOME_CLASS_TEAM] = {"team", {"Team", "客户团队"}},
    [HOME_CLASS_TERRITORY] = {"territory", {"Territory", "区域"}},
    [HOME_CLASS_PUBLIC] = {"public", {"Public", "公共"}},
    [HOME_CLASS_OFFICE] = {"office", {"Head office", "总部"}},
    [HOME_CLASS_ALL] = {"all", {"Everything", "全部"}},
};

static void home_json(struct scope_listing *l, const struct held_home *home) {
    struct cli *cli = l->cli;
    buf_put_text(&cli->out, l->homes > 1 ? ",\n" : "");
    cli_json_string(cli, "kind", CLASSES[home_class(home->home)].name, true);
    if (home->entity) cli_json_id(cli, home->row, false);
    if (home->entity) cli_json_text(cli, "name", home->name, false);
    cli_json_int(cli, "rows", home->rows, false);
    cli_json_int(cli, "since", home->since, false);
    cli_json_bool(cli, "loading", home->fills, false);
    buf_put_byte(&cli->out, '}');
}

static enum status home_row(void *ctx, const struct held_home *home, struct err *err) {
    struct scope_listing *l = ctx;
    struct cli *cli = l->cli;
    char id[ID_TEXT_BYTES] = "";
    l->homes++;
    l->any_fills |= home->fills;
    if (!l->table) {
        home_json(l, home);
        return cli_flush_some(cli, err);
    }
    if (home->entity) id_format(home->row, id);
    cli_table_text(l->table, CLASSES[home_class(home->home)].label[cli->lang]);
    api_table_cell(l->table, home->name);
    cli_table_text(l->table, id);
    cli_table_int(l->table, home->rows);
    cli_table_text(l->table, home->fills ? cli_pick(cli, "loading", "载入中")
                                         : cli_pick(cli, "complete", "完整"));
    return ST_OK;
}

enum status cli_scope_list(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {{.label = {"Kind", "类别"}},
                                                {.label = {"Name", "名称"}},
                                                {.label = {"ID", "编号"}},
                                                {.label = {"Rows", "记录数"}, .right = true},
                                                {.label = {"State", "状态"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    (void)line;
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct scope_listing listing = {.cli = cli, .table = table};
    TRY(store_homes(cli->store, home_row, &listing, err));
    cli_list_end(cli, table, listing.homes, "the server has not said yet what this laptop may see",
                 "服务器尚未告知本机可见的范围");
    return ST_OK;
}
