/* Rows whose tombstones were collected, when head office says that an edit of one is to stand. They
 * come back as they were, with all that the same delete took; what is gone meanwhile and owns them
 * comes back first, since homes of rows are those of their owners.
 */
#include "syncd/server/merge.h"
#include "syncd/store/centre_compact.h"

enum { OWNERS_MAX = 64 }; /* no book is that deep */

static enum status restore_unit(struct merge *m, int64_t unit, int depth, struct err *err);

static enum status not_kept(struct err *err) {
    return err_set(err, ST_CONFLICT,
                   "what the row was is older than the history that is kept, and not there any "
                   "more",
                   "该记录的内容已超出历史保留期，无法恢复");
}

static enum status restore_owner(struct merge *m, const struct centre_row *row, int depth,
                                 struct err *err) {
    const struct entity *e = row->entity, *owner;
    struct centre_collected it;
    bool found, dead;
    if (e->owner_field < 0 || row->values[e->owner_field].kind != VALUE_INT) return ST_OK;
    owner = catalogue_entity(m->cat, slice_from(e->fields[e->owner_field].refers_to));
    if (!owner) return ST_OK;
    int64_t id = row->values[e->owner_field].number;
    TRY(centre_row_probe(m->c, owner, id, &found, &dead, err));
    if (found) return dead ? merge_revive(m, owner, id, err) : ST_OK;
    TRY(centre_collected(m->c, id, m->mem, &it, &found, err));
    return found && it.unit != row->dead ? restore_unit(m, it.unit, depth + 1, err) : ST_OK;
}

static enum status check_key(struct merge *m, const struct centre_row *row, struct err *err) {
    int64_t other;
    TRY(centre_row_by_key(m->c, row->entity, row->values, &other, err));
    if (other == 0) return ST_OK;
    return err_set(err, ST_CONFLICT, "another row has the same key by now",
                   "已有另一条记录使用相同的关键字段");
}

/* Sent whole: no laptop has it any more. */
static enum status restore_row(struct merge *m, int64_t id, int depth, struct err *err) {
    struct centre_collected it;
    bool found;
    TRY(centre_collected(m->c, id, m->mem, &it, &found, err));
    if (!found) return ST_OK;
    if (!it.is_kept) return not_kept(err);
    struct centre_row *row = &it.content;
    TRY(restore_owner(m, row, depth, err));
    TRY(check_key(m, row, err));
    row->dead = 0;
    row->seq = row->whole = centre_next_seq(m->c);
    TRY(centre_row_insert(m->c, row, err));
    TRY(centre_collected_drop(m->c, id, err));
    TRY(scope_turned(m, row, err));
    return merge_log(m, LOG_REVIVED, row->entity, id, OUTCOME_APPLIED, err);
}

static enum status restore_unit(struct merge *m, int64_t unit, int depth, struct err *err) {
    int64_t *rows;
    size_t count;
    if (depth > OWNERS_MAX) return err_set(err, ST_DAMAGED, "rows own each other", "记录互为上级");
    TRY(centre_collected_unit(m->c, unit, m->mem, &rows, &count, err));
    for (size_t i = 0; i < count; i++) TRY(restore_row(m, rows[i], depth, err));
    return ST_OK;
}

enum status merge_restore(struct merge *m, int64_t row, bool *out, struct err *err) {
    struct centre_collected it;
    *out = false;
    if (!m->approved) return ST_OK;
    TRY(centre_collected(m->c, row, m->mem, &it, out, err));
    return *out ? restore_unit(m, it.unit, 0, err) : ST_OK;
}
