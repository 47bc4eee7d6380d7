/* Rows that are the same firm or person: finding them, making them one, and two again. */
#include <stdio.h>
#include <string.h>

#include "syncd/api/likeness.h"
#include "syncd/server/server.h"
#include "syncd/server/unite.h"

struct uniting { /* one run */
    struct server *server;
    struct org *org;
    const struct entity *entity;
    struct api_book book;
};

static void uniting_close(struct uniting *u) {
    server_org_release(&u->org);
}

static enum status uniting_open(struct server *server, const struct command_line *line,
                                struct uniting *out, struct err *err) {
    const char *name = command_value(line, "--entity");
    out->server = server;
    TRY(server_org_open(server, &out->org, err));
    TRY(api_entity(server->cat, slice_from(name ? name : "account"), &out->entity, err));
    if (!unite_is_possible(out->entity))
        return err_set(err, ST_USAGE, "--entity is account or contact, not %s",
                       "--entity 须为 account 或 contact，而非 %s", name ? name : "account");
    out->book = server_book(server, centre_store(org_centre(out->org)));
    return ST_OK;
}

static void put_row(struct listing *l, const struct uniting *u, const struct entity *e,
                    int64_t id) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    server_put_row(u->server, u->book.store, e, id, &text);
    if (u->server->json)
        listing_int(l, id);
    else
        listing_text(l, buf_slice(&text));
}

/* ------------------------------------------------------------------ duplicates */

static void put_reasons(struct listing *l, const struct server *server, unsigned reasons) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    likeness_write(reasons, server->lang, &text);
    listing_text(l, buf_slice(&text));
}

enum status server_cmd_duplicates(void *program, const struct command_line *line, struct err *err) {
    static const struct listing_column COLUMNS[] = {{"score", {"Score", "分数"}},
                                                    {"a", {"This", "甲"}},
                                                    {"b", {"and this", "乙"}},
                                                    {"why", {"Why", "依据"}}};
    SCOPED(uniting_close) struct uniting u = {0};
    SCOPED(listing_release) struct listing *l = NULL;
    struct likeness_pair *pairs;
    size_t count;
    int64_t min;
    TRY(uniting_open(program, line, &u, err));
    TRY(command_number(line, "--min", 1, 100, LIKENESS_MIN, &min, err));
    TRY(likeness_find(u.book.store, u.entity, 0, (int)min, &u.server->mem, &pairs, &count, err));
    TRY(listing_open(u.server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "No likely duplicates.", "没有发现可能重复的记录。");
    for (size_t i = 0; i < count; i++) {
        bool dismissed;
        TRY(centre_is_dismissed(org_centre(u.org), pairs[i].a, pairs[i].b, &dismissed, err));
        if (dismissed) continue;
        listing_int(l, pairs[i].score);
        put_row(l, &u, u.entity, pairs[i].a);
        put_row(l, &u, u.entity, pairs[i].b);
        put_reasons(l, u.server, pairs[i].reasons);
    }
    return listing_close(&l, err);
}

enum status server_cmd_duplicates_dismiss(void *program, const struct command_line *line,
                                          struct err *err) {
    SCOPED(uniting_close) struct uniting u = {0};
    int64_t a, b;
    TRY(uniting_open(program, line, &u, err));
    TRY(store_resolve(u.book.store, u.entity, slice_from(line->words[0]), &a, err));
    TRY(store_resolve(u.book.store, u.entity, slice_from(line->words[1]), &b, err));
    if (a == b) return err_set(err, ST_USAGE, "that is one row", "这是同一条记录");
    TRY(centre_dismiss(org_centre(u.org), a, b, server_person(u.server), err));
    server_tell(u.server, "they count as two", "已标记为并非重复");
    return ST_OK;
}

/* ------------------------------------------------------------------ merge */

static enum status read_choice(const struct uniting *u, struct slice word, struct unite_choice *out,
                               struct err *err) {
    struct slice side = word, name;
    (void)slice_cut(&side, '=', &name);
    TRY(api_field(u->entity, slice_trim(name), &out->field, err));
    side = slice_trim(side);
    bool loser = slice_equal(side, SLICE("loser"));
    if (!loser && !slice_equal(side, SLICE("survivor")))
        return err_set(err, ST_USAGE, "--take is FIELD=loser or FIELD=survivor",
                       "--take 的写法为 字段=loser 或 字段=survivor");
    out->side = loser ? UNITE_LOSER : UNITE_SURVIVOR;
    return ST_OK;
}

static enum status read_choices(const struct uniting *u, const struct command_line *line,
                                struct unite_choice *out, size_t *out_count, struct err *err) {
    const char *take = command_value(line, "--take");
    struct slice rest = slice_from(take ? take : ""), word;
    *out_count = 0;
    while (slice_cut(&rest, ',', &word)) {
        if (*out_count == ENTITY_FIELDS_MAX)
            return err_set(err, ST_USAGE, "too many fields", "字段过多");
        TRY(read_choice(u, word, &out[(*out_count)++], err));
    }
    return ST_OK;
}

static enum status put_values(struct listing *l, const struct uniting *u, const struct cell *cell,
                              const struct value *values, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    for (size_t i = 0; i < cell->count; i++) {
        const struct field *f = &u->entity->fields[cell->first + i];
        struct slice shown;
        if (values[i].kind == VALUE_NULL) continue;
        if (text.len > 0) buf_put_byte(&text, ' ');
        TRY(api_value_text(&u->book, f, values[i], &u->server->mem, &shown, err));
        api_value_line(f, shown, &text);
    }
    listing_text(l, buf_slice(&text));
    return ST_OK;
}

static const char *how_text(const struct server *server, enum unite_how how) {
    switch (how) {
    case UNITE_SAME: return server->json ? "same" : server_say(server, "same", "相同");
    case UNITE_KEEPS: return server->json ? "survivor" : server_say(server, "kept", "保留");
    case UNITE_TAKES: return server->json ? "loser" : server_say(server, "taken", "取用");
    case UNITE_COMBINES: return server->json ? "both" : server_say(server, "both", "合并");
    }
    return "";
}

static enum status print_cells(const struct uniting *u, const struct unite_cell *cells,
                               size_t count, struct err *err) {
    static const struct listing_column COLUMNS[] = {{"field", {"Field", "字段"}},
                                                    {"survivor", {"Survivor", "保留方"}},
                                                    {"loser", {"Loser", "被并入方"}},
                                                    {"stands", {"What stands", "结果"}},
                                                    {"how", {"How", "方式"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(u->server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "Neither has a value.", "双方均无内容。");
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf label = buf_new(BUF_MAX_LINE);
        const struct cell *cell = cells[i].cell;
        cell_write_label(u->entity, cell, u->server->lang, &label);
        listing_string(l, u->server->json ? cell_name(u->entity, cell) : buf_text(&label));
        TRY(put_values(l, u, cell, cells[i].survivor, err));
        TRY(put_values(l, u, cell, cells[i].loser, err));
        TRY(put_values(l, u, cell, cells[i].stands, err));
        listing_string(l, how_text(u->server, cells[i].how));
    }
    return listing_close(&l, err);
}

static enum status read_order(const struct uniting *u, const struct command_line *line,
                              struct unite_choice *choices, struct unite_order *out,
                              struct err *err) {
    static const char *const into[] = {"into", "INTO", "并入"};
    bool said = false;
    *out = (struct unite_order){.choices = choices, .person = server_person(u->server)};
    for (size_t i = 0; line->word_count == 3 && i < ARRAY_COUNT(into); i++)
        said |= strcmp(line->words[1], into[i]) == 0;
    if (!said) /* two names alone do not say which of them goes */
        return err_set(err, ST_USAGE,
                       "say which of the two goes: roadbook-server merge LOSER into SURVIVOR "
                       "(quote a name with blanks in it)",
                       "请说明哪一方并入哪一方：roadbook-server merge 被并入方 into 保留方"
                       "（名称含空格时请加引号）");
    TRY(store_resolve(u->book.store, u->entity, slice_from(line->words[0]), &out->loser, err));
    TRY(store_resolve(u->book.store, u->entity, slice_from(line->words[2]), &out->survivor,
                      err));
    return read_choices(u, line, choices, &out->choice_count, err);
}

enum status server_cmd_merge(void *program, const struct command_line *line, struct err *err) {
    SCOPED(uniting_close) struct uniting u = {0};
    struct unite_choice choices[ENTITY_FIELDS_MAX];
    struct unite_order order;
    struct unite_result result;
    bool dry_run = command_has(line, "--dry-run");
    TRY(uniting_open(program, line, &u, err));
    TRY(read_order(&u, line, choices, &order, err));
    TRY(org_unite(u.org, &order, dry_run, &u.server->mem, &result, err));
    TRY(print_cells(&u, result.cells, result.cell_count, err));
    server_tell(u.server,
                dry_run ? "would come along: %zu rows, of which %zu would become one with "
                          "another"
                        : "came along: %zu rows, of which %zu became one with another",
                dry_run ? "将随之归入：%zu 条记录，其中 %zu 条会与已有记录合并"
                        : "随之归入：%zu 条记录，其中 %zu 条与已有记录合并",
                result.repointed + result.twins, result.twins);
    return ST_OK;
}

/* ------------------------------------------------------------------ undo */

static enum status loser_id(const char *typed, int64_t *out, struct err *err) {
    if (id_parse(slice_from(typed), out)) return ST_OK;
    return err_set(err, ST_USAGE, "%s is no id: see roadbook-server merge list",
                   "%s 不是编号：见 roadbook-server merge list", typed);
}

enum status server_cmd_merge_undo(void *program, const struct command_line *line, struct err *err) {
    SCOPED(uniting_close) struct uniting u = {0};
    struct unite_parting result;
    int64_t loser;
    bool dry_run = command_has(line, "--dry-run");
    TRY(uniting_open(program, line, &u, err));
    TRY(loser_id(line->words[0], &loser, err));
    TRY(org_part(u.org, loser, dry_run, &u.server->mem, &result, err));
    u.entity = result.entity;
    server_tell(u.server,
                dry_run ? "would be two again: rows that go back: %zu, rows of their own again "
                          "among them: %zu, fields of the survivor as they were: %zu"
                        : "two again: rows that went back: %zu, rows of their own again among "
                          "them: %zu, fields of the survivor as they were: %zu",
                dry_run ? "将恢复为两条：归还记录 %zu 条，其中 %zu 条恢复为单独记录，"
                          "保留方恢复字段 %zu 个"
                        : "恢复为两条：归还记录 %zu 条，其中 %zu 条恢复为单独记录，"
                          "保留方恢复字段 %zu 个",
                result.returned, result.parted, result.restored);
    if (result.kept_count == 0 && !u.server->json) return ST_OK;
    server_tell(u.server, "changed since the merge, and left as they are:",
                "以下字段在合并后改动过，保持不变：");
    for (size_t i = 0; i < result.kept_count; i++) result.kept[i].how = UNITE_KEEPS;
    return print_cells(&u, result.kept, result.kept_count, err);
}

struct merges {
    const struct uniting *u;
    struct listing *l;
};

static enum status list_union(void *ctx, const struct centre_united *united, struct err *err) {
    struct merges *m = ctx;
    struct slice name = {0};
    const struct entity *e = united->loser.entity;
    const struct field *title = e->title ? entity_field(e, slice_from(e->title)) : NULL;
    (void)err;
    if (title) name = united->loser.values[entity_field_index(e, title)].text;
    listing_time(m->l, united->time_ms);
    listing_text(m->l, united->person);
    listing_string(m->l, m->u->server->json ? e->name : e->label[m->u->server->lang]);
    listing_id(m->l, united->from);
    listing_text(m->l, name);
    put_row(m->l, m->u, e, united->to);
    listing_bool(m->l, united->parted > 0);
    return ST_OK;
}

enum status server_cmd_merge_list(void *program, const struct command_line *line, struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"time", {"Time", "时间"}},      {"person", {"Who", "操作人"}},
        {"entity", {"Kind", "类别"}},    {"loser", {"Id", "编号"}},
        {"name", {"Was", "原名称"}},     {"survivor", {"Became", "并入"}},
        {"undone", {"Undone", "已撤销"}}};
    SCOPED(uniting_close) struct uniting u = {0};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(uniting_open(program, line, &u, err));
    TRY(listing_open(u.server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "Nothing was merged.", "尚无合并。");
    struct merges m = {&u, l};
    TRY(centre_unitings(org_centre(u.org), 0, list_union, &m, err));
    return listing_close(&l, err);
}
