/* Rows that became one. The columns that named the row which is no more are re-pointed in place, as
 * every laptop does on hearing of the alias, so that no row gets a new seq by it; only the digests
 * of homes have to be told.
 */
#include "syncd/store/centre_unite.h"

#include <string.h>

#include "syncd/store/centre_digest.h"
#include "syncd/store/centre_private.h"

enum { UNITED_BYTES_MAX = BUF_MAX_MESSAGE, SQL_BYTES = 512 };

/* ------------------------------------------------------------------ rows */

enum status centre_row_remove(struct centre *c, const struct entity *e, int64_t id,
                              struct err *err) {
    TRY(centre_digest_out(c, e, id, NULL, err));
    TRY(rows_delete(c->db, e, id, false, NULL, err));
    struct centre_ref *kept = &c->living[(uint64_t)id % CENTRE_ROWS_KEPT];
    if (kept->row == id) *kept = (struct centre_ref){NULL, 0};
    return ST_OK;
}

struct naming_list {
    struct centre_naming *items;
    size_t count, room;
};

static enum status put_naming(struct naming_list *list, struct centre_naming item,
                              struct arena *mem, struct err *err) {
    if (list->count == UNIT_ROWS_MAX)
        return err_set(err, ST_TOO_LARGE, "more than %d rows name it", "引用它的记录超过 %d 条",
                       UNIT_ROWS_MAX);
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 32;
        struct centre_naming *items = ARENA_ARRAY(mem, room, struct centre_naming);
        if (!items) return err_no_memory(err);
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return ST_OK;
}

static enum status prepare_by(struct centre *c, const char *before, const struct entity *e,
                              const char *between, const struct field *f, const char *after,
                              struct db_stmt **out, struct err *err) {
    SCOPED(buf_free) struct buf sql = buf_new(SQL_BYTES);
    buf_put_text(&sql, before);
    rows_put_table(&sql, e);
    buf_put_text(&sql, between);
    rows_put_name(&sql, f->name);
    buf_put_text(&sql, after);
    TRY(buf_status(&sql, err));
    return db_prepare(c->db, buf_text(&sql), out, err);
}

static enum status naming_by(struct centre *c, const struct entity *e, const struct field *f,
                             int64_t id, struct arena *mem, struct naming_list *list,
                             struct err *err) {
    struct db_stmt *s;
    int64_t *ids;
    size_t count;
    TRY(prepare_by(c, "SELECT id FROM ", e, " WHERE ", f, " = ? ORDER BY id", &s, err));
    db_bind_int(s, 1, id);
    TRY(centre_take_ids(s, mem, &ids, &count, err));
    for (size_t i = 0; i < count; i++)
        TRY(put_naming(list, (struct centre_naming){e, f, ids[i]}, mem, err));
    return ST_OK;
}

static bool names(const struct field *f, const struct entity *target) {
    return f->type == FIELD_REF && f->rule != RULE_DERIVED &&
           strcmp(f->refers_to, target->name) == 0;
}

enum status centre_naming(struct centre *c, const struct entity *e, int64_t id, struct arena *mem,
                          struct centre_naming **out, size_t *out_count, struct err *err) {
    struct naming_list list = {0};
    for (size_t i = 0; i < c->cat->count; i++) {
        const struct entity *other = &c->cat->entities[i];
        for (size_t f = 0; f < other->field_count; f++)
            if (names(&other->fields[f], e))
                TRY(naming_by(c, other, &other->fields[f], id, mem, &list, err));
    }
    *out = list.items;
    *out_count = list.count;
    return ST_OK;
}

/* ------------------------------------------------------------------ re-pointing */

typedef enum status digest_turn(struct centre *c, const struct entity *e, int64_t row,
                                const struct homes *homes, struct err *err);

/* Rows that inherit their homes move with their owner, though nothing of them is written. */
static enum status turn(struct centre *c, digest_turn *digest, const struct entity *e, int64_t row,
                        struct arena *mem, struct err *err) {
    TRY(digest(c, e, row, NULL, err));
    if (!c->scope.granted) return ST_OK;
    for (size_t i = 0; i < c->cat->count; i++) {
        const struct entity *child = &c->cat->entities[i];
        int64_t *ids;
        size_t count;
        if (child->owner_field < 0 || !homes_inherit(child) ||
            strcmp(child->fields[child->owner_field].refers_to, e->name) != 0)
            continue;
        TRY(centre_inheriting(c, child, row, mem, &ids, &count, err));
        for (size_t k = 0; k < count; k++) TRY(turn(c, digest, child, ids[k], mem, err));
    }
    return ST_OK;
}

static enum status turn_all(struct centre *c, digest_turn *digest, const struct centre_naming *list,
                            size_t count, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = ST_OK;
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = turn(c, digest, list[i].entity, list[i].row, &mem, err);
        arena_clear(&mem);
    }
    return status;
}

static enum status note_repointed(struct centre *c, int64_t seq, const struct centre_naming *item,
                                  struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO united_ref(seq, entity, field, row) VALUES (?, ?, ?, ?)"
                   " ON CONFLICT DO NOTHING",
                   &s, err));
    db_bind_int(s, 1, seq);
    db_bind_int(s, 2, item->entity->tag);
    db_bind_int(s, 3, item->field->tag);
    db_bind_int(s, 4, item->row);
    return db_run(s, err);
}

static enum status point(struct centre *c, const struct entity *e, const struct field *f,
                         int64_t from, int64_t to, struct err *err) {
    struct db_stmt *s;
    SCOPED(buf_free) struct buf after = buf_new(SQL_BYTES);
    buf_put_text(&after, " = ? WHERE ");
    rows_put_name(&after, f->name);
    buf_put_text(&after, " = ?");
    TRY(buf_status(&after, err));
    TRY(prepare_by(c, "UPDATE ", e, " SET ", f, buf_text(&after), &s, err));
    db_bind_int(s, 1, to);
    db_bind_int(s, 2, from);
    return db_run(s, err);
}

enum status centre_repoint(struct centre *c, int64_t seq, const struct centre_naming *list,
                           size_t count, int64_t from, int64_t to, struct err *err) {
    TRY(turn_all(c, centre_digest_out, list, count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(note_repointed(c, seq, &list[i], err));
        if (i == 0 || list[i].field != list[i - 1].field)
            TRY(point(c, list[i].entity, list[i].field, from, to, err));
    }
    return turn_all(c, centre_digest_in, list, count, err);
}

enum status centre_repointed(struct centre *c, int64_t seq, struct arena *mem,
                             struct centre_naming **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    struct naming_list list = {0};
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT entity, field, row FROM united_ref WHERE seq = ? ORDER BY entity, field,"
                   " row",
                   &s, err));
    db_bind_int(s, 1, seq);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        const struct entity *e = catalogue_entity_by_tag(c->cat, (uint32_t)db_int(s, 0));
        const struct field *f = e ? entity_field_by_tag(e, (uint32_t)db_int(s, 1)) : NULL;
        if (f) status = put_naming(&list, (struct centre_naming){e, f, db_int(s, 2)}, mem, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = list.items;
    *out_count = list.count;
    return ST_OK;
}

/* ------------------------------------------------------------------ aliases */

static enum status run_with(struct centre *c, const char *sql, int64_t a, int64_t b, int64_t third,
                            struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, a);
    if (db_parameter_count(s) > 1) db_bind_int(s, 2, b);
    if (db_parameter_count(s) > 2) db_bind_int(s, 3, third);
    return db_run(s, err);
}

enum status centre_alias_unite(struct centre *c, int64_t seq, int64_t from, int64_t to,
                               struct err *err) {
    TRY(run_with(c, "UPDATE alias SET to_id = ? WHERE to_id = ?", to, from, 0, err));
    return centre_alias_add(c, seq, from, to, err);
}

/* What had become the row before it was united followed it, and comes back with it. */
enum status centre_alias_part(struct centre *c, int64_t seq, int64_t from, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s;
    int64_t *ids;
    size_t count;
    static const char *const ADD = "INSERT INTO alias_log(from_id, to_id, seq) VALUES (?, ?, ?)";
    TRY(run_with(c, "DELETE FROM alias WHERE from_id = ?", from, 0, 0, err));
    TRY(run_with(c, ADD, from, from, seq, err));
    c->aliases--;
    TRY(db_prepare(c->db,
                   "WITH RECURSIVE late(id) AS (SELECT ?1 UNION SELECT l.from_id FROM alias_log l"
                   " JOIN late ON l.to_id = late.id AND l.from_id <> l.to_id AND l.seq = (SELECT"
                   " max(seq) FROM alias_log WHERE from_id = l.from_id)) SELECT a.from_id FROM"
                   " alias a JOIN late ON late.id = a.from_id WHERE a.from_id <> ?1",
                   &s, err));
    db_bind_int(s, 1, from);
    TRY(centre_take_ids(s, &mem, &ids, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(run_with(c, "UPDATE alias SET to_id = ? WHERE from_id = ?", from, ids[i], 0, err));
        TRY(run_with(c, ADD, ids[i], from, seq, err));
    }
    return ST_OK;
}

enum status centre_aliases_of(struct centre *c, int64_t to, struct arena *mem, int64_t **out,
                              size_t *out_count, struct err *err) {
    struct db_stmt *s;
    *out = NULL;
    *out_count = 0;
    if (c->aliases == 0) return ST_OK;
    TRY(db_prepare(c->db, "SELECT from_id FROM alias WHERE to_id = ? ORDER BY from_id", &s, err));
    db_bind_int(s, 1, to);
    return centre_take_ids(s, mem, out, out_count, err);
}

enum status centre_reasons_move(struct centre *c, int64_t from_home, int64_t to_home,
                                struct err *err) {
    TRY(run_with(c,
                 "INSERT INTO reason(user, home, kind) SELECT user, ?, kind FROM reason"
                 " WHERE home = ? ON CONFLICT DO NOTHING",
                 to_home, from_home, 0, err));
    return run_with(c, "DELETE FROM reason WHERE home = ?", from_home, 0, 0, err);
}

enum status centre_reasons_part(struct centre *c, int64_t home, int64_t loser, bool alone,
                                struct err *err) {
    return run_with(c, "DELETE FROM reason WHERE home = ? AND (? OR kind = 1 OR kind = ?)", home,
                    alone, -loser, err);
}

enum status centre_reasons_follow(struct centre *c, int64_t home, int64_t loser, int64_t to_home,
                                  struct err *err) {
    return run_with(c, "UPDATE OR REPLACE reason SET home = ? WHERE home = ? AND kind = ?", to_home,
                    home, -loser, err);
}

/* ------------------------------------------------------------------ what was united */

static enum status bind_loser(struct db_stmt *s, const struct centre_united *u, struct buf bytes[3],
                              struct err *err) {
    rows_image_write(u->loser.entity, u->loser.values, false, &bytes[0]);
    row_clock_write(&u->loser.clock, &bytes[1]);
    rows_image_write(u->loser.entity, u->before, false, &bytes[2]);
    for (int i = 0; i < 3; i++) TRY(buf_status(&bytes[i], err));
    db_bind_blob(s, 8, buf_slice(&bytes[0]));
    db_bind_blob(s, 9, buf_slice(&bytes[1]));
    db_bind_blob(s, 10, u->loser.more);
    db_bind_blob(s, 11, buf_slice(&bytes[2]));
    return ST_OK;
}

enum status centre_united_add(struct centre *c, const struct centre_united *u, struct err *err) {
    struct db_stmt *s;
    struct buf bytes[3];
    TRY(db_prepare(c->db,
                   "INSERT INTO united(seq, entity, from_id, to_id, time_ms, cause, person, vals,"
                   " clock, more, before, parted, dead) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0,"
                   " ?)",
                   &s, err));
    for (int i = 0; i < 3; i++) bytes[i] = buf_new(UNITED_BYTES_MAX);
    db_bind_int(s, 1, u->seq);
    db_bind_int(s, 2, u->entity_tag);
    db_bind_int(s, 3, u->from);
    db_bind_int(s, 4, u->to);
    db_bind_int(s, 5, u->time_ms);
    db_bind_int(s, 6, u->cause);
    db_bind_text(s, 7, u->person);
    db_bind_int(s, 12, u->loser.dead);
    enum status status = bind_loser(s, u, bytes, err);
    if (status == ST_OK) status = db_run(s, err);
    for (int i = 0; i < 3; i++) buf_free(&bytes[i]);
    return status;
}

#define UNITED                                                                                     \
    "SELECT seq, entity, from_id, to_id, time_ms, cause, person, vals, clock, more, before,"       \
    " parted, dead FROM united "

static enum status take_united(struct centre *c, struct db_stmt *s, struct arena *mem,
                               struct centre_united *out, struct err *err) {
    struct centre_united u = {.seq = db_int(s, 0),
                              .entity_tag = (uint32_t)db_int(s, 1),
                              .from = db_int(s, 2),
                              .to = db_int(s, 3),
                              .time_ms = db_int(s, 4),
                              .cause = db_int(s, 5),
                              .parted = db_int(s, 11)};
    const struct entity *e = catalogue_entity_by_tag(c->cat, u.entity_tag);
    if (!e) return err_set(err, ST_DAMAGED, "a union of unknown rows", "合并记录的类型未知");
    struct slice clock = arena_copy(mem, db_blob(s, 8));
    u.person = arena_copy(mem, db_text(s, 6));
    u.loser = (struct centre_row){.entity = e, .id = u.from, .dead = db_int(s, 12)};
    u.loser.more = arena_copy(mem, db_blob(s, 9));
    if (!clock.data || !u.person.data || !u.loser.more.data) return err_no_memory(err);
    TRY(rows_image_read(e, db_blob(s, 7), mem, &u.loser.values, err));
    TRY(rows_image_read(e, db_blob(s, 10), mem, &u.before, err));
    TRY(row_clock_read(clock, mem, &u.loser.clock, err));
    *out = u;
    return ST_OK;
}

enum status centre_united(struct centre *c, int64_t from, struct arena *mem,
                          struct centre_united *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, UNITED "WHERE from_id = ? ORDER BY seq DESC LIMIT 1", &s, err));
    db_bind_int(s, 1, from);
    TRY(db_step(s, &row, err));
    enum status status = row ? take_united(c, s, mem, out, err)
                             : err_set(err, ST_NOT_FOUND, "it was not merged into another",
                                       "该记录未曾并入其他记录");
    db_reset(s);
    return status;
}

enum status centre_united_cause(struct centre *c, int64_t mark, int64_t cause, struct err *err) {
    return run_with(c, "UPDATE united SET cause = ? WHERE cause = ?", cause, mark, 0, err);
}

enum status centre_united_part(struct centre *c, int64_t united, int64_t seq, struct err *err) {
    return run_with(c, "UPDATE united SET parted = ? WHERE seq = ?", seq, united, 0, err);
}

enum status centre_unitings(struct centre *c, int64_t cause, centre_united_row *each, void *ctx,
                            struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   cause > 0 ? UNITED "WHERE cause = ? AND parted = 0 ORDER BY seq DESC"
                             : UNITED "WHERE cause = ? ORDER BY seq DESC",
                   &s, err));
    db_bind_int(s, 1, cause);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_united u;
        status = take_united(c, s, &mem, &u, err);
        if (status == ST_OK) status = each(ctx, &u, err);
        arena_clear(&mem);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ what is not the same */

struct dismissal {
    int64_t a, b;
    struct slice person;
};

static enum status put_dismissal(struct centre *c, void *ctx, struct err *err) {
    const struct dismissal *d = ctx;
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO not_same(a, b, person, time_ms) VALUES (?, ?, ?, ?)"
                   " ON CONFLICT DO NOTHING",
                   &s, err));
    db_bind_int(s, 1, d->a < d->b ? d->a : d->b);
    db_bind_int(s, 2, d->a < d->b ? d->b : d->a);
    db_bind_text(s, 3, d->person);
    db_bind_int(s, 4, centre_now(c));
    return db_run(s, err);
}

enum status centre_dismiss(struct centre *c, int64_t a, int64_t b, struct slice person,
                           struct err *err) {
    struct dismissal d = {a, b, person};
    return centre_write(c, put_dismissal, &d, err);
}

enum status centre_is_dismissed(struct centre *c, int64_t a, int64_t b, bool *out,
                                struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "SELECT 1 FROM not_same WHERE a = ? AND b = ?", &s, err));
    db_bind_int(s, 1, a < b ? a : b);
    db_bind_int(s, 2, a < b ? b : a);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}
