/* Two rows that became one are two again. The loser stands as it was; rows that named it name it
 * again, as an edit of head office of today, unless somebody gave them to another since; the
 * survivor gives back what it took, where nobody changed it since.
 */
#include <string.h>

#include "syncd/server/org_private.h"
#include "syncd/server/unite_private.h"

struct parting { /* of one union */
    struct merge *m;
    struct centre_united united;
    struct centre_row survivor;
    int64_t joined; /* the seq that the survivor took by it: the next after the loser's */
    uint64_t mask;
    struct unite_parting *out;
};

static struct clock clock_now(const struct merge *m) {
    return (struct clock){.seq = centre_next_seq(m->c), .time_ms = m->now_ms};
}

/* ------------------------------------------------------------------ the loser */

/* What it named may have become another row meanwhile. */
static enum status resolve_refs(struct merge *m, const struct entity *e, struct value *values,
                                struct err *err) {
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].type == FIELD_REF && values[i].kind == VALUE_INT)
            TRY(centre_alias_resolve(m->c, values[i].number, &values[i].number, err));
    return ST_OK;
}

static enum status restore_loser(struct parting *p, struct err *err) {
    struct merge *m = p->m;
    struct centre_row row = p->united.loser;
    struct log_homes homes = {.at = {.count = 0}};
    int64_t seq = centre_next_seq(m->c);
    TRY(centre_alias_part(m->c, seq, row.id, err));
    TRY(resolve_refs(m, row.entity, row.values, err));
    row.seq = row.whole = seq;
    row.dead = 0;
    TRY(centre_row_insert(m->c, &row, err));
    TRY(centre_united_part(m->c, p->united.seq, seq, err));
    if (m->scope.on) TRY(centre_homes_of(m->c, row.entity, row.id, row.values, &homes.at, err));
    m->scope.homes = m->scope.on ? &homes : NULL;
    return merge_log(m, LOG_PARTED, row.entity, row.id, OUTCOME_APPLIED, err);
}

/* ------------------------------------------------------------------ what named it */

static enum status return_row(struct parting *p, const struct centre_naming *it, struct err *err) {
    struct merge *m = p->m;
    struct centre_row row;
    struct scope_row before;
    struct clock clock = clock_now(m);
    const struct cell *cell = entity_cell_of(it->entity, it->field);
    size_t at = entity_field_index(it->entity, it->field);
    bool found;
    TRY(centre_row_read(m->c, it->entity, it->row, m->mem, &row, &found, err));
    if (!found || row.values[at].kind != VALUE_INT || row.values[at].number != p->united.to)
        return ST_OK;
    TRY(scope_watch(m, &row, &before, err));
    row.values[at] = value_int(p->united.from);
    row.seq = clock.seq;
    TRY(row_clock_put(&row.clock, cell->tag, &clock, NULL, 0, m->mem, err));
    TRY(scope_place(m, &row, &before, err));
    TRY(centre_row_update(m->c, &row, (uint64_t)1 << cell->index, err));
    TRY(merge_log(m, LOG_PARTED, row.entity, row.id, OUTCOME_APPLIED, err));
    p->out->returned++;
    return scope_follow(m, &row, &before, err);
}

static enum status return_rows(struct parting *p, struct err *err) {
    struct centre_naming *list;
    size_t count;
    TRY(centre_repointed(p->m->c, p->united.seq, p->m->mem, &list, &count, err));
    for (size_t i = 0; i < count; i++) TRY(return_row(p, &list[i], err));
    return ST_OK;
}

/* ------------------------------------------------------------------ the survivor */

static bool are_equal(const struct value *a, const struct value *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!value_equal(a[i], b[i])) return false;
    return true;
}

static enum status put(struct parting *p, const struct cell *cell, const struct value *values,
                       const struct dot *dots, size_t dot_count, struct err *err) {
    struct clock clock = clock_now(p->m);
    struct centre_row *row = &p->survivor;
    int64_t since = row_clock_of(&row->clock, cell->tag)->seq;
    if (cell->rule == RULE_TEXT)
        TRY(centre_text_keep(p->m->c, row->id, cell->tag, since, row->values[cell->first], err));
    TRY(row_clock_put(&row->clock, cell->tag, &clock, dots, dot_count, p->m->mem, err));
    memcpy(row->values + cell->first, values, cell->count * sizeof *values);
    p->mask |= (uint64_t)1 << cell->index;
    p->out->restored++;
    return ST_OK;
}

static enum status take_count(struct parting *p, const struct cell *cell, struct err *err) {
    struct value now = p->survivor.values[cell->first];
    struct value theirs = p->united.loser.values[cell->first];
    int64_t number = now.kind == VALUE_INT ? now.number : 0;
    if (theirs.kind != VALUE_INT || theirs.number == 0) return ST_OK;
    if (__builtin_sub_overflow(number, theirs.number, &number)) return ST_OK;
    struct value value = value_int(number);
    return put(p, cell, &value, NULL, 0, err);
}

static bool came_with(const struct dot *dot, int64_t from, int64_t joined) {
    const struct clock *clock = &dot->clock;
    return clock->seq == joined && clock->was_count > 0 &&
           clock->was[clock->was_count - 1].row == from;
}

static bool has_dot(const struct dot *dots, size_t count, struct slice element) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(dots[i].element, element)) return true;
    return false;
}

/* Adds that came with the loser go; who added the same here has it still. */
static enum status take_elements(struct parting *p, const struct cell *cell, struct err *err) {
    struct arena *mem = p->m->mem;
    struct value set = p->survivor.values[cell->first];
    struct dot *dots, *kept;
    size_t count, left = 0;
    TRY(row_clock_dots(&p->survivor.clock, cell->tag, set, mem, &dots, &count, err));
    kept = ARENA_ARRAY(mem, count + 1, struct dot);
    if (!kept) return err_no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!came_with(&dots[i], p->united.from, p->joined)) kept[left++] = dots[i];
    if (left == count) return ST_OK;
    for (size_t i = 0; i < count; i++)
        if (!has_dot(kept, left, dots[i].element))
            TRY(set_remove(set, dots[i].element, mem, &set, err));
    return put(p, cell, &set, kept, left, err);
}

static enum status take_value(struct parting *p, const struct cell *cell, struct err *err) {
    const struct value *before = p->united.before + cell->first;
    const struct value *theirs = p->united.loser.values + cell->first;
    struct value *now = p->survivor.values + cell->first;
    int64_t since = row_clock_of(&p->survivor.clock, cell->tag)->seq;
    if (since == p->joined) return put(p, cell, before, NULL, 0, err);
    bool told = since < p->joined || are_equal(now, before, cell->count) ||
                are_equal(before, theirs, cell->count);
    if (told) return ST_OK;
    p->out->kept[p->out->kept_count++] =
        (struct unite_cell){.cell = cell, .survivor = now, .loser = theirs, .stands = now};
    return ST_OK;
}

static enum status take_cell(struct parting *p, const struct cell *cell, struct err *err) {
    switch (cell->rule) {
    case RULE_COUNTER: return take_count(p, cell, err);
    case RULE_SET: return take_elements(p, cell, err);
    case RULE_TEXT:
    case RULE_LAST:
    case RULE_MAX:
    case RULE_MIN:
    case RULE_STATE:
    case RULE_OWNER:
    case RULE_OFFICE:
    case RULE_FROZEN:
    case RULE_APPEND: return take_value(p, cell, err);
    case RULE_DERIVED:
    case RULE_COUNT: break;
    }
    return ST_OK;
}

/* Twins of another entity are restored likewise; of what they cannot give back nothing is said. */
static enum status restore_survivor(struct parting *p, struct err *err) {
    struct merge *m = p->m;
    const struct entity *e = p->survivor.entity;
    struct scope_row before;
    size_t kept = p->out->kept_count;
    struct unite_cell *room = ARENA_ARRAY(m->mem, kept + e->cell_count + 1, struct unite_cell);
    if (!room) return err_no_memory(err);
    if (kept > 0) memcpy(room, p->out->kept, kept * sizeof *room);
    p->out->kept = room;
    TRY(scope_watch(m, &p->survivor, &before, err));
    for (size_t i = 0; i < e->cell_count; i++) TRY(take_cell(p, &e->cells[i], err));
    if (e != p->out->entity) p->out->kept_count = kept;
    p->survivor.seq = centre_next_seq(m->c);
    TRY(scope_place(m, &p->survivor, &before, err));
    TRY(centre_row_update(m->c, &p->survivor, p->mask, err));
    TRY(merge_log(m, LOG_PARTED, e, p->survivor.id, OUTCOME_APPLIED, err));
    return scope_follow(m, &p->survivor, &before, err);
}

/* ------------------------------------------------------------------ one union, and its twins */

static enum status part_one(struct merge *m, const struct centre_united *united,
                            struct unite_parting *out, struct err *err) {
    struct parting p = {.m = m, .united = *united, .joined = united->seq + 1, .out = out};
    bool found;
    TRY(centre_row_read(m->c, united->loser.entity, united->to, m->mem, &p.survivor, &found, err));
    if (!found || p.survivor.dead)
        return err_set(err, ST_CONFLICT, "the row that it became is deleted",
                       "合并后的记录已被删除");
    TRY(restore_loser(&p, err));
    TRY(restore_survivor(&p, err));
    return return_rows(&p, err);
}

struct twins {
    struct merge *m;
    struct unite_parting *out;
    int64_t rows[64]; /* losers */
    size_t count;
};

static enum status note_twin(void *ctx, const struct centre_united *united, struct err *err) {
    struct twins *t = ctx;
    if (t->count == ARRAY_COUNT(t->rows))
        return err_set(err, ST_TOO_LARGE, "too many rows became one with it", "随之合并的记录过多");
    t->rows[t->count++] = united->from;
    return ST_OK;
}

/* A twin that became yet another row since, or is gone, stays as it is. */
static enum status part_twins(struct merge *m, int64_t cause, struct unite_parting *out,
                              struct err *err) {
    struct twins t = {.m = m, .out = out};
    TRY(centre_unitings(m->c, cause, note_twin, &t, err));
    for (size_t i = 0; i < t.count; i++) {
        struct centre_united united;
        int64_t now;
        bool found, dead;
        TRY(centre_united(m->c, t.rows[i], m->mem, &united, err));
        TRY(centre_alias_resolve(m->c, united.from, &now, err));
        TRY(centre_row_probe(m->c, united.loser.entity, united.to, &found, &dead, err));
        if (now != united.to || !found || dead) continue;
        TRY(part_one(m, &united, out, err));
        out->parted++;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ who sees it */

/* Whoever saw the survivor only because of the loser sees the loser again, by the rules. */
static enum status part_sight(struct merge *m, const struct centre_united *u, struct err *err) {
    struct unsettled_home homes[] = {{.home = home_make(HOME_CLASS_TEAM, u->to)},
                                     {.home = home_make(HOME_CLASS_TEAM, u->from)}};
    struct centre_unsettled unsettled = {.homes = homes, .home_count = ARRAY_COUNT(homes)};
    int64_t *ids, *gone;
    size_t others, count;
    if (!m->scope.on || strcmp(u->loser.entity->name, "account") != 0) return ST_OK;
    TRY(centre_aliases_of(m->c, u->to, m->mem, &ids, &others, err));
    TRY(centre_aliases_of(m->c, u->from, m->mem, &gone, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(centre_reasons_follow(m->c, homes[0].home, gone[i], homes[1].home, err));
    TRY(centre_reasons_part(m->c, homes[0].home, u->from, others == 0, err));
    TRY(scope_give_to_maker(m, u->to, u->to, err));
    TRY(scope_give_to_maker(m, u->from, u->from, err));
    for (size_t i = 0; i < others; i++) TRY(scope_give_to_maker(m, ids[i], u->to, err));
    for (size_t i = 0; i < count; i++) TRY(scope_give_to_maker(m, gone[i], u->from, err));
    centre_due_forget(m->c);
    return centre_grants_settle(m->c, &unsettled, err);
}

/* ------------------------------------------------------------------ what head office ordered */

static enum status check(struct merge *m, int64_t loser, struct centre_united *out,
                         struct err *err) {
    struct centre_head head;
    char text[ID_TEXT_BYTES];
    int64_t now;
    TRY(centre_head(m->c, &head, err));
    if (head.recovering)
        return err_set(err, ST_CONFLICT, "the server recovers: nothing is undone meanwhile",
                       "服务器正在恢复，其间不能撤销合并");
    TRY(centre_united(m->c, loser, m->mem, out, err));
    TRY(centre_alias_resolve(m->c, loser, &now, err));
    if (out->parted > 0)
        return err_set(err, ST_CONFLICT, "that merge was undone already", "该合并已经撤销");
    if (now == out->to) return ST_OK;
    id_format(out->to, text);
    return err_set(err, ST_CONFLICT, "the row that it became was merged on: undo %s first",
                   "合并后的记录又被合并：请先撤销 %s", text);
}

static enum status part(struct merge *m, int64_t loser, struct unite_parting *out,
                        struct err *err) {
    struct centre_united united;
    TRY(check(m, loser, &united, err));
    *out = (struct unite_parting){
        .entity = united.loser.entity, .loser = united.from, .survivor = united.to};
    TRY(part_one(m, &united, out, err));
    TRY(part_twins(m, united.seq, out, err));
    TRY(part_sight(m, &united, err));
    return scope_end(m, err);
}

enum status org_part(struct org *org, int64_t loser, bool dry_run, struct arena *mem,
                     struct unite_parting *out, struct err *err) {
    struct batch none = {0};
    struct unite_parting result;
    struct merge m;
    TRY(org_merge_begin(org, err));
    enum status status = unite_start(org, mem, &none, &m, err);
    if (status == ST_OK) status = part(&m, loser, &result, err);
    if (status == ST_OK) *out = result;
    if (status == ST_OK && !dry_run) return centre_commit(org->c, err);
    centre_rollback(org->c);
    return status;
}
