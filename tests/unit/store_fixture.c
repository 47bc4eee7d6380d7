#include "tests/unit/store_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fixture_start(struct fixture *f) {
    struct err err;
    snprintf(f->folder, sizeof f->folder, "/tmp/roadbook-test-XXXXXX");
    CHECK(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/book.db", f->folder);
    f->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(catalogue_release(&f->mem, &f->cat, &err));
}

void fixture_stop(struct fixture *f) {
    DIR *folder = opendir(f->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", f->folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    if (folder) closedir(folder);
    rmdir(f->folder);
    arena_clear(&f->mem);
}

static int64_t wall_ms(void *ctx) {
    (void)ctx;
    return INT64_C(1767225600000);                         /* 2026-01-01 */
}

static int64_t boot_ms(void *ctx) {
    (void)ctx;
    return 1000;
}

static uint64_t boot_id(void *ctx) {
    (void)ctx;
    return 7;
}

static void random_bytes(void *ctx, void *out, size_t bytes) {
    (void)ctx;
    memset(out, 42, bytes);
}

static void write_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx, (void)level, (void)line;
}

const struct env *fixture_env(void) {
    static const struct env ENV = {NULL, wall_ms, boot_ms, boot_id, random_bytes, write_log, NULL};
    return &ENV;
}

const struct entity *fixture_entity(const struct fixture *f, const char *name) {
    const struct entity *e = catalogue_entity(&f->cat, slice_from(name));
    CHECK(e);
    return e;
}

const struct field *fixture_field(const struct entity *e, const char *name) {
    const struct field *f = entity_field(e, slice_from(name));
    CHECK(f);
    return f;
}

struct store *fixture_store(struct fixture *f, enum store_kind kind) {
    struct store_config config = {.path = f->path, .kind = kind, .create = true, .catalogue = &f->cat,
                                  .env = fixture_env()};
    struct store *store = NULL;
    struct err err;
    CHECK_OK(store_open(&config, &store, &err));
    return store;
}

static int64_t number_within(const struct field *f, int64_t number) {
    if (f->min == 0 && f->max == 0) return number;
    return number > f->max ? f->max : number < f->min ? f->min : number;
}

static struct value sample(const struct field *f, int64_t salt, struct arena *mem) {
    struct slice text = slice_from(arena_printf(mem, "甲%lld word", (long long)salt));
    switch (f->type) {
    case FIELD_TEXT:
        if (f->max > 0 && f->max < 20) text = slice_from("CNY");
        return value_text(text);
    case FIELD_NOTE: return value_text(slice_from(arena_printf(mem, "第%lld行\nsecond line", (long long)salt)));
    case FIELD_INT:
    case FIELD_DECIMAL:
    case FIELD_MONEY: return value_int(number_within(f, salt * 11));
    case FIELD_DATE: return value_int(20000 + salt % 1000);
    case FIELD_TIME: return value_int(INT64_C(1767225600000) + salt * 1000);
    case FIELD_BOOL: return value_int(salt & 1);
    case FIELD_ENUM: return value_int(f->values->values[(size_t)salt % f->values->count].number);
    case FIELD_REF: return value_int(id_make(1, (uint32_t)salt + f->tag));
    case FIELD_SET:
        if (f->set_of == FIELD_ENUM) return value_text(slice_from(f->values->values[(size_t)salt % f->values->count].name));
        if (f->set_of == FIELD_REF) return value_text(slice_from("4294967297"));
        return value_text(slice_from(arena_printf(mem, "a%lld\nb", (long long)salt)));
    }
    return value_null();
}

struct value *fixture_empty(const struct entity *e, struct arena *mem) {
    struct value *values = ARENA_ARRAY(mem, e->field_count, struct value);
    CHECK(values);
    return values;
}

struct value *fixture_values(const struct entity *e, int64_t salt, struct arena *mem) {
    struct value *values = fixture_empty(e, mem);
    struct err err;
    for (size_t i = 0; i < e->field_count; i++) {
        if (e->fields[i].rule == RULE_DERIVED) continue;
        values[i] = sample(&e->fields[i], salt + e->fields[i].tag, mem);
        CHECK_OK(field_check(&e->fields[i], values[i], &err));
    }
    return values;
}

void fixture_set(const struct entity *e, struct value *values, const char *field, struct value v) {
    values[entity_field_index(e, fixture_field(e, field))] = v;
}

struct value text_value(const char *text) {
    return value_text(slice_from(text));
}
