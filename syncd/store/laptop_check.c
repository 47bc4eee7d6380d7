/* What a save must fulfil before anything is written. Whatever the server alone can know (grants,
 * another's draft, the office's fields) passes here and comes back as waiting or refused.
 */
#include "syncd/store/laptop.h"

#include <string.h>

enum status check_values(const struct entity *e, const struct value *values, uint64_t cells,
                         struct err *err) {
    const struct cell *cell = e->cells;
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (i == cell->first + cell->count) cell++;
        if (values[i].kind == VALUE_NULL && !f->required) continue;
        if (!(cells & cell_bit(cell)) || f->rule == RULE_DERIVED) continue;
        TRY(field_check(f, values[i], err));
    }
    return ST_OK;
}

enum status check_not_retired(const struct entity *e, const struct value *values,
                              const struct value *before, struct err *err) {
    for (size_t i = 0; i < e->field_count; i++) {
        struct value was = before ? before[i] : value_null();
        TRY(field_check_entry(&e->fields[i], values[i], was, err));
    }
    return ST_OK;
}

static enum status reference_missing(const struct field *f, int64_t id, struct err *err) {
    char text[ID_TEXT_BYTES] = "";
    if (id_is_valid(id)) id_format(id, text);
    return err_set(err, ST_INVALID, "%s%.0s: there is no %s with the id %s here",
                   "%.0s%s：这里没有编号为%.0s%s的记录", f->name, f->label[LANG_ZH], f->refers_to,
                   text);
}

/* Owners of one kind form a chain; it must not come back to the row. */
static enum status check_circle(struct store *store, const struct entity *e, int64_t id,
                                int64_t owner, struct arena *mem, struct err *err) {
    int64_t at = owner;
    for (int depth = 0; at != 0; depth++) {
        struct local local;
        if (at == id || depth == OWNERS_MAX)
            return err_set(err, ST_INVALID, "the row would own itself", "该记录会成为自己的上级");
        TRY(local_read(store, e, at, mem, &local, err));
        if (!local.found) return ST_OK;
        at = local.values[e->owner_field].kind == VALUE_INT ? local.values[e->owner_field].number
                                                            : 0;
    }
    return ST_OK;
}

/* A series of visits names its author and mostly the same accounts again and again. */
static struct known_ref *known_place(struct store *store, int64_t id) {
    uint64_t hash = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return &store->laptop->refs[hash >> 32 & (KNOWN_REFS - 1)];
}

static bool is_known(struct store *store, const struct field *f, int64_t id) {
    const struct known_ref *known = known_place(store, id);
    return known->by == f && known->id == id;
}

void refs_forget(struct store *store) {
    struct laptop *laptop = store->laptop;
    if (!laptop || !laptop->any_ref) return;
    memset(laptop->refs, 0, sizeof laptop->refs);
    laptop->any_ref = false;
}

/* *id becomes the survivor's when the row has become another. */
static enum status find_ref(struct store *store, const struct field *f, const struct entity *target,
                            int64_t *id, struct err *err) {
    bool found;
    int64_t gone;
    TRY(rows_gone(store->db, target, ROWS_LAPTOP, *id, &found, &gone, err));
    if (!found || gone != GONE_HERE) {
        TRY(alias_resolve(store->db, *id, id, err));
        TRY(rows_gone(store->db, target, ROWS_LAPTOP, *id, &found, &gone, err));
    }
    if (!found || gone != GONE_HERE) return reference_missing(f, *id, err);
    *known_place(store, *id) = (struct known_ref){f, *id};
    store->laptop->any_ref = true;
    return ST_OK;
}

static enum status check_ref(struct store *store, const struct entity *e, int64_t id, size_t index,
                             struct value *value, struct err *err) {
    const struct field *f = &e->fields[index];
    bool of_its_kind = f->owns && strcmp(f->refers_to, e->name) == 0;
    if (!of_its_kind && is_known(store, f, value->number)) return ST_OK;
    const struct entity *target = catalogue_entity(store->cat, slice_from(f->refers_to));
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    if (!target || !id_is_valid(value->number)) return reference_missing(f, value->number, err);
    TRY(find_ref(store, f, target, &value->number, err));
    if (!of_its_kind) return ST_OK;
    return check_circle(store, e, id, value->number, &mem, err);
}

enum status check_refs(struct store *store, const struct entity *e, int64_t id,
                       struct value *values, uint64_t fields, struct err *err) {
    for (size_t i = 0; i < e->field_count; i++) {
        bool asked =
            (fields >> i & 1) && e->fields[i].type == FIELD_REF && values[i].kind == VALUE_INT;
        if (asked) TRY(check_ref(store, e, id, i, &values[i], err));
    }
    return ST_OK;
}

enum status check_key(struct store *store, const struct entity *e, int64_t id,
                      const struct value *values, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct slice title;
    int64_t other;
    char text[ID_TEXT_BYTES];
    if (!e->key[0]) return ST_OK;
    TRY(rows_by_key(store->db, e, ROWS_LAPTOP, values, &other, err));
    if (other == 0 || other == id) return ST_OK;
    TRY(store_title(store, e, other, &mem, &title, err));
    id_format(other, text);
    return err_set(err, ST_CONFLICT, "there is one already: %.*s (%s)", "已经存在：%.*s（%s）",
                   (int)title.len, (const char *)title.data, text);
}

bool row_is_frozen(const struct entity *e, const struct value *values) {
    if (e->frozen_field < 0) return false;
    struct value state = values[e->frozen_field];
    return state.kind == VALUE_INT && state.number >= (int64_t)e->frozen_from;
}

static enum status deny(const struct field *f, enum reason reason, struct err *err) {
    if (err) {
        (void)err_set(err, ST_DENIED, "%s: ", "%s：", f->name);
        for (int lang = 0; lang < LANG_COUNT; lang++) {
            size_t len = strlen(err->text[lang]);
            (void)snprintf(err->text[lang] + len, sizeof err->text[lang] - len, "%s",
                           reason_text(reason, (enum lang)lang));
        }
    }
    return ST_DENIED;
}

enum status check_may_edit(const struct entity *e, const struct value *values,
                           const struct field *f, struct err *err) {
    if (f->rule == RULE_DERIVED)
        return err_set(err, ST_INVALID, "%s is computed and cannot be given",
                       "%s由系统计算，不能填写", f->name);
    if (f->rule == RULE_APPEND) return deny(f, REASON_APPEND, err);
    if (f->rule == RULE_FROZEN && row_is_frozen(e, values)) return deny(f, REASON_FROZEN, err);
    return ST_OK;
}
