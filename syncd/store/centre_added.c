/* Fields and values that head office adds: see centre_added.h. */
#include "syncd/store/centre_added.h"

#include <string.h>

#include "syncd/store/centre_private.h"
#include "syncd/store/org_keys.h"

#define NEWS_BYTES "added_bytes"
#define NEWS_SIGNATURE "added_signature"

enum { EPOCH_STEP = 1024 };
static const int64_t SINCE_2026_MS = 1767225600000;

/* ------------------------------------------------------------------ reading */

static enum status copy_words(struct db_stmt *s, int column, struct arena *mem, struct slice *name,
                              struct slice label[LANG_COUNT], struct err *err) {
    struct slice *const to[] = {name, &label[LANG_EN], &label[LANG_ZH]};
    for (int i = 0; i < 3; i++) {
        *to[i] = arena_copy(mem, db_text(s, column + i));
        if (!to[i]->data) return err_no_memory(err);
    }
    return ST_OK;
}

static enum status take_field(struct db_stmt *s, struct arena *mem, struct added_field *f,
                              struct err *err) {
    *f = (struct added_field){.tag = (uint32_t)db_int(s, 0),
                              .entity = (uint32_t)db_int(s, 1),
                              .group = (uint32_t)db_int(s, 2),
                              .type = (uint32_t)db_int(s, 3),
                              .set_of = (uint32_t)db_int(s, 4),
                              .rule = (uint32_t)db_int(s, 5),
                              .scale = (uint32_t)db_int(s, 6),
                              .flags = (uint32_t)db_int(s, 7),
                              .min = db_int(s, 8),
                              .max = db_int(s, 9),
                              .loose_min = db_int(s, 10),
                              .loose_max = db_int(s, 11),
                              .since = db_int(s, 12)};
    return copy_words(s, 13, mem, &f->name, f->label, err);
}

static enum status take_value(struct db_stmt *s, struct arena *mem, struct added_value *v,
                              struct err *err) {
    *v = (struct added_value){.entity = (uint32_t)db_int(s, 0),
                              .field = (uint32_t)db_int(s, 1),
                              .number = (uint32_t)db_int(s, 2),
                              .flags = (uint32_t)db_int(s, 3)};
    return copy_words(s, 4, mem, &v->name, v->label, err);
}

static enum status read_fields(struct db *db, struct arena *mem, struct additions *out,
                               struct err *err) {
    enum status status = ST_OK;
    struct db_stmt *s;
    bool row = true;
    TRY(db_prepare(db,
                   "SELECT tag, entity, first_tag, type, set_of, rule, scale, flags, min, max,"
                   " loose_min, loose_max, since, name, label_en, label_zh FROM added_field"
                   " ORDER BY tag LIMIT ?",
                   &s, err));
    db_bind_int(s, 1, ADDITION_FIELDS_MAX);
    while (status == ST_OK) {
        status = db_step(s, &row, err);
        if (status != ST_OK || !row) break;
        status = take_field(s, mem, &out->fields[out->field_count++], err);
    }
    db_reset(s);
    return status;
}

static enum status read_values(struct db *db, struct arena *mem, struct additions *out,
                               struct err *err) {
    enum status status = ST_OK;
    struct db_stmt *s;
    bool row = true;
    TRY(db_prepare(db,
                   "SELECT entity, field, number, flags, name, label_en, label_zh FROM added_value"
                   " ORDER BY entity, field, number LIMIT ?",
                   &s, err));
    db_bind_int(s, 1, ADDITION_VALUES_MAX);
    while (status == ST_OK) {
        status = db_step(s, &row, err);
        if (status != ST_OK || !row) break;
        status = take_value(s, mem, &out->values[out->value_count++], err);
    }
    db_reset(s);
    return status;
}

enum status centre_additions_read(struct db *db, struct arena *mem, struct additions *out,
                                  struct err *err) {
    struct additions added = {.fields = ARENA_ARRAY(mem, ADDITION_FIELDS_MAX, struct added_field),
                              .values = ARENA_ARRAY(mem, ADDITION_VALUES_MAX, struct added_value)};
    if (!added.fields || !added.values) return err_no_memory(err);
    TRY(read_fields(db, mem, &added, err));
    TRY(read_values(db, mem, &added, err));
    *out = added;
    return ST_OK;
}

enum status centre_added(struct centre *c, struct arena *mem, struct additions *out,
                         struct err *err) {
    return centre_additions_read(c->db, mem, out, err);
}

/* ------------------------------------------------------------------ writing */

static void bind_words(struct db_stmt *s, int index, struct slice name,
                       const struct slice label[LANG_COUNT]) {
    db_bind_text(s, index, name);
    db_bind_text(s, index + 1, label[LANG_EN]);
    db_bind_text(s, index + 2, label[LANG_ZH]);
}

static enum status put_field(struct centre *c, const struct added_field *f, struct err *err) {
    struct db_stmt *s;
    const int64_t numbers[] = {f->tag,       f->entity,    f->group, f->type, f->set_of,
                               f->rule,      f->scale,     f->flags, f->min,  f->max,
                               f->loose_min, f->loose_max, f->since};
    TRY(db_prepare(c->db,
                   "INSERT OR REPLACE INTO added_field(tag, entity, first_tag, type, set_of, rule,"
                   " scale, flags, min, max, loose_min, loose_max, since, name, label_en, label_zh)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    bind_words(s, (int)ARRAY_COUNT(numbers) + 1, f->name, f->label);
    return db_run(s, err);
}

static enum status put_value(struct centre *c, const struct added_value *v, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT OR REPLACE INTO added_value(entity, field, number, flags, name,"
                   " label_en, label_zh) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_int(s, 1, v->entity);
    db_bind_int(s, 2, v->field);
    db_bind_int(s, 3, v->number);
    db_bind_int(s, 4, v->flags);
    bind_words(s, 5, v->name, v->label);
    return db_run(s, err);
}

enum status centre_added_greatest(struct centre *c, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT max(coalesce((SELECT max(tag) FROM added_field), 0),"
                   " coalesce((SELECT max(number) FROM added_value), 0))",
                   &s, err));
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* The next number; those behind it are free as well. */
static enum status next_number(struct centre *c, uint32_t *out, struct err *err) {
    int64_t have, seconds = (centre_now(c) - SINCE_2026_MS) / 1000;
    TRY(centre_added_greatest(c, &have, err));
    int64_t least = FIELD_ADDED_FIRST + (c->head.epoch - 1) * EPOCH_STEP;
    if (seconds > 0) least += seconds;
    int64_t next = have >= least ? have + 1 : least;
    if (next > UINT32_MAX - ADDITION_VALUES_MAX)
        return err_set(err, ST_TOO_LARGE,
                       "there are no numbers left for new fields: is the server's clock right?",
                       "新字段的编号已用完：服务器时钟是否正确？");
    *out = (uint32_t)next;
    return ST_OK;
}

/* ------------------------------------------------------------------ telling the laptops */

static enum status sign_news(struct centre *c, struct slice bytes, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    struct centre_org org;
    uint8_t signature[SIGN_BYTES];
    wire_additions_signed(bytes, &text);
    TRY(buf_status(&text, err));
    TRY(centre_org(c, &org, err));
    struct sign_key key = sign_key_from_seed(org.key_seed);
    bytes_wipe(&org, sizeof org);
    sign_make(&key, buf_slice(&text), signature);
    bytes_wipe(&key, sizeof key);
    TRY(meta_blob_set(c->db, NEWS_BYTES, bytes, err));
    return meta_blob_set(c->db, NEWS_SIGNATURE, slice_of(signature, SIGN_BYTES), err);
}

enum status centre_added_sign(struct centre *c, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct slice bytes = {0};
    TRY(meta_blob(c->db, NEWS_BYTES, &mem, &bytes, err));
    return bytes.len > 0 ? sign_news(c, bytes, err) : ST_OK;
}

/* What changed takes the next seq: laptops that wait hear of it, and a server that forgets it is
 * noticed. */
static enum status publish(struct centre *c, struct arena *mem, struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    struct log_entry entry = {
        .seq = centre_next_seq(c), .time_ms = centre_now(c), .kind = LOG_CATALOGUE};
    struct additions all;
    TRY(centre_added(c, mem, &all, err));
    TRY(wire_write_additions(&all, &bytes, err));
    if (bytes.len > WIRE_TEXT_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE, "there are too many added fields and values",
                       "新增的字段和取值过多");
    TRY(sign_news(c, buf_slice(&bytes), err));
    TRY(added_moved(c->store, err));
    c->cat = c->store->cat;
    TRY(centre_log_add(c, &entry, err));
    return centre_news(c, err);
}

enum status centre_added_news(struct centre *c, struct arena *mem, struct signed_additions **out,
                              size_t *out_count, struct err *err) {
    struct signed_additions *news = ARENA_NEW(mem, struct signed_additions);
    struct slice signature;
    if (!news) return err_no_memory(err);
    *out = news;
    *out_count = 0;
    TRY(meta_blob(c->db, NEWS_BYTES, mem, &news->bytes, err));
    TRY(meta_blob(c->db, NEWS_SIGNATURE, mem, &signature, err));
    if (news->bytes.len == 0 || signature.len != SIGN_BYTES) return ST_OK;
    memcpy(news->signature, signature.data, SIGN_BYTES);
    *out_count = 1;
    return wire_read_additions(news->bytes, mem, &news->added, err);
}

/* ------------------------------------------------------------------ orders of head office */

struct order {
    struct added_field *fields;
    size_t field_count;
    struct added_value *values;
    size_t value_count;
    struct arena mem;
};

/* Runs the work in one transaction; of a trial nothing stays. */
static enum status carry_out(struct centre *c, centre_work *work, struct order *order, bool trial,
                             struct err *err) {
    order->mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = centre_begin(c, true, err);
    if (status == ST_OK) {
        status = work(c, order, err);
        if (status == ST_OK) status = publish(c, &order->mem, err);
        if (status == ST_OK && !trial)
            status = centre_commit(c, err);
        else
            centre_rollback(c);
    }
    arena_clear(&order->mem);
    if (status == ST_OK && trial) status = centre_refresh(c, err);
    return status;
}

static void number_all(struct order *o, uint32_t next) {
    for (size_t i = 0; i < o->field_count; i++) {
        o->fields[i].tag = next + (uint32_t)i;
        o->fields[i].group = o->field_count > 1 ? next : 0;
    }
    for (size_t i = 0; i < o->value_count; i++) {
        o->values[i].field = next;
        o->values[i].number = next + (uint32_t)(o->field_count + i);
    }
}

static enum status add_fields(struct centre *c, void *ctx, struct err *err) {
    struct order *o = ctx;
    uint32_t next;
    TRY(next_number(c, &next, err));
    number_all(o, next);
    for (size_t i = 0; i < o->field_count; i++) {
        bool first = i == 0;
        TRY(addition_check_field(c->cat, &o->fields[i], first ? o->values : NULL,
                                 first ? o->value_count : 0, err));
    }
    for (size_t i = 0; i < o->field_count; i++) {
        o->fields[i].since = centre_next_seq(c);
        addition_widen(&o->fields[i], NULL);
        TRY(put_field(c, &o->fields[i], err));
    }
    for (size_t i = 0; i < o->value_count; i++) TRY(put_value(c, &o->values[i], err));
    return ST_OK;
}

enum status centre_added_fields(struct centre *c, struct added_field *fields, size_t count,
                                struct added_value *values, size_t value_count, bool trial,
                                struct err *err) {
    struct order order = {fields, count, values, value_count, {0}};
    return carry_out(c, add_fields, &order, trial, err);
}

static struct added_field *find_field(const struct additions *all, uint32_t tag) {
    for (size_t i = 0; i < all->field_count; i++)
        if (all->fields[i].tag == tag) return &all->fields[i];
    return NULL;
}

static struct added_value *find_value(const struct additions *all, const struct added_value *v) {
    for (size_t i = 0; i < all->value_count; i++)
        if (all->values[i].entity == v->entity && all->values[i].field == v->field &&
            all->values[i].number == v->number)
            return &all->values[i];
    return NULL;
}

static bool same_label(const struct slice a[LANG_COUNT], const struct slice b[LANG_COUNT]) {
    return slice_equal(a[LANG_EN], b[LANG_EN]) && slice_equal(a[LANG_ZH], b[LANG_ZH]);
}

/* The limits that come bind who knows them; who does not is bound by the widest until now. */
static enum status change_field(struct centre *c, void *ctx, struct err *err) {
    struct order *o = ctx;
    struct additions all;
    TRY(centre_added(c, &o->mem, &all, err));
    struct added_field *f = find_field(&all, o->fields->tag);
    if (!f) return err_set(err, ST_NOT_FOUND, "no such added field", "没有该新增字段");
    struct added_field now = *f;
    now.flags = o->fields->flags;
    now.min = o->fields->min;
    now.max = o->fields->max;
    memcpy(now.label, o->fields->label, sizeof now.label);
    TRY(addition_check_change(&now, err));
    const struct entity *e = catalogue_entity_by_tag(c->cat, now.entity);
    if (e && !same_label(now.label, f->label)) TRY(addition_check_field_label(e, &now, err));
    if (now.min != f->min || now.max != f->max) now.since = centre_next_seq(c);
    addition_widen(&now, f);
    return put_field(c, &now, err);
}

enum status centre_added_change(struct centre *c, const struct added_field *f, bool trial,
                                struct err *err) {
    struct added_field copy = *f;
    struct order order = {.fields = &copy, .field_count = 1};
    return carry_out(c, change_field, &order, trial, err);
}

static enum status add_value(struct centre *c, void *ctx, struct err *err) {
    struct order *o = ctx;
    TRY(addition_check_value(c->cat, o->values, err));
    TRY(next_number(c, &o->values->number, err));
    return put_value(c, o->values, err);
}

enum status centre_added_value(struct centre *c, struct added_value *v, bool trial,
                               struct err *err) {
    struct order order = {.values = v, .value_count = 1};
    return carry_out(c, add_value, &order, trial, err);
}

static enum status change_value(struct centre *c, void *ctx, struct err *err) {
    struct order *o = ctx;
    struct additions all;
    TRY(centre_added(c, &o->mem, &all, err));
    struct added_value *v = find_value(&all, o->values);
    if (!v) return err_set(err, ST_NOT_FOUND, "no such added value", "没有该新增取值");
    TRY(addition_check_label(o->values->label, err));
    const struct entity *e = catalogue_entity_by_tag(c->cat, v->entity);
    const struct field *f = e ? entity_field_by_tag(e, v->field) : NULL;
    if (f && f->values && !same_label(v->label, o->values->label))
        TRY(addition_check_value_label(f->values, o->values, err));
    v->flags = o->values->flags;
    memcpy(v->label, o->values->label, sizeof v->label);
    return put_value(c, v, err);
}

enum status centre_added_value_change(struct centre *c, const struct added_value *v, bool trial,
                                      struct err *err) {
    struct added_value copy = *v;
    struct order order = {.values = &copy, .value_count = 1};
    return carry_out(c, change_value, &order, trial, err);
}

/* ------------------------------------------------------------------ what comes back */

static bool is_within(const struct additions *list, int64_t greatest) {
    bool within = true;
    for (size_t i = 0; i < list->field_count; i++)
        within = within && (int64_t)list->fields[i].tag <= greatest;
    for (size_t i = 0; i < list->value_count; i++)
        within = within && (int64_t)list->values[i].number <= greatest;
    return within;
}

/* A former key speaks only of what was added before it was replaced. */
static bool is_signed(const struct signed_additions *list, struct slice text,
                      const uint8_t now[SIGN_PUBLIC_BYTES], const struct key_records *former) {
    if (sign_check(now, text, list->signature)) return true;
    for (size_t i = 0; i < former->count; i++)
        if (is_within(&list->added, former->items[i].added) &&
            sign_check(former->items[i].change.old_public, text, list->signature))
            return true;
    return false;
}

static enum status check_signatures(struct centre *c, const struct signed_additions *lists,
                                    size_t count, struct arena *mem, struct err *err) {
    uint8_t now[SIGN_PUBLIC_BYTES];
    struct key_records former;
    bool sound = true;
    TRY(centre_key_now(c, now, err));
    TRY(centre_keys(c, mem, &former, err));
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
        wire_additions_signed(lists[i].bytes, &text);
        TRY(buf_status(&text, err));
        sound = sound && is_signed(&lists[i], buf_slice(&text), now, &former);
    }
    if (sound) return ST_OK;
    return err_set(err, ST_DENIED,
                   "the fields that this laptop gives back are not signed by this server: nothing "
                   "was taken",
                   "本机交还的字段并非本服务器签名：未接收任何内容");
}

static enum status take_back(struct centre *c, const struct additions *list, struct additions *all,
                             bool *out_any, struct err *err) {
    for (size_t i = 0; i < list->field_count; i++) {
        struct added_field f = list->fields[i];
        if (find_field(all, f.tag) || all->field_count == ADDITION_FIELDS_MAX) continue;
        f.since = centre_next_seq(c);
        addition_widen(&f, NULL);
        TRY(put_field(c, &f, err));
        all->fields[all->field_count++] = f;
        *out_any = true;
    }
    for (size_t i = 0; i < list->value_count; i++) {
        struct added_value v = list->values[i];
        if (find_value(all, &v) || all->value_count == ADDITION_VALUES_MAX) continue;
        TRY(put_value(c, &v, err));
        all->values[all->value_count++] = v;
        *out_any = true;
    }
    return ST_OK;
}

enum status centre_added_return(struct centre *c, const struct signed_additions *lists,
                                size_t count, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct additions all;
    bool any = false;
    enum status status = count > 0 ? check_signatures(c, lists, count, &mem, err) : ST_OK;
    if (status == ST_OK) status = centre_added(c, &mem, &all, err);
    for (size_t i = 0; i < count && status == ST_OK; i++)
        status = take_back(c, &lists[i].added, &all, &any, err);
    if (status == ST_OK && any) status = publish(c, &mem, err);
    arena_clear(&mem);
    return status;
}
