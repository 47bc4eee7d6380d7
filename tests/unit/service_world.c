#include "tests/unit/service_world.h"

#include <stdio.h>
#include <string.h>

static void quiet(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

static struct org_config config_of(struct world *w) {
    return (struct org_config){.path = w->path, .catalogue = &w->catalogue, .env = &w->env};
}

static void world_org(struct world *w) {
    struct err err;
    struct org *org;
    struct sign_key key;
    struct org_config config = config_of(w);
    struct centre_user user = {.login = "li", .name = "李", .role = USER_REP, .active = true};
    CHECK_OK(org_create(&config, SLICE("Acme"), &err));
    CHECK_OK(org_open(&config, &org, &err));
    CHECK_OK(org_key(org, &key, &err));
    sign_public(&key, w->org_public);
    CHECK_OK(centre_user_add(org_centre(org), &user, &w->user, &err));
    org_close(org);
}

void world_serve(struct world *w) {
    struct err err;
    struct service_config config = {.dir = w->dir,
                                    .catalogue = &w->catalogue,
                                    .env = &w->env,
                                    .readers = 2,
                                    .device_requests_s = w->requests_s,
                                    .device_calls_max = w->calls_max};
    CHECK_OK(service_open(&config, &w->service, &err));
}

void world_open(struct world *w) {
    struct err err;
    *w = (struct world){.mem = arena_new(ARENA_CAP_DEFAULT)};
    platform_env(&w->env);
    w->env.log = quiet;
    CHECK_OK(crypto_start(&err));
    CHECK_OK(catalogue_release(&w->mem, &w->catalogue, &err));
    CHECK_OK(platform_temp_dir(&w->mem, &w->dir, &err));
    char *folder = arena_printf(&w->mem, "%s/org", w->dir);
    w->path = arena_printf(&w->mem, "%s/org/acme.db", w->dir);
    CHECK_OK(platform_make_dir(folder, &err));
    world_org(w);
    world_serve(w);
}

void world_close(struct world *w) {
    struct err err;
    service_close(w->service);
    CHECK_OK(platform_remove_tree(w->dir, &err));
    arena_clear(&w->mem);
}

/* Runs something on the org's own handle, as another process would. */
struct org *world_own_org(struct world *w) {
    struct err err;
    struct org *org;
    struct org_config config = config_of(w);
    CHECK_OK(org_open(&config, &org, &err));
    return org;
}

/* ------------------------------------------------------------------ a laptop */

void laptop_link(struct world *w, struct session_link *out) {
    struct err err;
    struct org *org = world_own_org(w);
    *out = (struct session_link){.base_url = "https://localhost:1", .org = "acme"};
    w->env.random(w->env.ctx, out->code, sizeof out->code);
    memcpy(out->org_public, w->org_public, sizeof out->org_public);
    CHECK_OK(centre_link_make(org_centre(org), w->user, out->code,
                              w->env.wall_ms(w->env.ctx) + 60000, &err));
    org_close(org);
}

void laptop_new(struct laptop *l, struct world *w) {
    uint8_t seed[SIGN_SEED_BYTES];
    *l = (struct laptop){.w = w};
    w->env.random(w->env.ctx, seed, sizeof seed);
    l->identity.key = sign_key_from_seed(seed);
    (void)snprintf(l->identity.org, sizeof l->identity.org, "acme");
    memcpy(l->identity.org_public, w->org_public, sizeof w->org_public);
}

enum status laptop_enroll(struct laptop *l, struct err *err) {
    struct session_http request, reply;
    struct enroll_reply enrolled;
    TRY(session_enroll_request(&l->identity, &l->link, SLICE("thinkpad"), SLICE("0.1.0"),
                               &l->w->mem, &request, err));
    service_handle(l->w->service, &request, &l->w->mem, &reply);
    TRY(session_enroll_reply(&l->identity, &reply, &l->w->mem, &enrolled, err));
    l->identity.device = enrolled.device;
    l->epoch = enrolled.epoch;
    session_start(&l->session, &l->identity);
    return ST_OK;
}

enum status laptop_hello(struct laptop *l, struct err *err) {
    struct session_http request, reply;
    struct hello_reply answer;
    TRY(session_hello_request(&l->session, SLICE("0.1.0"), &l->w->catalogue.version, &l->w->env,
                              &l->w->mem, &request, err));
    service_handle(l->w->service, &request, &l->w->mem, &reply);
    return session_hello_reply(&l->session, &reply, &l->w->env, &l->w->mem, &answer, err);
}

void laptop_ready(struct laptop *l, struct world *w) {
    struct err err;
    laptop_new(l, w);
    laptop_link(w, &l->link);
    CHECK_OK(laptop_enroll(l, &err));
    CHECK_OK(laptop_hello(l, &err));
}

/* One batch that creates an account. */
struct batch laptop_batch(struct laptop *l, uint32_t number, const char *name) {
    struct world *w = l->w;
    const struct entity *e = catalogue_entity(&w->catalogue, SLICE("account"));
    const struct field *f = entity_field(e, SLICE("name"));
    struct value *value = ARENA_NEW(&w->mem, struct value);
    struct edit *edit = ARENA_NEW(&w->mem, struct edit);
    struct change *change = ARENA_NEW(&w->mem, struct change);
    *value = value_text(slice_from(name));
    *edit = (struct edit){
        .cell_tag = entity_cell_of(e, f)->tag, .kind = EDIT_SET, .values = value, .value_count = 1};
    *change = (struct change){.kind = CHANGE_CREATE,
                              .entity_tag = e->tag,
                              .edits = edit,
                              .edit_count = 1,
                              .row = id_make(l->identity.device, ++l->counter)};
    return (struct batch){.number = number,
                          .changes = change,
                          .change_count = 1,
                          .stamp = {.wall_ms = w->env.wall_ms(w->env.ctx),
                                    .boot_number = 1,
                                    .boot_ms = w->env.boot_ms(w->env.ctx)}};
}

struct round_request laptop_round(struct laptop *l, struct batch *batches, size_t count) {
    struct round_request r = {.epoch = l->epoch,
                              .cursor = l->cursor,
                              .top = l->top,
                              .since = l->since,
                              .news_version = l->news_version,
                              .last_batch = l->last_batch,
                              .last_chain = l->chain,
                              .scope = l->scope,
                              .page_bytes = WIRE_PAGE_BYTES,
                              .batches = batches,
                              .batch_count = count};
    r.envelope.now = (struct stamp){.wall_ms = l->w->env.wall_ms(l->w->env.ctx),
                                    .boot_number = 1,
                                    .boot_ms = l->w->env.boot_ms(l->w->env.ctx)};
    struct chain chain = l->chain;
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_BATCH);
        batch_write(&batches[i], &bytes);
        chain = chain_next(&chain, buf_slice(&bytes));
    }
    if (count) sign_make(&l->identity.key, slice_of(chain.bytes, sizeof chain.bytes), r.signature);
    return r;
}

struct slice laptop_encoded(struct laptop *l, const struct round_request *r) {
    struct err err;
    SCOPED(buf_free) struct buf bytes = buf_new(WIRE_REQUEST_BYTES_MAX);
    CHECK_OK(wire_write_round_request(r, 6, &bytes, &err));
    return arena_copy(&l->w->mem, buf_slice(&bytes));
}

enum status laptop_read(struct laptop *l, const struct session_http *reply, struct round_reply *out,
                        struct err *err) {
    struct slice message;
    TRY(session_round_reply(&l->session, reply, &l->w->mem, &message, err));
    return wire_read_round_reply(message, l->identity.device, &l->w->mem, out, err);
}

enum status laptop_send(struct laptop *l, const struct round_request *r, struct round_reply *out,
                        struct err *err) {
    struct session_http reply;
    TRY(session_round_request(&l->session, "round", laptop_encoded(l, r), &l->w->mem,
                              &l->w->request, err));
    service_handle(l->w->service, &l->w->request, &l->w->mem, &reply);
    return laptop_read(l, &reply, out, err);
}

/* What a store would keep. */
static void laptop_took(struct laptop *l, const struct round_request *r,
                        const struct round_reply *reply) {
    for (size_t i = 0; i < r->batch_count; i++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_BATCH);
        batch_write(&r->batches[i], &bytes);
        l->chain = chain_next(&l->chain, buf_slice(&bytes));
        l->last_batch = r->batches[i].number;
    }
    l->cursor = reply->cursor;
    l->top = reply->head;
    l->since = reply->since;
    if (reply->has_scope) l->scope = reply->scope;
    if (reply->has_news) l->news_version = reply->news_version;
}

void laptop_push(struct laptop *l, const char *name, struct round_reply *reply) {
    struct err err;
    struct batch batch = laptop_batch(l, l->last_batch + 1, name);
    struct round_request r = laptop_round(l, &batch, 1);
    CHECK_OK(laptop_send(l, &r, reply, &err));
    laptop_took(l, &r, reply);
}

void laptop_pull(struct laptop *l, struct round_reply *reply) {
    struct err err;
    struct round_request r = laptop_round(l, NULL, 0);
    CHECK_OK(laptop_send(l, &r, reply, &err));
    laptop_took(l, &r, reply);
}

bool world_metric_is(struct world *w, const char *line) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    service_metrics(w->service, &text);
    return strstr(buf_text(&text), line) != NULL;
}
