/* Two rows become one.
 *
 * First the rows that both own, or are named in the keys of, and that are the same by their natural
 * key, become one as well; then the loser leaves its homes, its cells meet the survivor's, what
 * named it names the survivor, and whoever saw the loser sees the survivor. Only the loser and the
 * survivor get a seq: every book re-points by the alias alone.
 */
#include "syncd/server/unite.h"

#include <string.h>

#include "syncd/server/org_private.h"
#include "syncd/server/unite_private.h"

enum { DEPTH_MAX = 16 }; /* rows that become one because others did; no catalogue goes that deep */

bool unite_is_possible(const struct entity *e) {
    return strcmp(e->name, "account") == 0 || strcmp(e->name, "contact") == 0;
}

void unite_log_left(struct merge *m, const struct homes *left, struct log_homes *room) {
    *room = (struct log_homes){.left = *left};
    m->scope.homes = m->scope.on ? room : NULL;
}

struct uniting { /* of what head office ordered, and what follows from it */
    struct merge *m;
    const struct unite_order *order;
    size_t twins;
    int depth;
};

static enum status unite_pair(struct uniting *all, const struct centre_row *from,
                              const struct centre_row *to, int64_t cause, struct unite_result *out,
                              struct err *err);

/* ------------------------------------------------------------------ twins */

static bool key_has(const struct entity *e, const struct field *f) {
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++)
        if (strcmp(e->key[i], f->name) == 0) return true;
    return false;
}

/* The row that would have the same key once this one names the survivor; 0: none. */
static enum status find_twin(struct merge *m, const struct centre_row *row, const struct field *f,
                             int64_t survivor, int64_t *out, struct err *err) {
    size_t count = row->entity->field_count;
    struct value *values = ARENA_ARRAY(m->mem, count, struct value);
    if (!values) return err_no_memory(err);
    memcpy(values, row->values, count * sizeof *values);
    values[entity_field_index(row->entity, f)] = value_int(survivor);
    TRY(centre_row_by_key(m->c, row->entity, values, out, err));
    if (*out == row->id) *out = 0;
    return ST_OK;
}

/* A delete of a row that lives on in its twin did not stand. */
static enum status bury_delete(struct merge *m, const struct centre_row *dead, struct err *err) {
    struct log_entry deleted;
    TRY(centre_log_entry(m->c, dead->dead, &deleted, err));
    struct ledger_entry entry = {.seq = centre_next_seq(m->c),
                                 .entity_tag = deleted.entity_tag,
                                 .row = deleted.row,
                                 .rule = RULE_LAST,
                                 .loser_device = deleted.device,
                                 .loser_batch = deleted.batch,
                                 .loser_time_ms = deleted.time_ms,
                                 .winner_time_ms = m->now_ms,
                                 .winner_is_new = true};
    return centre_ledger_add(m->c, &entry, err);
}

/* Of a dead and a living twin the living one stays. Two dead ones come back: what their deletes had
 * seen was not this. */
static enum status unite_twins(struct uniting *all, struct centre_row *row, int64_t twin,
                               int64_t cause, struct err *err) {
    struct merge *m = all->m;
    const struct entity *e = row->entity;
    struct centre_row other;
    bool found;
    TRY(centre_row_read(m->c, e, twin, m->mem, &other, &found, err));
    if (!found) return ST_OK;
    if (other.dead && row->dead) {
        TRY(merge_revive(m, e, other.id, err));
        TRY(centre_row_read(m->c, e, other.id, m->mem, &other, &found, err));
        TRY(centre_row_read(m->c, e, row->id, m->mem, row, &found, err));
    }
    bool swap = other.dead && !row->dead;
    const struct centre_row *from = swap ? &other : row, *to = swap ? row : &other;
    if (from->dead) TRY(bury_delete(m, from, err));
    all->twins++;
    if (++all->depth > DEPTH_MAX)
        return err_set(err, ST_TOO_LARGE, "too many rows hang together", "相互关联的记录过多");
    TRY(unite_pair(all, from, to, cause, NULL, err));
    all->depth--;
    return ST_OK;
}

static enum status unite_children(struct uniting *all, const struct centre_row *from,
                                  const struct centre_row *to, int64_t cause, struct err *err) {
    struct merge *m = all->m;
    struct centre_naming *list;
    size_t count;
    TRY(centre_naming(m->c, from->entity, from->id, m->mem, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct centre_row row;
        bool found;
        int64_t twin;
        if (!key_has(list[i].entity, list[i].field)) continue;
        TRY(centre_row_read(m->c, list[i].entity, list[i].row, m->mem, &row, &found, err));
        if (!found) continue;
        TRY(find_twin(m, &row, list[i].field, to->id, &twin, err));
        if (twin) TRY(unite_twins(all, &row, twin, cause, err));
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ who sees it */

struct sight {                 /* of two accounts that become one */
    int64_t lost, home;        /* homes; 0: the rows make none */
    int64_t *losers, *holders; /* users, ascending */
    size_t loser_count, holder_count;
};

static bool makes_a_team(const struct entity *e) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].kind == HOME_TEAM && !e->homes[i].field) return true;
    return false;
}

static enum status look_at_sight(struct merge *m, const struct centre_row *from,
                                 const struct centre_row *to, struct sight *out, struct err *err) {
    *out = (struct sight){.lost = 0};
    if (!m->scope.on || !makes_a_team(from->entity)) return ST_OK;
    out->lost = home_make(HOME_CLASS_TEAM, from->id);
    out->home = home_make(HOME_CLASS_TEAM, to->id);
    TRY(centre_holders(m->c, out->lost, m->mem, &out->losers, &out->loser_count, err));
    return centre_holders(m->c, out->home, m->mem, &out->holders, &out->holder_count, err);
}

static bool has_user(const int64_t *users, size_t count, int64_t user) {
    for (size_t i = 0; i < count; i++)
        if (users[i] == user) return true;
    return false;
}

/* Whoever held the loser's home, and would not hold the survivor's by the rules, holds it for that.
 */
static enum status give_reasons(struct merge *m, const struct sight *s, struct err *err) {
    struct centre_scope scope;
    int64_t *users;
    size_t count;
    centre_scope(m->c, &scope);
    TRY(centre_reasons_move(m->c, s->lost, s->home, err));
    TRY(centre_entitled(m->c, s->home, centre_day(&scope, m->now_ms), m->mem, &users, &count, err));
    for (size_t i = 0; i < s->loser_count; i++)
        if (!has_user(users, count, s->losers[i]))
            TRY(centre_reason_merged(m->c, s->losers[i], s->home, home_id(s->lost), err));
    return ST_OK;
}

/* The home of the survivor holds more rows now, of which the log says nothing: whoever held it gets
 * it anew. Also who held both: his laptop may not have been told of the other yet; and also where
 * nothing named the loser any more: a laptop that has not heard of that takes what it still has of
 * the loser's for the survivor's. */
static enum status open_anew(struct merge *m, const struct sight *s, struct err *err) {
    struct log_entry entry = {
        .seq = centre_next_seq(m->c), .time_ms = m->now_ms, .kind = LOG_SCOPE};
    int64_t *now;
    size_t count, opened = 0;
    TRY(centre_holders(m->c, s->home, m->mem, &now, &count, err));
    for (size_t i = 0; i < s->holder_count; i++) {
        struct centre_grant grant = {.user = s->holders[i], .home = s->home, .since = entry.seq};
        if (!has_user(now, count, grant.user)) continue;
        TRY(centre_grant_end(m->c, grant.user, s->home, entry.seq, m->now_ms, err));
        TRY(centre_grant_open(m->c, &grant, err));
        opened++;
    }
    return opened > 0 ? centre_log_add(m->c, &entry, err) : ST_OK;
}

static enum status unite_sight(struct merge *m, const struct sight *s, struct err *err) {
    struct unsettled_home homes[] = {{.home = s->home}, {.home = s->lost}};
    struct centre_unsettled unsettled = {.homes = homes, .home_count = ARRAY_COUNT(homes)};
    if (!s->lost) return ST_OK;
    centre_due_forget(m->c);
    TRY(give_reasons(m, s, err));
    TRY(centre_grants_settle(m->c, &unsettled, err));
    m->now_ms = centre_now(m->c); /* what was settled took its own time: the log goes on there */
    return open_anew(m, s, err);
}

/* ------------------------------------------------------------------ one pair */

/* Homes in which rows that named the loser are seen, beside those of both: who holds them hears of
 * the alias, though he may see neither. One entry of the log for each few of them. */
static enum status tell_others(struct merge *m, const struct centre_row *from,
                               const struct centre_naming *list, size_t count,
                               const struct homes *told, struct err *err) {
    struct homes others = {.count = 0};
    struct log_homes room;
    for (size_t i = 0; i < count && m->scope.on; i++) {
        struct homes homes;
        bool found;
        TRY(centre_homes_stored(m->c, list[i].entity, list[i].row, &found, &homes, err));
        for (size_t k = 0; found && k < homes.count; k++) {
            if (homes_have(told, homes.at[k]) || homes_have(&others, homes.at[k])) continue;
            homes_add(&others, homes.at[k]);
            if (others.count < ROW_HOMES_MAX) continue;
            unite_log_left(m, &others, &room);
            TRY(merge_log(m, LOG_UNITED, from->entity, from->id, OUTCOME_APPLIED, err));
            others.count = 0;
        }
    }
    if (others.count == 0) return ST_OK;
    unite_log_left(m, &others, &room);
    return merge_log(m, LOG_UNITED, from->entity, from->id, OUTCOME_APPLIED, err);
}

/* The loser leaves its homes: edits that name it are judged by them. */
static enum status leave(struct merge *m, const struct centre_row *from, int64_t seq,
                         struct homes *left, struct err *err) {
    struct log_homes room;
    left->count = 0;
    if (m->scope.on) TRY(centre_homes_of(m->c, from->entity, from->id, from->values, left, err));
    for (size_t i = 0; i < left->count; i++)
        TRY(centre_leave_add(m->c, from->id, seq, left->at[i], m->now_ms, err));
    unite_log_left(m, left, &room);
    return merge_log(m, LOG_UNITED, from->entity, from->id, OUTCOME_APPLIED, err);
}

/* And the survivor's: its own entry of the log tells those. */
static enum status put_homes(struct merge *m, const struct centre_row *to, struct homes *homes,
                             struct err *err) {
    struct homes its;
    if (!m->scope.on) return ST_OK;
    TRY(centre_homes_of(m->c, to->entity, to->id, to->values, &its, err));
    for (size_t i = 0; i < its.count; i++) homes_add(homes, its.at[i]);
    return ST_OK;
}

static enum status keep_union(struct uniting *all, const struct centre_row *from,
                              const struct centre_row *to, int64_t seq, int64_t cause,
                              struct err *err) {
    struct centre_united united = {.seq = seq,
                                   .entity_tag = from->entity->tag,
                                   .from = from->id,
                                   .to = to->id,
                                   .time_ms = all->m->now_ms,
                                   .cause = cause,
                                   .person = all->order->person,
                                   .loser = *from,
                                   .before = to->values};
    return centre_united_add(all->m->c, &united, err);
}

static enum status write_survivor(struct unite *u, struct scope_row *before, struct err *err) {
    struct merge *m = u->m;
    u->to.seq = u->seq;
    TRY(scope_place(m, &u->to, before, err));
    TRY(centre_row_update(m->c, &u->to, u->mask, err));
    TRY(merge_log(m, LOG_JOINED, u->to.entity, u->to.id, OUTCOME_MERGED, err));
    return scope_follow(m, &u->to, before, err);
}

static void tell(const struct unite *u, size_t repointed, struct unite_result *out) {
    if (!out) return;
    out->cells = u->cells;
    out->cell_count = u->cell_count;
    out->repointed = repointed;
}

/* The order of seqs: twins, the loser, the survivor, grants. */
static enum status unite_pair(struct uniting *all, const struct centre_row *from,
                              const struct centre_row *to, int64_t cause, struct unite_result *out,
                              struct err *err) {
    struct merge *m = all->m;
    struct unite u = {.m = m, .from = *from, .to = *to};
    struct scope_row before;
    struct sight sight;
    struct centre_naming *list;
    struct homes left;
    size_t count;
    if (!cause) u.choices = all->order->choices;
    if (!cause) u.choice_count = all->order->choice_count;
    int64_t mark = cause ? cause : centre_next_seq(m->c); /* by which twins find their owners' */
    TRY(unite_children(all, from, to, mark, err));
    TRY(look_at_sight(m, from, to, &sight, err));
    int64_t seq = centre_next_seq(m->c);
    if (!cause && seq != mark) TRY(centre_united_cause(m->c, mark, seq, err));
    TRY(keep_union(all, from, to, seq, cause, err));
    TRY(leave(m, from, seq, &left, err));
    TRY(scope_watch(m, to, &before, err));
    u.seq = centre_next_seq(m->c);
    TRY(unite_cells(&u, err));
    TRY(centre_row_remove(m->c, from->entity, from->id, err));
    TRY(centre_alias_unite(m->c, seq, from->id, to->id, err));
    TRY(write_survivor(&u, &before, err));
    TRY(centre_naming(m->c, from->entity, from->id, m->mem, &list, &count, err));
    TRY(centre_repoint(m->c, seq, list, count, from->id, to->id, err));
    tell(&u, count, out);
    TRY(put_homes(m, &u.to, &left, err));
    TRY(tell_others(m, from, list, count, &left, err));
    return unite_sight(m, &sight, err);
}

/* ------------------------------------------------------------------ what head office ordered */

static enum status find_row(struct merge *m, int64_t id, struct centre_row *out, struct err *err) {
    char text[ID_TEXT_BYTES];
    bool found = false;
    int64_t row;
    id_format(id_is_valid(id) ? id : 0, text);
    TRY(centre_alias_resolve(m->c, id, &row, err));
    for (size_t i = 0; i < m->cat->count && !found; i++)
        TRY(centre_row_read(m->c, &m->cat->entities[i], row, m->mem, out, &found, err));
    if (!found) return err_set(err, ST_NOT_FOUND, "no such row: %s", "没有此记录：%s", text);
    if (!out->dead) return ST_OK;
    return err_set(err, ST_CONFLICT, "the row is deleted: %s", "该记录已被删除：%s", text);
}

static enum status check_kinds(const struct centre_row *from, const struct centre_row *to,
                               struct err *err) {
    if (from->id == to->id)
        return err_set(err, ST_CONFLICT, "they are one row already", "两者已是同一条记录");
    if (from->entity != to->entity)
        return err_set(err, ST_INVALID, "they are not of one kind: %s and %s%.0s%.0s",
                       "两者类型不同：%.0s%.0s%s 与 %s", from->entity->name, to->entity->name,
                       from->entity->label[LANG_ZH], to->entity->label[LANG_ZH]);
    if (unite_is_possible(from->entity)) return ST_OK;
    return err_set(err, ST_INVALID, "only accounts and contacts are merged",
                   "只能合并客户或联系人");
}

static enum status check_owners(struct merge *m, const struct centre_row *row, int64_t above,
                                struct err *err) {
    const struct entity *e = row->entity;
    struct value owner = e->owner_field >= 0 ? row->values[e->owner_field] : value_null();
    for (int depth = 0; owner.kind == VALUE_INT && depth < DEPTH_MAX; depth++) {
        struct centre_row it;
        bool found;
        if (owner.number == above)
            return err_set(err, ST_CONFLICT, "one of them owns the other",
                           "其中一条是另一条的上级");
        e = catalogue_entity(m->cat, slice_from(e->fields[e->owner_field].refers_to));
        if (!e || e->owner_field < 0) return ST_OK;
        TRY(centre_row_read(m->c, e, owner.number, m->mem, &it, &found, err));
        owner = found ? it.values[e->owner_field] : value_null();
    }
    return ST_OK;
}

static enum status check_choices(const struct unite_order *order, const struct entity *e,
                                 struct err *err) {
    for (size_t i = 0; i < order->choice_count; i++) {
        const struct field *f = order->choices[i].field;
        bool combines = f->rule == RULE_COUNTER || f->rule == RULE_SET || f->rule == RULE_TEXT;
        if (f->rule == RULE_DERIVED || combines || entity_field(e, slice_from(f->name)) != f)
            return err_set(err, ST_INVALID, "%s%.0s is not chosen: both go into it",
                           "%.0s%s 无需选择：双方内容会合并", f->name, f->label[LANG_ZH]);
    }
    return ST_OK;
}

static enum status unite_rows(struct merge *m, const struct unite_order *order,
                              struct unite_result *out, struct err *err) {
    struct uniting all = {.m = m, .order = order};
    struct centre_row from, to;
    struct centre_head head;
    struct unite_result result = {0};
    TRY(centre_head(m->c, &head, err));
    if (head.recovering)
        return err_set(err, ST_CONFLICT, "the server recovers: nothing is merged meanwhile",
                       "服务器正在恢复，其间不能合并");
    TRY(find_row(m, order->loser, &from, err));
    TRY(find_row(m, order->survivor, &to, err));
    TRY(check_kinds(&from, &to, err));
    TRY(check_owners(m, &from, to.id, err));
    TRY(check_owners(m, &to, from.id, err));
    TRY(check_choices(order, from.entity, err));
    TRY(unite_pair(&all, &from, &to, 0, &result, err));
    result.entity = from.entity;
    result.loser = from.id;
    result.survivor = to.id;
    result.twins = all.twins;
    *out = result;
    return scope_end(m, err);
}

enum status unite_start(struct org *org, struct arena *mem, struct batch *batch, struct merge *out,
                        struct err *err) {
    struct merge m = {.c = org->c,
                      .cat = centre_catalogue(org->c),
                      .mem = mem,
                      .batch = batch,
                      .now_ms = centre_now(org->c),
                      .approved = true};
    TRY(centre_device(org->c, 0, &m.author, err));
    m.when_ms = m.now_ms;
    scope_begin(&m);
    *out = m;
    return ST_OK;
}

enum status org_unite(struct org *org, const struct unite_order *order, bool dry_run,
                      struct arena *mem, struct unite_result *out, struct err *err) {
    struct batch none = {0};
    struct merge m;
    TRY(org_merge_begin(org, err));
    enum status status = unite_start(org, mem, &none, &m, err);
    if (status == ST_OK) status = unite_rows(&m, order, out, err);
    if (status == ST_OK && !dry_run) return centre_commit(org->c, err);
    centre_rollback(org->c);
    return status;
}
