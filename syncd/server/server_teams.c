/* Territories, teams, assignments, handovers: what head office orders. Each command says with
 * --dry-run who would gain and lose how many rows, and does nothing.
 */
#include "syncd/server/server_teams.h"

#include <stdio.h>
#include <string.h>

enum { ASSIGN_MAX = 1000 }; /* accounts of one command line */

/* ------------------------------------------------------------------ words */

static const struct entity *entity_of(const struct teaming *t, const char *name) {
    return catalogue_entity(t->server->cat, slice_from(name));
}

static const struct field *field_of(const struct teaming *t, const char *entity,
                                    const char *field) {
    return entity_field(entity_of(t, entity), slice_from(field));
}

static enum status row_named(struct teaming *t, const char *entity, const char *typed, int64_t *out,
                             struct err *err) {
    return store_resolve(t->book.store, entity_of(t, entity), slice_from(typed), out, err);
}

/* A login, or whatever names a row of an employee. */
static enum status employee_named(struct teaming *t, const char *typed, int64_t *out,
                                  struct err *err) {
    struct centre_user user;
    enum status status = centre_user_by_login(org_centre(t->org), slice_from(typed), &user, err);
    if (status == ST_OK && user.employee != 0) {
        *out = user.employee;
        return ST_OK;
    }
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    return row_named(t, "employee", typed, out, err);
}

/* The day that an option names, today without it. Not one that is over: who saw what until now is
 * history, and an order cannot change it. */
static enum status day_given(struct teaming *t, const char *option, int64_t *out, struct err *err) {
    const char *text = command_value(t->server->line, option);
    int64_t today = centre_day(&t->scope, t->server->env.wall_ms(t->server->env.ctx));
    SCOPED(buf_free) struct buf day = buf_new(BUF_MAX_LINE);
    *out = today;
    if (text && !date_parse(slice_from(text), out))
        return err_set(err, ST_USAGE, "%s is no date: write 2026-12-01",
                       "%s 不是日期，应写作 2026-12-01", text);
    if (*out >= today) return ST_OK;
    buf_put_date(&day, today);
    return err_set(err, ST_INVALID,
                   "%s %s is over: an order holds from today (%s), which takes effect at once, or "
                   "from a day to come",
                   "%s %s 已经过去：只能从今天（%s，立即生效）或以后的日期开始", option, text,
                   buf_text(&day));
}

/* Of a membership: its days, if they are given, in their order. */
static enum status days_given(struct teaming *t, struct err *err) {
    int64_t from, until;
    TRY(day_given(t, "--from", &from, err));
    TRY(day_given(t, "--until", &until, err));
    if (!command_value(t->server->line, "--until") || from <= until) return ST_OK;
    return err_set(err, ST_INVALID, "the last day, --until %s, is before the first",
                   "最后一天 --until %s 早于开始日期",
                   command_value(t->server->line, "--until"));
}

static bool is_dry_run(const struct teaming *t) {
    return command_has(t->server->line, "--dry-run");
}

/* ------------------------------------------------------------------ saving, or showing what would
 * be */

struct saving {
    struct teaming *t;
    struct change change;
    struct edit edits[8];
    struct value values[8];
};

static void saving_put(struct saving *s, const char *entity, const char *field, struct value v) {
    size_t i = s->change.edit_count++;
    const struct entity *e = entity_of(s->t, entity);
    s->values[i] = v;
    s->edits[i] =
        (struct edit){.cell_tag = entity_cell_of(e, entity_field(e, slice_from(field)))->tag,
                      .kind = EDIT_SET,
                      .values = &s->values[i],
                      .value_count = 1};
    s->change.edits = s->edits;
    s->change.entity_tag = e->tag;
}

static enum status say_refused(const struct receipt_line *line, struct err *err) {
    return err_set(err, ST_CONFLICT, "it did not come in: %s%.0s", "未能写入：%.0s%s",
                   reason_text(line->reason, LANG_EN), reason_text(line->reason, LANG_ZH));
}

/* Saves the change, or with --dry-run shows what it would do. *out_saved: it was saved. */
static enum status saving_end(struct saving *s, bool *out_saved, struct err *err) {
    struct server *server = s->t->server;
    struct scope_effect *effects;
    struct receipt receipt;
    size_t count;
    *out_saved = false;
    if (is_dry_run(s->t)) {
        TRY(org_scope_preview(s->t->org, &s->change, 1, NULL, 0, &server->mem, &effects, &count,
                              err));
        return effects_print(server, effects, count, err);
    }
    TRY(org_office_save(s->t->org, &s->change, 1, 0, 0, server_person(server), &server->mem,
                        &receipt, err));
    if (receipt.lines[0].outcome >= OUTCOME_WAITING) return say_refused(&receipt.lines[0], err);
    *out_saved = true;
    return ST_OK;
}

static enum status new_row(struct saving *s, struct err *err) {
    s->change.kind = CHANGE_CREATE;
    return org_office_id(s->t->org, &s->change.row, err);
}

static enum status say_saved(struct saving *s, const char *entity, const char *en, const char *zh,
                             struct err *err) {
    struct server *server = s->t->server;
    struct slice title;
    char id[ID_TEXT_BYTES];
    TRY(store_title(s->t->book.store, entity_of(s->t, entity), s->change.row, &server->mem, &title,
                    err));
    id_format(s->change.row, id);
    if (server->json)
        printf("{\"id\":%lld,\"short_id\":\"%s\"}\n", (long long)s->change.row, id);
    else
        printf(server_say(server, "%s: %.*s (%s)\n", "%s：%.*s（%s）\n"), server_say(server, en, zh),
               (int)title.len, (const char *)title.data, id);
    return ST_OK;
}

/* ------------------------------------------------------------------ territories */

struct territory {
    int64_t id, parent;
    struct slice code, name;
};
struct tree {
    struct teaming *t;
    struct territory *items;
    size_t count, room;
    struct listing *l;
};

static enum status tree_take(void *ctx, const struct row *row, struct err *err) {
    struct tree *tree = ctx;
    struct arena *mem = &tree->t->server->mem;
    const struct entity *e = row->entity;
    if (tree->count == tree->room) {
        size_t room = tree->room ? tree->room * 2 : 64;
        struct territory *items = ARENA_ARRAY(mem, room, struct territory);
        if (!items) return err_no_memory(err);
        if (tree->count > 0) memcpy(items, tree->items, tree->count * sizeof *items);
        tree->items = items;
        tree->room = room;
    }
    struct value parent =
        row->values[entity_field_index(e, field_of(tree->t, "territory", "parent"))];
    struct value code = row->values[entity_field_index(e, field_of(tree->t, "territory", "code"))];
    struct value name = row->values[entity_field_index(e, field_of(tree->t, "territory", "name"))];
    tree->items[tree->count++] =
        (struct territory){row->id, parent.kind == VALUE_INT ? parent.number : 0,
                           arena_copy(mem, code.text), arena_copy(mem, name.text)};
    return ST_OK;
}

static enum status count_in(struct teaming *t, const char *entity, int64_t territory, int64_t *out,
                            struct err *err) {
    struct condition in = {field_of(t, entity, "territory"), COMPARE_EQ, value_int(territory)};
    struct query query = {.entity = entity_of(t, entity), .conditions = &in, .condition_count = 1};
    return store_count(t->book.store, &query, out, err);
}

static enum status tree_row(struct tree *tree, const struct territory *item, int depth,
                            struct err *err) {
    SCOPED(buf_free) struct buf name = buf_new(BUF_MAX_LINE);
    int64_t accounts, people;
    for (int i = 0; i < depth && !tree->t->server->json; i++) buf_put_text(&name, "  ");
    buf_put_slice(&name, item->name);
    TRY(count_in(tree->t, "account", item->id, &accounts, err));
    TRY(count_in(tree->t, "employee", item->id, &people, err));
    listing_text(tree->l, buf_slice(&name));
    listing_text(tree->l, item->code);
    listing_id(tree->l, item->id);
    listing_int(tree->l, item->parent);
    listing_int(tree->l, depth);
    listing_int(tree->l, people);
    listing_int(tree->l, accounts);
    return ST_OK;
}

static enum status tree_walk(struct tree *tree, int64_t parent, int depth, struct err *err) {
    enum { DEPTH_MAX = 64 };
    for (size_t i = 0; i < tree->count && depth < DEPTH_MAX; i++) {
        if (tree->items[i].parent != parent) continue;
        TRY(tree_row(tree, &tree->items[i], depth, err));
        TRY(tree_walk(tree, tree->items[i].id, depth + 1, err));
    }
    return ST_OK;
}

enum status server_cmd_territory_tree(void *program, const struct command_line *line,
                                      struct err *err) {
    static const struct listing_column COLUMNS[] = {{"name", {"Territory", "区域"}},
                                                    {"code", {"Code", "代码"}},
                                                    {"id", {"Id", "编号"}},
                                                    {"parent", {NULL, NULL}},
                                                    {"depth", {NULL, NULL}},
                                                    {"people", {"People", "人员"}},
                                                    {"accounts", {"Accounts", "客户"}}};
    SCOPED(teaming_close) struct teaming t = {0};
    SCOPED(listing_release) struct listing *l = NULL;
    (void)line;
    TRY(teaming_open(program, &t, err));
    struct tree tree = {.t = &t};
    struct query query = {.entity = entity_of(&t, "territory"),
                          .sort = field_of(&t, "territory", "code")};
    TRY(store_list(t.book.store, &query, tree_take, &tree, err));
    TRY(listing_open(t.server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "no territories yet: roadbook-server territory add CODE --name NAME",
                 "还没有区域：roadbook-server territory add 代码 --name 名称");
    tree.l = l;
    TRY(tree_walk(&tree, 0, 0, err));
    return listing_close(&l, err);
}

/* A row with the code of another would be united with it: one that only took its name. */
static enum status check_new_code(struct teaming *t, struct slice code, struct err *err) {
    const struct entity *e = entity_of(t, "territory");
    struct row row;
    int64_t id;
    if (store_resolve(t->book.store, e, code, &id, NULL) != ST_OK) return ST_OK;
    TRY(store_get(t->book.store, e, id, &t->server->mem, &row, err));
    struct value has = row.values[entity_field_index(e, field_of(t, "territory", "code"))];
    if (has.kind != VALUE_TEXT || !slice_equal(has.text, code)) return ST_OK;
    return err_set(err, ST_CONFLICT, "there is a territory %.*s already; see territory tree",
                   "区域 %.*s 已存在；见 territory tree", (int)code.len, (const char *)code.data);
}

enum status server_cmd_territory_add(void *program, const struct command_line *line,
                                     struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct saving s = {.t = &t};
    const char *name = command_value(line, "--name"), *under = command_value(line, "--under");
    int64_t parent = 0;
    bool saved;
    TRY(teaming_open(program, &t, err));
    TRY(check_new_code(&t, slice_from(line->words[0]), err));
    if (under) TRY(row_named(&t, "territory", under, &parent, err));
    TRY(new_row(&s, err));
    saving_put(&s, "territory", "code", value_text(slice_from(line->words[0])));
    saving_put(&s, "territory", "name", value_text(slice_from(name ? name : line->words[0])));
    if (parent) saving_put(&s, "territory", "parent", value_int(parent));
    TRY(saving_end(&s, &saved, err));
    return saved ? say_saved(&s, "territory", "territory added", "已新建区域", err) : ST_OK;
}

/* A territory cannot come to stand below itself. */
static enum status check_not_below(struct teaming *t, int64_t territory, int64_t parent,
                                   struct err *err) {
    enum { DEPTH_MAX = 64 };
    const struct entity *e = entity_of(t, "territory");
    size_t at = entity_field_index(e, field_of(t, "territory", "parent"));
    for (int depth = 0; parent != 0; depth++) {
        struct row row;
        if (parent == territory || depth == DEPTH_MAX)
            return err_set(err, ST_CONFLICT, "a territory cannot stand below itself",
                           "区域不能成为自己的下级");
        TRY(store_get(t->book.store, e, parent, &t->server->mem, &row, err));
        parent = row.values[at].kind == VALUE_INT ? row.values[at].number : 0;
    }
    return ST_OK;
}

enum status server_cmd_territory_move(void *program, const struct command_line *line,
                                      struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct saving s = {.t = &t, .change = {.kind = CHANGE_EDIT}};
    const char *under = command_value(line, "--under");
    int64_t parent = 0;
    bool saved;
    TRY(teaming_open(program, &t, err));
    if (!under)
        return err_set(err, ST_USAGE, "below which? --under TERRITORY, or --under - for the top",
                       "移到哪里？--under 区域；移到顶层用 --under -");
    TRY(row_named(&t, "territory", line->words[0], &s.change.row, err));
    if (strcmp(under, "-") != 0) TRY(row_named(&t, "territory", under, &parent, err));
    TRY(check_not_below(&t, s.change.row, parent, err));
    saving_put(&s, "territory", "parent", parent ? value_int(parent) : value_null());
    TRY(saving_end(&s, &saved, err));
    return saved ? say_saved(&s, "territory", "territory moved", "区域已移动", err) : ST_OK;
}

/* ------------------------------------------------------------------ teams */

static enum status no_member(struct err *err) {
    return err_set(err, ST_NOT_FOUND, "not a member of this account's team",
                   "不是该客户团队的成员");
}

struct member_search {
    int64_t id;
    size_t count;
};

static enum status member_take(void *ctx, const struct row *row, struct err *err) {
    struct member_search *search = ctx;
    (void)err;
    search->id = row->id;
    search->count++;
    return ST_OK;
}

static enum status members_find(struct teaming *t, int64_t account, int64_t employee,
                                struct member_search *out, struct err *err) {
    struct condition same[] = {
        {field_of(t, "team_member", "account"), COMPARE_EQ, value_int(account)},
        {field_of(t, "team_member", "employee"), COMPARE_EQ, value_int(employee)}};
    struct query query = {.entity = entity_of(t, "team_member"),
                          .conditions = same,
                          .condition_count = ARRAY_COUNT(same)};
    *out = (struct member_search){0};
    return store_list(t->book.store, &query, member_take, out, err);
}

/* The value that an option names for a field of a member. */
static enum status put_option(struct saving *s, const char *field, const char *option,
                              struct err *err) {
    const char *text = command_value(s->t->server->line, option);
    struct value v;
    if (!text) return ST_OK;
    TRY(api_value(&s->t->book, field_of(s->t, "team_member", field), slice_from(text),
                  &s->t->server->mem, &v, err));
    saving_put(s, "team_member", field, v);
    return ST_OK;
}

enum status server_cmd_team_add(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct saving s = {.t = &t};
    int64_t account, employee;
    bool saved;
    TRY(teaming_open(program, &t, err));
    TRY(row_named(&t, "account", line->words[0], &account, err));
    TRY(employee_named(&t, line->words[1], &employee, err));
    TRY(days_given(&t, err));
    TRY(new_row(&s, err));
    saving_put(&s, "team_member", "account", value_int(account));
    saving_put(&s, "team_member", "employee", value_int(employee));
    TRY(put_option(&s, "role", "--role", err));
    TRY(put_option(&s, "from_on", "--from", err));
    TRY(put_option(&s, "until_on", "--until", err));
    TRY(saving_end(&s, &saved, err));
    return saved ? say_saved(&s, "team_member", "in the team", "已加入团队", err) : ST_OK;
}

enum status server_cmd_team_remove(void *program, const struct command_line *line,
                                   struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct saving s = {.t = &t, .change = {.kind = CHANGE_DELETE}};
    struct member_search found;
    int64_t account, employee;
    bool saved;
    TRY(teaming_open(program, &t, err));
    TRY(row_named(&t, "account", line->words[0], &account, err));
    TRY(employee_named(&t, line->words[1], &employee, err));
    TRY(members_find(&t, account, employee, &found, err));
    if (found.count == 0) return no_member(err);
    const struct entity *e = entity_of(&t, "team_member");
    struct unit_row unit = {.row = found.id, .entity_tag = e->tag};
    s.change.row = found.id;
    s.change.entity_tag = e->tag;
    s.change.unit = &unit;
    s.change.unit_count = 1;
    TRY(saving_end(&s, &saved, err));
    if (!saved) return ST_OK;
    if (t.server->json) printf("{\"removed\":%lld}\n", (long long)found.id);
    server_tell(t.server, "%s is out of the team%s", "%s 已退出团队%s", line->words[1],
                found.count > 1
                    ? server_say(t.server, " in one of several roles", "（多个角色之一）")
                    : "");
    return ST_OK;
}

struct member_print {
    struct teaming *t;
    struct listing *l;
};

static enum status member_row(void *ctx, const struct row *row, struct err *err) {
    static const char *const fields[] = {"employee", "role", "from_on", "until_on"};
    struct member_print *p = ctx;
    listing_id(p->l, row->id);
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        const struct field *f = field_of(p->t, "team_member", fields[i]);
        struct slice text;
        TRY(api_value_text(&p->t->book, f, row->values[entity_field_index(row->entity, f)],
                           &p->t->server->mem, &text, err));
        listing_text(p->l, text);
    }
    return ST_OK;
}

enum status server_cmd_team_list(void *program, const struct command_line *line, struct err *err) {
    static const struct listing_column COLUMNS[] = {{"id", {"Id", "编号"}},
                                                    {"employee", {"Member", "成员"}},
                                                    {"role", {"Role", "角色"}},
                                                    {"from", {"From", "开始"}},
                                                    {"until", {"Until", "截止"}}};
    SCOPED(teaming_close) struct teaming t = {0};
    SCOPED(listing_release) struct listing *l = NULL;
    int64_t account;
    TRY(teaming_open(program, &t, err));
    TRY(row_named(&t, "account", line->words[0], &account, err));
    TRY(listing_open(t.server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "nobody beside its owner", "除负责人外没有其他成员");
    struct condition of = {field_of(&t, "team_member", "account"), COMPARE_EQ, value_int(account)};
    struct query query = {
        .entity = entity_of(&t, "team_member"), .conditions = &of, .condition_count = 1};
    struct member_print print = {&t, l};
    TRY(store_list(t.book.store, &query, member_row, &print, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ assignments and handovers */

/* Orders them, those of today at once; or shows what they would do. */
static enum status order(struct teaming *t, struct centre_dated *ops, size_t count,
                         struct err *err) {
    struct server *server = t->server;
    struct scope_effect *effects;
    struct centre_dated *listed;
    size_t effect_count, listed_count, kept = 0;
    int64_t ids[ASSIGN_MAX];
    if (is_dry_run(t)) {
        TRY(org_scope_preview(t->org, NULL, 0, ops, count, &server->mem, &effects, &effect_count,
                              err));
        return effects_print(server, effects, effect_count, err);
    }
    struct slice person = server_person(server);
    for (size_t i = 0; i < count; i++)
        (void)snprintf(ops[i].person, sizeof ops[i].person, "%.*s", (int)person.len,
                       (const char *)person.data);
    TRY(org_dated_add_all(t->org, ops, count, ids, err));
    TRY(org_due(t->org, NULL, NULL, err));
    TRY(org_dated_list(t->org, true, &server->mem, &listed, &listed_count, err));
    for (size_t i = 0; i < listed_count; i++)
        for (size_t k = 0; k < count; k++)
            if (listed[i].id == ids[k]) listed[kept++] = listed[i];
    return dated_print(t, listed, kept, err);
}

enum status server_cmd_assign(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    const char *user = command_value(line, "--to");
    int64_t to, day;
    TRY(teaming_open(program, &t, err));
    if (!user) return err_set(err, ST_USAGE, "to whom? --to LOGIN", "指派给谁？--to 登录名");
    if (line->word_count > ASSIGN_MAX)
        return err_set(err, ST_USAGE, "at most %d accounts at once", "一次最多 %d 个客户",
                       ASSIGN_MAX);
    TRY(employee_named(&t, user, &to, err));
    TRY(day_given(&t, "--from", &day, err));
    struct centre_dated *ops = ARENA_ARRAY(&t.server->mem, line->word_count, struct centre_dated);
    if (!ops) return err_no_memory(err);
    for (size_t i = 0; i < line->word_count; i++) {
        ops[i] = (struct centre_dated){
            .kind = DATED_ASSIGN, .due_ms = org_day_ms(&t.scope, day), .to = to};
        TRY(row_named(&t, "account", line->words[i], &ops[i].account, err));
    }
    return order(&t, ops, line->word_count, err);
}

/* What both sign: they find it on their laptops. */
static enum status handover_row(struct teaming *t, struct centre_dated *op, int64_t day,
                                struct err *err) {
    struct saving s = {.t = t};
    const char *reason = command_value(t->server->line, "--reason");
    bool saved;
    TRY(new_row(&s, err));
    saving_put(&s, "handover", "from_employee", value_int(op->from));
    saving_put(&s, "handover", "to_employee", value_int(op->to));
    saving_put(&s, "handover", "on_date", value_int(day));
    if (reason) saving_put(&s, "handover", "reason", value_text(slice_from(reason)));
    saving_put(&s, "handover", "state", value_int(1));
    TRY(saving_end(&s, &saved, err));
    op->handover = s.change.row;
    return ST_OK;
}

enum status server_cmd_handover(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct centre_dated op = {.kind = DATED_HANDOVER};
    int64_t day;
    TRY(teaming_open(program, &t, err));
    TRY(employee_named(&t, line->words[0], &op.from, err));
    TRY(employee_named(&t, line->words[1], &op.to, err));
    if (op.from == op.to) /* said here as well: no row to sign is left behind */
        return err_set(err, ST_INVALID, "nothing changes hands: both are the same person",
                       "交接双方为同一人");
    TRY(day_given(&t, "--on", &day, err));
    op.due_ms = org_day_ms(&t.scope, day);
    if (!command_has(line, "--unsigned") && !is_dry_run(&t)) TRY(handover_row(&t, &op, day, err));
    return order(&t, &op, 1, err);
}
