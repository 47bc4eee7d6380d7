/* A laptop for tests of the server's program: the real store and the real agent, without the
 * command line.
 *
 *   laptop HOME enroll LINK      laptop HOME add NAME         laptop HOME sync
 *   laptop HOME names            laptop HOME days N           N times: a save and a sync; then how
 * many worked
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/agent.h"
#include "syncd/platform/platform.h"

struct laptop {
    struct env env;
    struct arena mem;
    struct catalogue catalogue;
    struct store *store;
    struct transport *transport;
    struct transport_door door;
    struct agent *agent;
};

static enum status book_open(struct laptop *l, const char *home, struct err *err) {
    char *path = arena_printf(&l->mem, "%s/" AGENT_STORE_FILE, home);
    TRY(platform_make_dir(home, err));
    struct store_config config = {.path = path,
                                  .kind = STORE_LAPTOP,
                                  .create = true,
                                  .catalogue = &l->catalogue,
                                  .env = &l->env};
    return store_open(&config, &l->store, err);
}

static enum status agent_start(struct laptop *l, const char *base_url, const uint8_t *pin,
                               struct err *err) {
    struct transport_config config = {.base_url = base_url, .tls_pin = pin};
    TRY(transport_open(&config, &l->transport, err));
    l->door = transport_door(l->transport);
    struct agent_config agent = {
        .store = l->store, .catalogue = &l->catalogue, .env = &l->env, .transport = &l->door};
    return agent_open(&agent, &l->agent, err);
}

static enum status enroll(struct laptop *l, const char *text, struct err *err) {
    struct session_link link;
    TRY(session_link_read(slice_from(text), &link, err));
    TRY(agent_start(l, link.base_url, link.has_tls_pin ? link.tls_pin : NULL, err));
    return agent_enroll(l->agent, &link, SLICE("test"), err);
}

static enum status sync_start(struct laptop *l, struct store_identity *identity, struct err *err) {
    TRY(store_identity(l->store, identity, err));
    return agent_start(l, identity->base_url, identity->has_tls_pin ? identity->tls_pin : NULL,
                       err);
}

static enum status add(struct laptop *l, const char *name, struct err *err) {
    const struct entity *e = catalogue_entity(&l->catalogue, SLICE("account"));
    struct field_edit edit = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                              value_text(slice_from(name))};
    uint32_t batch;
    int64_t id;
    TRY(store_begin(l->store, err));
    enum status status = store_create(l->store, e, &edit, 1, &id, err);
    if (status == ST_OK) return store_commit(l->store, &batch, err);
    store_rollback(l->store);
    return status;
}

static enum status sync_now(struct laptop *l, struct err *err) {
    struct agent_result result;
    return agent_sync(l->agent, NULL, NULL, &result, err);
}

static enum status print_name(void *ctx, const struct row *row, struct err *err) {
    const struct field *f = entity_field(row->entity, SLICE("name"));
    struct slice name = row->values[entity_field_index(row->entity, f)].text;
    (void)ctx;
    (void)err;
    printf("%.*s\n", (int)name.len, (const char *)name.data);
    return ST_OK;
}

static enum status names(struct laptop *l, struct err *err) {
    const struct entity *e = catalogue_entity(&l->catalogue, SLICE("account"));
    struct query query = {.entity = e, .sort = entity_field(e, SLICE("name"))};
    return store_list(l->store, &query, print_name, NULL, err);
}

static enum status days(struct laptop *l, int64_t count, const char *home, struct err *err) {
    int64_t worked = 0;
    for (int64_t i = 0; i < count; i++) {
        char *name = arena_printf(&l->mem, "%s %lld", home, (long long)i);
        TRY(add(l, name, err));
        if (sync_now(l, err) == ST_OK) worked++;
    }
    printf("%lld\n", (long long)worked);
    return sync_now(l, err);
}

static enum status run(struct laptop *l, int argc, char **argv, struct err *err) {
    struct store_identity identity;
    int64_t count = 0;
    const char *what = argv[2], *word = argc > 3 ? argv[3] : "";
    TRY(crypto_start(err));
    TRY(transport_start(err));
    TRY(catalogue_release(&l->mem, &l->catalogue, err));
    TRY(book_open(l, argv[1], err));
    if (strcmp(what, "enroll") == 0) return enroll(l, word, err);
    if (strcmp(what, "add") == 0) return add(l, word, err);
    if (strcmp(what, "names") == 0) return names(l, err);
    TRY(sync_start(l, &identity, err));
    if (strcmp(what, "sync") == 0) return sync_now(l, err);
    if (strcmp(what, "days") == 0 && text_to_int(slice_from(word), &count))
        return days(l, count, argv[1], err);
    return err_set(err, ST_USAGE, "what?", "什么？");
}

int main(int argc, char **argv) {
    struct laptop l = {.mem = arena_new(ARENA_CAP_DEFAULT)};
    struct err err = {.status = ST_OK};
    if (argc < 3) return status_exit(ST_USAGE);
    platform_env(&l.env);
    enum status status = run(&l, argc, argv, &err);
    if (status != ST_OK) fprintf(stderr, "%s: %s\n", status_name(status), err.text[LANG_EN]);
    agent_close(l.agent);
    transport_close(l.transport);
    store_close(l.store);
    transport_end();
    arena_clear(&l.mem);
    return status_exit(status);
}
