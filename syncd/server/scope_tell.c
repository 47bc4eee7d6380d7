/* Who holds what and why, in words; and what a change would do, made and undone. See scope.h. */
#include <stdlib.h>
#include <string.h>

#include "syncd/server/org_private.h"
#include "syncd/server/scope.h"

/* ------------------------------------------------------------------ grants in words */

enum status org_grants(struct org *org, int64_t user_id, struct arena *mem,
                       struct scope_grant **out, size_t *out_count, struct err *err) {
    struct centre_user user;
    struct centre_scope scope;
    struct centre_grant *grants;
    size_t count;
    TRY(org_scope(org, &scope, err));
    TRY(centre_user_by_id(org->c, user_id, &user, err));
    TRY(centre_grants(org->c, user_id, mem, &grants, &count, err));
    struct scope_grant *list = ARENA_ARRAY(mem, count + 1, struct scope_grant);
    if (!list) return err_no_memory(err);
    int64_t today = centre_day(&scope, centre_now(org->c));
    for (size_t i = 0; i < count; i++) {
        list[i].home = grants[i].home;
        list[i].since = grants[i].since;
        TRY(centre_log_time(org->c, grants[i].since, &list[i].since_ms, err));
        TRY(centre_grant_reasons(org->c, &user, grants[i].home, today, &list[i].reasons, err));
    }
    *out = list;
    *out_count = count;
    return ST_OK;
}

struct reason_word {
    unsigned bit;
    const char *text[LANG_COUNT];
};
static const struct reason_word WORDS[] = {
    {GRANT_EVERYONE, {"everyone", "所有人"}},
    {GRANT_OFFICE, {"head office", "总部"}},
    {GRANT_SELF, {"own work", "本人工作"}},
    {GRANT_OWNER, {"owner of the account", "客户负责人"}},
    {GRANT_MEMBER, {"member of its team", "团队成员"}},
    {GRANT_TERRITORY, {"works in the territory or above it", "在该区域或其上级工作"}},
    {GRANT_MANAGER, {"manages the territory", "管理所在区域"}},
    {GRANT_CREATOR, {"made the account", "新建人"}},
    {GRANT_MERGED, {"had an account that was merged into it", "曾持有并入的客户"}},
};

void scope_reasons_write(unsigned reasons, enum lang lang, struct buf *out) {
    bool some = false;
    for (size_t i = 0; i < ARRAY_COUNT(WORDS); i++) {
        if (!(reasons & WORDS[i].bit)) continue;
        if (some) buf_put_text(out, lang == LANG_ZH ? "；" : "; ");
        buf_put_text(out, WORDS[i].text[lang]);
        some = true;
    }
}

static const char *const CLASS_LABELS[HOME_CLASS_COUNT][LANG_COUNT] = {
    [HOME_CLASS_NONE] = {"nothing", "无"},
    [HOME_CLASS_OWN] = {"own work of", "个人工作："},
    [HOME_CLASS_TEAM] = {"team of", "客户团队："},
    [HOME_CLASS_TERRITORY] = {"territory", "区域："},
    [HOME_CLASS_PUBLIC] = {"what everyone sees", "公共资料"},
    [HOME_CLASS_OFFICE] = {"head office", "总部资料"},
    [HOME_CLASS_ALL] = {"everything", "全部"},
};

static const char *class_entity(enum home_class class) {
    switch (class) {
    case HOME_CLASS_OWN: return "employee";
    case HOME_CLASS_TEAM: return "account";
    case HOME_CLASS_TERRITORY: return "territory";
    case HOME_CLASS_NONE:
    case HOME_CLASS_PUBLIC:
    case HOME_CLASS_OFFICE:
    case HOME_CLASS_ALL:
    case HOME_CLASS_COUNT: return NULL;
    }
    return NULL;
}

enum status org_home_label(struct org *org, int64_t home, enum lang lang, struct buf *out,
                           struct err *err) {
    enum home_class class = home_class(home);
    const char *name = class_entity(class);
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct centre_row row;
    bool found = false;
    enum status status = ST_OK;
    buf_put_text(out, CLASS_LABELS[class][lang]);
    const struct entity *e =
        name ? catalogue_entity(centre_catalogue(org->c), slice_from(name)) : NULL;
    if (e) status = centre_row_read(org->c, e, home_id(home), &mem, &row, &found, err);
    if (found && status == ST_OK) {
        const struct field *f = entity_field(e, slice_from(e->title));
        if (lang == LANG_EN) buf_put_text(out, " ");
        field_write_text(f, row.values[entity_field_index(e, f)], lang, 0, out);
    }
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ candidates of a preview */

/* A row that may come or go: what it is like after the change, and before. */
struct seen_row {
    const struct entity *entity;
    int64_t row;
    struct homes after, before;
    bool lives_after, lived_before;
};

struct preview {
    struct centre *c;
    struct arena *mem;
    int64_t head; /* before the change */
    struct seen_row *rows;
    size_t row_count, row_room;
};

enum { PREVIEW_IDS = 512, PREVIEW_ARENA_CAP = 1024 * 1024 * 1024 };

static enum status put_row(struct preview *p, const struct entity *e, int64_t row,
                           struct err *err) {
    bool found, dead;
    if (p->row_count == p->row_room) {
        size_t room = p->row_room ? p->row_room * 2 : 256;
        struct seen_row *rows = ARENA_ARRAY(p->mem, room, struct seen_row);
        if (!rows) return err_no_memory(err);
        if (p->row_count > 0) memcpy(rows, p->rows, p->row_count * sizeof *rows);
        p->rows = rows;
        p->row_room = room;
    }
    struct seen_row *at = &p->rows[p->row_count++];
    *at = (struct seen_row){.entity = e, .row = row};
    TRY(centre_homes_stored(p->c, e, row, &found, &at->after, err));
    TRY(centre_row_probe(p->c, e, row, &found, &dead, err));
    at->lives_after = found && !dead;
    return ST_OK;
}

static enum status put_home_rows(struct preview *p, int64_t home, struct err *err) {
    const struct catalogue *cat = centre_catalogue(p->c);
    for (size_t i = 0; i < cat->count; i++) {
        int64_t ids[PREVIEW_IDS], after = 0;
        size_t count = PREVIEW_IDS;
        while (count == PREVIEW_IDS) {
            TRY(centre_home_rows(p->c, &cat->entities[i], home, after, ids, PREVIEW_IDS, &count,
                                 err));
            for (size_t k = 0; k < count; k++) TRY(put_row(p, &cat->entities[i], ids[k], err));
            if (count > 0) after = ids[count - 1];
        }
    }
    return ST_OK;
}

static enum status put_logged(void *ctx, const struct log_entry *entry, bool *out_stop,
                              struct err *err) {
    struct preview *p = ctx;
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(p->c), entry->entity_tag);
    *out_stop = false;
    return e ? put_row(p, e, entry->row, err) : ST_OK;
}

static int by_row(const void *a, const void *b) {
    const struct seen_row *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return 0;
}

static void once_each(struct preview *p) {
    size_t kept = 0;
    if (p->row_count > 1) qsort(p->rows, p->row_count, sizeof *p->rows, by_row);
    for (size_t i = 0; i < p->row_count; i++)
        if (kept == 0 || p->rows[kept - 1].row != p->rows[i].row) p->rows[kept++] = p->rows[i];
    p->row_count = kept;
}

static enum status look_before(struct preview *p, struct err *err) {
    for (size_t i = 0; i < p->row_count; i++) {
        struct seen_row *at = &p->rows[i];
        bool found, dead;
        TRY(centre_homes_stored(p->c, at->entity, at->row, &found, &at->before, err));
        TRY(centre_row_probe(p->c, at->entity, at->row, &found, &dead, err));
        at->lived_before = found && !dead;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ users of a preview */

struct home_lists { /* homes of a user, ascending */
    int64_t *before, *after;
    size_t before_count, after_count;
};

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool has(const int64_t *homes, size_t count, int64_t home) {
    return count > 0 && bsearch(&home, homes, count, sizeof home, by_number);
}

static bool sees(const int64_t *held, size_t count, const struct homes *homes) {
    if (has(held, count, home_make(HOME_CLASS_ALL, 0))) return true;
    for (size_t i = 0; i < homes->count; i++)
        if (has(held, count, homes->at[i])) return true;
    return false;
}

static enum status homes_held(struct preview *p, int64_t user, int64_t **out, size_t *out_count,
                              struct err *err) {
    struct centre_grant *grants;
    TRY(centre_grants(p->c, user, p->mem, &grants, out_count, err));
    int64_t *homes = ARENA_ARRAY(p->mem, *out_count + 1, int64_t);
    if (!homes) return err_no_memory(err);
    for (size_t i = 0; i < *out_count; i++) homes[i] = grants[i].home;
    *out = homes;
    return ST_OK;
}

/* Homes that one of both lists has alone; all: NULL at first, to count them. */
static size_t differing(const struct home_lists *h, int64_t *all) {
    size_t count = 0;
    for (size_t i = 0; i < h->before_count; i++) {
        if (has(h->after, h->after_count, h->before[i])) continue;
        if (all) all[count] = h->before[i];
        count++;
    }
    for (size_t i = 0; i < h->after_count; i++) {
        if (has(h->before, h->before_count, h->after[i])) continue;
        if (all) all[count] = h->after[i];
        count++;
    }
    return count;
}

static void count_effect(const struct preview *p, const struct home_lists *h,
                         struct scope_effect *out) {
    for (size_t i = 0; i < h->before_count; i++)
        out->closed += !has(h->after, h->after_count, h->before[i]);
    for (size_t i = 0; i < h->after_count; i++)
        out->opened += !has(h->before, h->before_count, h->after[i]);
    bool same = out->closed + out->opened == 0;
    for (size_t i = 0; i < p->row_count; i++) {
        const struct seen_row *r = &p->rows[i];
        bool still = r->lives_after == r->lived_before && homes_equal(&r->before, &r->after);
        if (same && still) continue;
        bool had = r->lived_before && sees(h->before, h->before_count, &r->before);
        bool gets = r->lives_after && sees(h->after, h->after_count, &r->after);
        out->gained += gets && !had;
        out->lost += had && !gets;
    }
}

/* ------------------------------------------------------------------ the preview */

struct try_out {
    const struct change *changes;
    size_t count;
    const struct centre_dated *ops;
    size_t op_count;
    const bool *granted; /* NULL: the setting stays */
};

static enum status try_it(struct preview *p, const struct try_out *t, struct err *err) {
    if (t->granted) TRY(centre_scope_change(p->c, *t->granted, err));
    if (t->count > 0) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        enum status status = office_write(p->c, t->changes, t->count, SLICE("preview"), &mem, err);
        arena_clear(&mem);
        TRY(status);
    }
    for (size_t i = 0; i < t->op_count; i++) {
        int64_t moved;
        TRY(scope_apply(p->c, &t->ops[i], &moved, err));
    }
    return ST_OK;
}

struct preview_users {
    int64_t *ids;
    struct home_lists *held;
    size_t count;
};

static enum status held_before(struct preview *p, struct preview_users *u, struct err *err) {
    TRY(centre_user_ids(p->c, p->mem, &u->ids, &u->count, err));
    u->held = ARENA_ARRAY(p->mem, u->count + 1, struct home_lists);
    if (!u->held) return err_no_memory(err);
    for (size_t i = 0; i < u->count; i++)
        TRY(homes_held(p, u->ids[i], &u->held[i].before, &u->held[i].before_count, err));
    return ST_OK;
}

/* Users share homes: the rows of each are looked up once. */
static enum status put_differing(struct preview *p, const struct preview_users *u,
                                 struct err *err) {
    size_t room = 1, count = 0;
    for (size_t i = 0; i < u->count; i++) room += differing(&u->held[i], NULL);
    int64_t *homes = ARENA_ARRAY(p->mem, room, int64_t);
    if (!homes) return err_no_memory(err);
    for (size_t i = 0; i < u->count; i++) count += differing(&u->held[i], homes + count);
    if (count > 1) qsort(homes, count, sizeof *homes, by_number);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || homes[i - 1] != homes[i]) TRY(put_home_rows(p, homes[i], err));
    return ST_OK;
}

static enum status held_after(struct preview *p, struct preview_users *u, struct err *err) {
    for (size_t i = 0; i < u->count; i++)
        TRY(homes_held(p, u->ids[i], &u->held[i].after, &u->held[i].after_count, err));
    TRY(put_differing(p, u, err));
    TRY(centre_log_walk(p->c, p->head, put_logged, p, err));
    once_each(p);
    return ST_OK;
}

static enum status tell_users(struct preview *p, const struct preview_users *u,
                              struct scope_effect **out, size_t *out_count, struct err *err) {
    size_t count = 0;
    struct scope_effect *list = ARENA_ARRAY(p->mem, u->count + 1, struct scope_effect);
    if (!list) return err_no_memory(err);
    for (size_t i = 0; i < u->count; i++) {
        struct scope_effect effect = {.user = u->ids[i]};
        struct centre_user user;
        count_effect(p, &u->held[i], &effect);
        if (effect.opened + effect.closed == 0 && effect.gained == 0 && effect.lost == 0) continue;
        TRY(centre_user_by_id(p->c, u->ids[i], &user, err));
        memcpy(effect.login, user.login, sizeof effect.login);
        memcpy(effect.name, user.name, sizeof effect.name);
        list[count++] = effect;
    }
    *out = list;
    *out_count = count;
    return ST_OK;
}

static int by_login(const void *a, const void *b) {
    const struct scope_effect *x = a, *y = b;
    return strcmp(x->login, y->login);
}

static enum status preview(struct org *org, const struct try_out *t, struct arena *mem,
                           struct scope_effect **out, size_t *out_count, struct err *err) {
    struct arena scratch = arena_new(PREVIEW_ARENA_CAP);
    struct preview p = {.c = org->c, .mem = &scratch};
    struct preview_users users = {.count = 0};
    struct scope_effect *list = NULL;
    size_t count = 0;
    enum status status = org_merge_begin(org, err);
    if (status == ST_OK) {
        p.head = centre_next_seq(org->c) - 1;
        status = held_before(&p, &users, err);
        if (status == ST_OK) status = try_it(&p, t, err);
        if (status == ST_OK) status = held_after(&p, &users, err);
        centre_rollback(org->c);
    }
    if (status == ST_OK) status = look_before(&p, err);
    if (status == ST_OK) status = tell_users(&p, &users, &list, &count, err);
    struct scope_effect *copy = ARENA_ARRAY(mem, count + 1, struct scope_effect);
    if (status == ST_OK && !copy) status = err_no_memory(err);
    if (status == ST_OK && count > 0) memcpy(copy, list, count * sizeof *copy);
    if (status == ST_OK && count > 1) qsort(copy, count, sizeof *copy, by_login);
    arena_clear(&scratch);
    TRY(status);
    *out = copy;
    *out_count = count;
    return ST_OK;
}

enum status org_scope_preview(struct org *org, const struct change *changes, size_t count,
                              const struct centre_dated *ops, size_t op_count, struct arena *mem,
                              struct scope_effect **out, size_t *out_count, struct err *err) {
    struct try_out t = {.changes = changes, .count = count, .ops = ops, .op_count = op_count};
    return preview(org, &t, mem, out, out_count, err);
}

enum status org_scope_set_preview(struct org *org, bool granted, struct arena *mem,
                                  struct scope_effect **out, size_t *out_count, struct err *err) {
    struct try_out t = {.granted = &granted};
    return preview(org, &t, mem, out, out_count, err);
}
