/* Runs scenario files (README.md beside this file): test_scenarios [-v] FILE... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "tests/world/world.h"

enum { WORDS_MAX = 40, NAMES_MAX = 200, FORMS_MAX = 20, TEXT_MAX = 4096 };

struct named_row {
    char name[WORLD_NAME_BYTES];
    const struct entity *entity;
    int64_t id;
};
struct named_form {
    char name[WORLD_NAME_BYTES];
    const struct entity *entity;
    struct form form;
};
struct words {
    struct slice at[WORDS_MAX];
    size_t count;
};
struct scenario {
    const char *file;
    int line;
    struct world world;
    struct arena mem;
    struct named_row rows[NAMES_MAX];
    size_t row_count;
    struct named_form forms[FORMS_MAX];
    size_t form_count;
    struct slice during; /* command to run inside the next round */
    struct err *during_err;
    enum status during_status;
};

static enum status run_line(struct scenario *s, struct slice line, struct err *err);

static enum status wrong(struct err *err, const char *what, struct slice where) {
    return err_set(err, ST_USAGE, "%s: %.*s", "%s：%.*s", what, (int)where.len,
                   (const char *)where.data);
}

static bool is(struct slice s, const char *text) {
    return slice_equal(s, slice_from(text));
}

/* ------------------------------------------------------------------ reading */

static enum status split(struct slice line, struct arena *mem, struct words *out, struct err *err) {
    out->count = 0;
    for (size_t i = 0; i < line.len;) {
        if (line.data[i] == ' ') {
            i++;
            continue;
        }
        if (line.data[i] == '#') break;
        if (out->count == WORDS_MAX) return wrong(err, "too many words", line);
        uint8_t *word = arena_alloc(mem, line.len + 1);
        if (!word) return err_no_memory(err);
        size_t n = 0;
        for (bool quoted = false; i < line.len && (quoted || line.data[i] != ' '); i++) {
            if (line.data[i] == '"')
                quoted = !quoted;
            else if (line.data[i] == '\\' && i + 1 < line.len && line.data[i + 1] == 'n')
                word[n++] = '\n', i++;
            else
                word[n++] = line.data[i];
        }
        out->at[out->count++] = slice_of(word, n);
    }
    return ST_OK;
}

static struct named_row *find_row(struct scenario *s, struct slice name) {
    for (size_t i = 0; i < s->row_count; i++)
        if (is(name, s->rows[i].name)) return &s->rows[i];
    return NULL;
}

static enum status name_row(struct scenario *s, struct slice name, const struct entity *e,
                            int64_t id, struct err *err) {
    if (s->row_count == NAMES_MAX) return wrong(err, "too many names", name);
    struct named_row *row = &s->rows[s->row_count++];
    snprintf(row->name, sizeof(row->name), "%.*s", (int)name.len, (const char *)name.data);
    row->entity = e;
    row->id = id;
    return ST_OK;
}

/* "+10m", "-3y" in milliseconds. */
static enum status read_span(struct slice text, int64_t *out, struct err *err) {
    int64_t sign = text.len && text.data[0] == '-' ? -1 : 1, n;
    if (text.len < 3 || !text_to_int(slice_of(text.data + 1, text.len - 2), &n))
        return wrong(err, "no span of time", text);
    int64_t unit = 0;
    switch (text.data[text.len - 1]) {
    case 's': unit = 1000; break;
    case 'm': unit = 60 * 1000; break;
    case 'h': unit = 3600 * 1000; break;
    case 'd': unit = 86400 * 1000; break;
    case 'y': unit = (int64_t)365 * 86400 * 1000; break;
    default: return wrong(err, "no unit of time", text);
    }
    *out = sign * n * unit;
    return ST_OK;
}

static enum status read_value(struct scenario *s, const struct field *f, struct slice text,
                              struct value *out, struct err *err) {
    struct named_row *row = f->type == FIELD_REF ? find_row(s, text) : NULL;
    if (row) {
        *out = value_int(row->id);
        return ST_OK;
    }
    return field_parse(f, text, 0, &s->mem, out, err);
}

/* name=value, name+=value, name-=value */
static enum status read_edit(struct scenario *s, const struct entity *e, struct slice word,
                             struct field_edit *out, struct err *err) {
    const uint8_t *eq = memchr(word.data, '=', word.len);
    if (!eq || eq == word.data) return wrong(err, "not FIELD=VALUE", word);
    size_t name = (size_t)(eq - word.data);
    struct slice text = slice_of(eq + 1, word.len - name - 1);
    uint8_t sign = eq[-1];
    if (sign == '+' || sign == '-') name--;
    *out = (struct field_edit){.field = entity_field(e, slice_of(word.data, name))};
    if (!out->field) return wrong(err, "no such field", word);
    if (sign != '+' && sign != '-') return read_value(s, out->field, text, &out->value, err);
    if (out->field->type == FIELD_SET) {
        out->kind = sign == '+' ? FIELD_EDIT_ADD : FIELD_EDIT_REMOVE;
        return field_parse(out->field, text, 0, &s->mem, &out->value, err);
    }
    out->kind = FIELD_EDIT_COUNT;
    TRY(field_parse(out->field, text, 0, &s->mem, &out->value, err));
    if (sign == '-') out->value.number = -out->value.number;
    return ST_OK;
}

static enum status read_edits(struct scenario *s, const struct entity *e, const struct words *w,
                              size_t from, struct field_edit *out, size_t *out_count,
                              struct err *err) {
    *out_count = 0;
    for (size_t i = from; i < w->count; i++)
        TRY(read_edit(s, e, w->at[i], &out[(*out_count)++], err));
    return ST_OK;
}

/* ROW.FIELD; without a point the field is NULL. */
static enum status read_place(struct scenario *s, struct slice word, struct named_row **out_row,
                              const struct field **out_field, struct err *err) {
    const uint8_t *point = memchr(word.data, '.', word.len);
    size_t n = point ? (size_t)(point - word.data) : word.len;
    *out_row = find_row(s, slice_of(word.data, n));
    if (!*out_row) return wrong(err, "no such row", word);
    *out_field =
        point ? entity_field((*out_row)->entity, slice_of(point + 1, word.len - n - 1)) : NULL;
    return point && !*out_field ? wrong(err, "no such field", word) : ST_OK;
}

/* ------------------------------------------------------------------ laptops act */

static enum status do_add(struct scenario *s, struct world_laptop *l, const struct words *w,
                          struct err *err) {
    const struct entity *e = w->count > 3 ? catalogue_entity(&s->world.catalogue, w->at[2]) : NULL;
    if (!e) return wrong(err, "add ENTITY NAME FIELD=VALUE", w->at[0]);
    struct field_edit edits[WORDS_MAX];
    size_t count;
    int64_t id;
    TRY(read_edits(s, e, w, 4, edits, &count, err));
    if (!l) {
        struct receipt receipt;
        TRY(world_office_save(&s->world, e, 0, edits, count, &receipt, &id, err));
        if (receipt.lines[0].outcome > OUTCOME_MERGED)
            return err_set(err, ST_INVALID, "head office: %s", "总部：%s",
                           reason_text(receipt.lines[0].reason, LANG_EN));
        return name_row(s, w->at[3], e, id, err);
    }
    TRY(store_begin(l->store, err));
    enum status status = store_create(l->store, e, edits, count, &id, err);
    uint32_t batch;
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) {
        store_rollback(l->store);
        return status;
    }
    return name_row(s, w->at[3], e, id, err);
}

static enum status save_edits(struct world_laptop *l, const struct entity *e, int64_t id,
                              const struct field_edit *edits, size_t count, const struct form *form,
                              struct err *err) {
    TRY(store_begin(l->store, err));
    bool changed;
    uint32_t batch;
    enum status status = store_edit(l->store, e, id, edits, count, form, &changed, err);
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) store_rollback(l->store);
    return status;
}

static enum status do_set(struct scenario *s, struct world_laptop *l, const struct words *w,
                          struct err *err) {
    struct named_row *row = w->count > 2 ? find_row(s, w->at[2]) : NULL;
    if (!row) return wrong(err, "set NAME FIELD=VALUE", w->at[0]);
    struct field_edit edits[WORDS_MAX];
    size_t count;
    TRY(read_edits(s, row->entity, w, 3, edits, &count, err));
    if (l) return save_edits(l, row->entity, row->id, edits, count, NULL, err);
    struct receipt receipt;
    int64_t id;
    return world_office_save(&s->world, row->entity, row->id, edits, count, &receipt, &id, err);
}

static enum status do_rm(struct scenario *s, struct world_laptop *l, const struct words *w,
                         struct err *err) {
    struct named_row *row = w->count > 2 ? find_row(s, w->at[2]) : NULL;
    if (!row) return wrong(err, "rm NAME", w->at[0]);
    if (!l) return world_office_delete(&s->world, row->entity, row->id, err);
    size_t rows;
    uint32_t batch;
    TRY(store_begin(l->store, err));
    enum status status = store_delete(l->store, row->entity, row->id, &rows, err);
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) store_rollback(l->store);
    return status;
}

static enum status do_form(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    struct named_row *row = w->count == 4 ? find_row(s, w->at[3]) : NULL;
    if (!row || s->form_count == FORMS_MAX) return wrong(err, "form F NAME", w->at[0]);
    struct named_form *form = &s->forms[s->form_count++];
    snprintf(form->name, sizeof(form->name), "%.*s", (int)w->at[2].len,
             (const char *)w->at[2].data);
    form->entity = row->entity;
    return store_form(l->store, row->entity, row->id, &s->mem, &form->form, err);
}

static enum status do_save(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    for (size_t i = 0; i < s->form_count && w->count > 2; i++) {
        struct named_form *form = &s->forms[i];
        if (!is(w->at[2], form->name)) continue;
        struct field_edit edits[WORDS_MAX];
        size_t count;
        TRY(read_edits(s, form->entity, w, 3, edits, &count, err));
        return save_edits(l, form->entity, form->form.row, edits, count, &form->form, err);
    }
    return wrong(err, "save FORM FIELD=VALUE", w->at[0]);
}

struct held_wanted {
    int64_t row;
    uint32_t cell_tag;
    bool found;
    struct refusal_id id;
    enum outcome outcome;
    enum reason reason;
    int64_t count;
};

static enum status take_held(void *ctx, const struct held *held, struct err *err) {
    (void)err;
    struct held_wanted *want = ctx;
    want->count++;
    if (held->row != want->row || (held->id.cell_tag != want->cell_tag && held->id.cell_tag))
        return ST_OK;
    want->found = true;
    want->id = held->id;
    want->outcome = held->outcome;
    want->reason = held->reason;
    return ST_OK;
}

static enum status find_held(struct scenario *s, struct world_laptop *l, struct slice place,
                             struct held_wanted *out, struct err *err) {
    struct named_row *row;
    const struct field *field;
    TRY(read_place(s, place, &row, &field, err));
    *out = (struct held_wanted){.row = row->id,
                                .cell_tag = field ? entity_cell_of(row->entity, field)->tag : 0};
    return store_held(l->store, false, take_held, out, err);
}

static enum status do_held(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    struct held_wanted held;
    if (w->count != 3) return wrong(err, "retry or drop NAME.FIELD", w->at[0]);
    TRY(find_held(s, l, w->at[2], &held, err));
    if (!held.found) return wrong(err, "nothing is held", w->at[2]);
    return is(w->at[1], "drop") ? store_held_drop(l->store, &held.id, err)
                                : store_held_retry(l->store, &held.id, NULL, 0, err);
}

static void run_during(void *ctx, struct world_laptop *l) {
    struct scenario *s = ctx;
    (void)l;
    s->during_status = run_line(s, s->during, s->during_err);
}

static enum status do_sync(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct slice line, struct err *err) {
    struct agent_result result;
    s->during_status = ST_OK;
    if (w->count > 2 && is(w->at[2], "during:")) {
        const uint8_t *at = memmem(line.data, line.len, "during:", 7);
        s->during = slice_of(at + 7, line.len - (size_t)(at + 7 - line.data));
        s->during_err = err;
        l->during = run_during;
        l->during_ctx = s;
    } else if (w->count > 2) {
        l->fault = is(w->at[2], "lose-request") ? WORLD_LOSE_REQUEST
                   : is(w->at[2], "lose-reply") ? WORLD_LOSE_REPLY
                   : is(w->at[2], "repeat")     ? WORLD_REPEAT_REQUEST
                   : is(w->at[2], "cut")        ? WORLD_CUT_SLICES
                                                : WORLD_FAULT_NONE;
        int64_t n = 1;
        if (l->fault == WORLD_FAULT_NONE || (w->count > 3 && !text_to_int(w->at[3], &n)))
            return wrong(err, "unknown fault", line);
        l->slices_left = (int)n;
        (void)world_sync(l, &result, err); /* it is meant to go wrong */
        return ST_OK;
    }
    TRY(world_sync(l, &result, err));
    return s->during_status;
}

static enum status do_clock(struct world_laptop *l, const struct words *w, struct err *err) {
    int64_t span = 0;
    if (w->count > 2) TRY(read_span(w->at[2], &span, err));
    if (is(w->at[1], "reboot")) return world_reboot(l, span, err);
    if (is(w->at[1], "step")) return world_step(l, span, err);
    l->offset_ms = span;
    return ST_OK;
}

static enum status laptop_line(struct scenario *s, struct world_laptop *l, const struct words *w,
                               struct slice line, struct err *err) {
    struct slice what = w->count > 1 ? w->at[1] : SLICE("");
    s->world.now_ms += 1000; /* each act of a person takes a second */
    if (is(what, "add")) return do_add(s, l, w, err);
    if (is(what, "set")) return do_set(s, l, w, err);
    if (is(what, "rm")) return do_rm(s, l, w, err);
    if (is(what, "form")) return do_form(s, l, w, err);
    if (is(what, "save")) return do_save(s, l, w, err);
    if (is(what, "retry") || is(what, "drop")) return do_held(s, l, w, err);
    if (is(what, "sync")) return do_sync(s, l, w, line, err);
    if (is(what, "restart")) return world_restart(l, err);
    if (is(what, "reboot") || is(what, "step") || is(what, "clock")) return do_clock(l, w, err);
    uint32_t undone, batch;
    if (is(what, "undo")) return store_undo(l->store, 0, &undone, &batch, err);
    return wrong(err, "a laptop cannot do that", line);
}

/* ------------------------------------------------------------------ head office acts */

static enum status office_decides(struct scenario *s, const struct words *w, struct err *err) {
    struct world_laptop *l = w->count == 4 ? world_laptop(&s->world, w->at[2]) : NULL;
    if (!l) return wrong(err, "approve LAPTOP NAME.FIELD", w->at[0]);
    struct held_wanted held;
    TRY(find_held(s, l, w->at[3], &held, err));
    if (!held.found) return wrong(err, "nothing is held", w->at[3]);
    struct store_identity identity;
    TRY(store_identity(l->store, &identity, err));
    return org_decide(s->world.office, identity.device, &held.id, is(w->at[1], "approve"),
                      SLICE("office"), err);
}

static enum status office_line(struct scenario *s, const struct words *w, struct slice line,
                               struct err *err) {
    struct slice what = w->count > 1 ? w->at[1] : SLICE("");
    s->world.now_ms += 1000;
    if (is(what, "add")) return do_add(s, NULL, w, err);
    if (is(what, "set")) return do_set(s, NULL, w, err);
    if (is(what, "rm")) return do_rm(s, NULL, w, err);
    if (is(what, "approve") || is(what, "decline")) return office_decides(s, w, err);
    return wrong(err, "head office cannot do that", line);
}

/* ------------------------------------------------------------------ what must be so */

static enum status differs(struct err *err, const char *who, struct slice what, struct slice want,
                           struct slice have) {
    return err_set(err, ST_CONFLICT, "%s %.*s: expected \"%.*s\", is \"%.*s\"",
                   "%s %.*s：应为“%.*s”，实为“%.*s”", who, (int)what.len, (const char *)what.data,
                   (int)want.len, (const char *)want.data, (int)have.len, (const char *)have.data);
}

static enum status expect_number(const char *who, struct slice what, struct slice want,
                                 int64_t have, struct err *err) {
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)have);
    return is(want, text) ? ST_OK : differs(err, who, what, want, slice_from(text));
}

static enum status expect_cell(struct scenario *s, const char *who, struct store *store,
                               struct slice place, struct slice want, struct err *err) {
    struct named_row *named;
    const struct field *f;
    const struct entity *e;
    int64_t id;
    struct row row;
    TRY(read_place(s, place, &named, &f, err));
    if (!f) return wrong(err, "expect WHO NAME.FIELD VALUE", place);
    TRY(store_locate(store, named->id, &e, &id, err));
    if (!e) return differs(err, who, place, want, SLICE("(no such row)"));
    TRY(store_get(store, e, id, &s->mem, &row, err));
    struct value v = row.values[entity_field_index(e, f)];
    struct named_row *target = f->type == FIELD_REF ? find_row(s, want) : NULL;
    if (target) {
        TRY(store_locate(store, target->id, &e, &id, err));
        return v.kind == VALUE_INT && v.number == id
                   ? ST_OK
                   : differs(err, who, place, want, SLICE("another row"));
    }
    struct buf have SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    field_write_text(f, v, LANG_EN, 0, &have);
    if (!have.len) buf_put_text(&have, "-");
    return slice_equal(buf_slice(&have), want) ? ST_OK
                                               : differs(err, who, place, want, buf_slice(&have));
}

static enum status expect_row(struct scenario *s, const char *who, struct store *store,
                              const struct words *w, struct err *err) {
    struct named_row *named = find_row(s, w->at[3]);
    if (!named) return wrong(err, "no such row", w->at[3]);
    struct row row = {0};
    enum status status = store_get(store, named->entity, named->id, &s->mem, &row, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    bool has = status == ST_OK && !row.gone, want = is(w->at[2], "has");
    return has == want ? ST_OK
                       : differs(err, who, w->at[3], w->at[2], has ? SLICE("has") : SLICE("lacks"));
}

static enum status expect_count(struct scenario *s, const char *who, struct store *store,
                                const struct words *w, struct err *err) {
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, w->at[3])};
    if (!query.entity || w->count != 5) return wrong(err, "count ENTITY N", w->at[3]);
    int64_t count;
    TRY(store_count(store, &query, &count, err));
    return expect_number(who, w->at[3], w->at[4], count, err);
}

static enum status expect_book(struct scenario *s, const char *who, struct store *store,
                               const struct words *w, struct err *err) {
    if (w->count < 4) return wrong(err, "expect WHO what?", w->at[0]);
    if (is(w->at[2], "has") || is(w->at[2], "lacks")) return expect_row(s, who, store, w, err);
    if (is(w->at[2], "count")) return expect_count(s, who, store, w, err);
    return expect_cell(s, who, store, w->at[2], w->at[3], err);
}

struct receipt_wanted {
    int64_t row;
    uint32_t cell_tag;
    bool found;
    enum outcome outcome;
};

static enum status take_receipt(void *ctx, const struct receipt_note *note, struct err *err) {
    (void)err;
    struct receipt_wanted *want = ctx;
    if (want->found || note->row != want->row || note->cell_tag != want->cell_tag) return ST_OK;
    want->found = true;
    want->outcome = note->outcome;
    return ST_OK;
}

static enum status expect_receipt(struct scenario *s, struct world_laptop *l, const struct words *w,
                                  struct err *err) {
    struct named_row *row;
    const struct field *f;
    if (w->count != 5) return wrong(err, "receipt NAME.FIELD OUTCOME", w->at[0]);
    TRY(read_place(s, w->at[3], &row, &f, err));
    struct receipt_wanted want = {.row = row->id,
                                  .cell_tag = f ? entity_cell_of(row->entity, f)->tag : 0};
    TRY(store_receipts(l->store, 0, take_receipt, &want, err));
    struct slice have = want.found ? slice_from(outcome_name(want.outcome)) : SLICE("(no receipt)");
    return slice_equal(have, w->at[4]) ? ST_OK : differs(err, l->name, w->at[3], w->at[4], have);
}

static const char *reason_name(enum reason reason) {
    static const char *const names[] = {
#define NAME(name, number, ...) [number] = #name,
        REASON_ROWS(NAME)
#undef NAME
    };
    return names[reason];
}

static enum status expect_held(struct scenario *s, struct world_laptop *l, const struct words *w,
                               struct err *err) {
    struct held_wanted held = {0};
    if (w->count == 4 && is(w->at[3], "none")) {
        TRY(store_held(l->store, false, take_held, &held, err));
        return held.count ? differs(err, l->name, SLICE("held"), SLICE("none"), SLICE("some"))
                          : ST_OK;
    }
    if (w->count < 5) return wrong(err, "held NAME.FIELD OUTCOME [REASON]", w->at[0]);
    TRY(find_held(s, l, w->at[3], &held, err));
    struct slice have = held.found ? slice_from(outcome_name(held.outcome)) : SLICE("(not held)");
    if (!slice_equal(have, w->at[4])) return differs(err, l->name, w->at[3], w->at[4], have);
    if (w->count > 5 && !is(w->at[5], reason_name(held.reason)))
        return differs(err, l->name, w->at[3], w->at[5], slice_from(reason_name(held.reason)));
    return ST_OK;
}

static enum status count_conflict(void *ctx, const struct conflict *conflict, struct err *err) {
    (void)conflict;
    (void)err;
    ++*(int64_t *)ctx;
    return ST_OK;
}

static enum status expect_laptop(struct scenario *s, struct world_laptop *l, const struct words *w,
                                 struct err *err) {
    struct slice what = w->at[2];
    if (is(what, "receipt")) return expect_receipt(s, l, w, err);
    if (is(what, "held")) return expect_held(s, l, w, err);
    if (is(what, "conflicts") && w->count == 4) {
        int64_t count = 0;
        TRY(store_conflicts(l->store, false, count_conflict, &count, err));
        return expect_number(l->name, what, w->at[3], count, err);
    }
    if (is(what, "pending") && w->count == 4) {
        struct store_status status;
        TRY(store_status(l->store, &status, err));
        return expect_number(l->name, what, w->at[3], status.outbox_batches, err);
    }
    return expect_book(s, l->name, l->store, w, err);
}

struct ledger_wanted {
    struct scenario *s;
    const struct named_row *row;
    const struct field *field;
    struct slice loser, winner;
    bool found;
    int64_t count;
};

static void write_side(const struct ledger_wanted *want, const struct value *values, size_t count,
                       struct buf *out) {
    const struct cell *cell = entity_cell_of(want->row->entity, want->field);
    size_t at = entity_field_index(want->row->entity, want->field) - cell->first;
    if (values && at < count) field_write_text(want->field, values[at], LANG_EN, 0, out);
    if (!out->len) buf_put_text(out, "-");
}

static enum status take_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    struct ledger_wanted *want = ctx;
    want->count++;
    if (!want->row || (entry->row != want->row->id)) return ST_OK;
    if (!want->field) {
        want->found |= entry->cell_tag == 0;
        return ST_OK;
    }
    if (entity_cell_of(want->row->entity, want->field)->tag != entry->cell_tag) return ST_OK;
    struct buf loser SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                     winner SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    write_side(want, entry->loser, entry->value_count, &loser);
    write_side(want, entry->winner, entry->value_count, &winner);
    want->found |= slice_equal(buf_slice(&loser), want->loser) &&
                   slice_equal(buf_slice(&winner), want->winner);
    return buf_status(&winner, err);
}

static enum status expect_ledger(struct scenario *s, const struct words *w, struct err *err) {
    struct ledger_wanted want = {.s = s};
    struct centre *c = org_centre(s->world.office);
    bool count = w->count == 4 && is(w->at[2], "count");
    if (!count) {
        struct named_row *row;
        if (w->count != 5 && w->count != 3)
            return wrong(err, "ledger NAME.FIELD LOSER WINNER", w->at[0]);
        TRY(read_place(s, w->at[2], &row, &want.field, err));
        want.row = row;
        if (w->count == 5) want.loser = w->at[3], want.winner = w->at[4];
    }
    TRY(centre_ledger(c, 0, INT64_MAX, 0, &s->mem, take_ledger, &want, err));
    if (count) return expect_number("ledger", w->at[2], w->at[3], want.count, err);
    return want.found
               ? ST_OK
               : differs(err, "ledger", w->at[2], w->count == 5 ? w->at[3] : SLICE("an entry"),
                         SLICE("(no such entry)"));
}

static enum status expect_line(struct scenario *s, const struct words *w, struct err *err) {
    if (w->count < 3) return wrong(err, "expect what?", w->at[0]);
    struct slice who = w->at[1];
    if (is(who, "ledger")) return expect_ledger(s, w, err);
    if (is(who, "office")) return expect_book(s, "office", world_office_store(&s->world), w, err);
    for (size_t i = 0; i < s->world.laptop_count; i++) {
        struct world_laptop *l = &s->world.laptops[i];
        if (is(who, "*") || is(who, l->name)) TRY(expect_laptop(s, l, w, err));
    }
    if (is(who, "*")) return expect_book(s, "office", world_office_store(&s->world), w, err);
    return world_laptop(&s->world, who) ? ST_OK : wrong(err, "nobody of that name", who);
}

/* ------------------------------------------------------------------ lines and files */

static enum status sync_line(struct scenario *s, const struct words *w, struct err *err) {
    if (w->count == 1) return world_settle(&s->world, err);
    for (size_t i = 1; i < w->count; i++) {
        struct world_laptop *l = world_laptop(&s->world, w->at[i]);
        struct agent_result result;
        if (!l) return wrong(err, "no such laptop", w->at[i]);
        TRY(world_sync(l, &result, err));
    }
    return ST_OK;
}

static enum status laptops_line(struct scenario *s, const struct words *w, struct err *err) {
    for (size_t i = 1; i < w->count; i++) {
        char *name = arena_string(&s->mem, w->at[i]);
        if (!name) return err_no_memory(err);
        TRY(world_laptop_add(&s->world, name, err));
    }
    return world_settle(&s->world, err);
}

/* "fails COMMAND" or "fails STATUS: COMMAND" */
static enum status fails_line(struct scenario *s, struct slice line, struct err *err) {
    struct slice rest = slice_of(line.data + 6, line.len - 6), command = rest;
    const uint8_t *colon = memchr(rest.data, ':', rest.len);
    char want[32] = "";
    if (colon && !memchr(rest.data, ' ', (size_t)(colon - rest.data))) {
        snprintf(want, sizeof(want), "%.*s", (int)(colon - rest.data), (const char *)rest.data);
        command = slice_of(colon + 1, rest.len - (size_t)(colon + 1 - rest.data));
    }
    enum status status = run_line(s, command, err);
    if (status == ST_OK) return wrong(err, "it was not refused", command);
    if (want[0] && strcmp(want, status_name(status)))
        return differs(err, "fails", command, slice_from(want), slice_from(status_name(status)));
    return ST_OK;
}

static enum status run_line(struct scenario *s, struct slice line, struct err *err) {
    struct words w;
    line = slice_trim(line);
    TRY(split(line, &s->mem, &w, err));
    if (!w.count) return ST_OK;
    struct world_laptop *l = world_laptop(&s->world, w.at[0]);
    if (l) return laptop_line(s, l, &w, line, err);
    if (is(w.at[0], "office")) return office_line(s, &w, line, err);
    if (is(w.at[0], "expect")) return expect_line(s, &w, err);
    if (is(w.at[0], "sync")) return sync_line(s, &w, err);
    if (is(w.at[0], "laptops")) return laptops_line(s, &w, err);
    if (is(w.at[0], "fails")) return fails_line(s, line, err);
    if (is(w.at[0], "time") && w.count == 2) {
        int64_t span;
        TRY(read_span(w.at[1], &span, err));
        s->world.now_ms += span;
        return ST_OK;
    }
    return wrong(err, "unknown command", line);
}

static enum status at_rest(struct scenario *s, struct err *err) {
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    TRY(world_settle(&s->world, err));
    TRY(world_compare(&s->world, &difference, err));
    if (!difference.len) return ST_OK;
    return err_set(err, ST_CONFLICT, "at the end the books differ: %s", "结束时账本不一致：%s",
                   buf_text(&difference));
}

static enum status run_lines(struct scenario *s, struct slice text, bool verbose, struct err *err) {
    struct slice line;
    while (slice_cut(&text, '\n', &line)) {
        s->line++;
        if (verbose) printf("%3d  %.*s\n", s->line, (int)line.len, (const char *)line.data);
        TRY(run_line(s, line, err));
    }
    s->line++;
    return at_rest(s, err);
}

static bool run_file(const char *file, bool verbose) {
    static struct scenario scenario; /* too large for a stack */
    struct scenario *s = &scenario;
    memset(s, 0, sizeof(*s));
    s->file = file;
    s->mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err = {0};
    struct slice text;
    enum status status = platform_read_file(file, TEXT_MAX * 64, &s->mem, &text, &err);
    if (status == ST_OK) status = world_open(42, &s->world, &err);
    if (status == ST_OK) status = run_lines(s, text, verbose, &err);
    if (status != ST_OK)
        printf("FAILED %s:%d: %s: %s\n", file, s->line, status_name(status), err.text[LANG_EN]);
    world_close(&s->world);
    arena_clear(&s->mem);
    return status == ST_OK;
}

int main(int argc, char **argv) {
    int failed = 0, ran = 0;
    bool verbose = argc > 1 && !strcmp(argv[1], "-v");
    for (int i = 1 + verbose; i < argc; i++, ran++) failed += !run_file(argv[i], verbose);
    printf("%d passed, %d failed\n", ran - failed, failed);
    return failed || !ran;
}
