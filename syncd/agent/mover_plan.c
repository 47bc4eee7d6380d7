/* What is to be moved: the rows that are here, what is in the folder, what a person asked for, and
 * the rules. Also what need not be kept any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/mover_private.h"

#define SETTING_SAVER "content.saver"
#define SETTING_SAVER_BYTES "content.saver_bytes"
#define SETTING_PREFETCH "content.prefetch_bytes"

/* ------------------------------------------------------------------ rules */

static enum status setting_read(struct store *store, const char *name, int64_t otherwise,
                                int64_t *out, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    struct slice text;
    enum status status = store_setting(store, name, &mem, &text, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status != ST_OK || !text_to_int(text, out)) *out = otherwise;
    return ST_OK;
}

static enum status setting_write(struct store *store, const char *name, int64_t value,
                                 struct err *err) {
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return store_setting_set(store, name, slice_from(text), err);
}

enum status mover_rules(struct store *store, struct mover_rules *out, struct err *err) {
    struct mover_rules rules;
    int64_t saver;
    TRY(setting_read(store, SETTING_SAVER, 0, &saver, err));
    TRY(setting_read(store, SETTING_SAVER_BYTES, MOVER_SAVER_BYTES, &rules.saver_bytes, err));
    TRY(setting_read(store, SETTING_PREFETCH, MOVER_PREFETCH_BYTES, &rules.prefetch_bytes, err));
    rules.saver = saver != 0;
    *out = rules;
    return ST_OK;
}

enum status mover_rules_set(struct store *store, const struct mover_rules *rules, struct err *err) {
    TRY(setting_write(store, SETTING_SAVER, rules->saver, err));
    TRY(setting_write(store, SETTING_SAVER_BYTES, rules->saver_bytes, err));
    return setting_write(store, SETTING_PREFETCH, rules->prefetch_bytes, err);
}

/* ------------------------------------------------------------------ the plan */

struct plan {
    struct mover *m;
    struct mover_rules rules;
    int64_t me; /* my employee row; 0: none */
    int64_t now_ms;
    int64_t account;      /* looked at last ... */
    bool account_is_mine; /* ... and whether it is mine */
};

static enum status owner_of(struct store *store, int64_t account, int64_t *out, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    const struct entity *e = catalogue_entity(store_catalogue(store), SLICE("account"));
    const struct field *f = e ? entity_field(e, SLICE("owner")) : NULL;
    struct row row;
    *out = 0;
    if (!f) return ST_OK;
    enum status status = store_get(store, e, account, &mem, &row, err);
    if (status == ST_NOT_FOUND || status == ST_GONE) return ST_OK;
    TRY(status);
    const struct value *v = &row.values[entity_field_index(e, f)];
    if (v->kind == VALUE_INT) *out = v->number;
    return ST_OK;
}

/* The account's manager, or whoever made the attachment, has it at hand. */
static enum status is_mine(struct plan *p, const struct attachment *a, bool *out, struct err *err) {
    int64_t owner;
    if (p->account != a->account) {
        TRY(owner_of(p->m->config.store, a->account, &owner, err));
        p->account = a->account;
        p->account_is_mine = p->me != 0 && owner == p->me;
    }
    *out = p->account_is_mine || (p->me != 0 && a->author == p->me);
    return ST_OK;
}

static enum status comes_by_rule(struct plan *p, const struct attachment *a, bool *out,
                                 struct err *err) {
    bool is_picture = a->kind == ATTACHMENT_PHOTO || a->kind == ATTACHMENT_SIGNATURE;
    bool is_small = a->bytes <= p->rules.prefetch_bytes &&
                    (!p->rules.saver || a->bytes <= p->rules.saver_bytes);
    *out = false;
    return is_picture && is_small ? is_mine(p, a, out, err) : ST_OK;
}

static bool was_refused_lately(struct plan *p, const struct attachment *a) {
    int64_t at = blob_marked_ms(&p->m->blobs, MOVER_MARK_NO, &a->content);
    return at > 0 && p->now_ms - at < MOVER_NO_MS;
}

static enum status is_due(struct plan *p, const struct attachment *a, bool up, bool wanted,
                          bool *out, struct err *err) {
    *out = wanted;
    if (wanted || p->m->config.only_wanted || was_refused_lately(p, a)) return ST_OK;
    if (!up) return comes_by_rule(p, a, out, err);
    *out = !p->rules.saver || a->bytes <= p->rules.saver_bytes;
    return ST_OK;
}

static bool is_planned(const struct mover *m, const struct hash *content) {
    for (size_t i = 0; i < m->task_count; i++)
        if (memcmp(m->tasks[i].content.bytes, content->bytes, HASH_BYTES) == 0) return true;
    return false;
}

static enum status plan_row(void *ctx, const struct attachment *a, struct err *err) {
    struct plan *p = ctx;
    struct mover *m = p->m;
    bool due;
    if (!a->is_sound || m->task_count == MOVER_TASKS_MAX) return ST_OK;
    bool here = blob_is_here(&m->blobs, &a->content);
    bool up = here && !a->arrived_ms, down = !here && a->arrived_ms;
    bool wanted = blob_is_marked(&m->blobs, MOVER_MARK_WANT, &a->content, NULL, NULL);
    if (!up && !down) return ST_OK;
    TRY(is_due(p, a, up, wanted, &due, err));
    if (!due || is_planned(m, &a->content)) return ST_OK;
    m->tasks[m->task_count++] =
        (struct task){.content = a->content, .bytes = a->bytes, .up = up, .wanted = wanted};
    return ST_OK;
}

static int by_urgency(const void *a, const void *b) {
    const struct task *x = a, *y = b;
    if (x->wanted != y->wanted) return x->wanted ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return memcmp(x->content.bytes, y->content.bytes, HASH_BYTES);
}

enum status mover_plan(struct mover *m, struct err *err) {
    const struct env *env = m->config.env;
    struct store_identity identity;
    struct plan p = {.m = m, .now_ms = env->wall_ms(env->ctx)};
    TRY(store_identity(m->config.store, &identity, err));
    p.me = identity.employee;
    bytes_wipe(&identity, sizeof identity);
    TRY(mover_rules(m->config.store, &p.rules, err));
    arena_clear(&m->plan_mem);
    m->task_at = m->task_count = 0;
    m->tasks = ARENA_ARRAY(&m->plan_mem, MOVER_TASKS_MAX, struct task);
    if (!m->tasks) return err_no_memory(err);
    TRY(attachment_list(m->config.store, NULL, false, plan_row, &p, err));
    qsort(m->tasks, m->task_count, sizeof m->tasks[0], by_urgency);
    m->must_look = false;
    return ST_OK;
}

/* ------------------------------------------------------------------ what need not be kept */

struct sweep {
    struct mover *m;
    int64_t now_ms, removed;
};

static enum status sweep_one(void *ctx, const struct blob_found *found, struct err *err) {
    struct sweep *s = ctx;
    bool named;
    int64_t age = s->now_ms - found->written_ms;
    if (age < MOVER_ORPHAN_MS) return ST_OK; /* its row may just be on its way into the book */
    TRY(attachment_is_named(s->m->config.store, &found->hash, &named, err));
    if (named) return ST_OK;
    blob_remove(&s->m->blobs, &found->hash, found->owner);
    blob_unmark(&s->m->blobs, MOVER_MARK_WANT, &found->hash);
    blob_unmark(&s->m->blobs, MOVER_MARK_NO, &found->hash);
    s->removed++;
    return ST_OK;
}

enum status mover_sweep(struct mover *m, int64_t *out_removed, struct err *err) {
    const struct env *env = m->config.env;
    struct sweep s = {.m = m, .now_ms = env->wall_ms(env->ctx)};
    struct store_status book;
    TRY(store_status(m->config.store, &book, err));
    if (book.outbox_batches == 0) TRY(blob_walk(&m->blobs, sweep_one, &s, err));
    *out_removed = s.removed;
    return ST_OK;
}
