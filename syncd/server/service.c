/* The life of the service: its orgs, their handles, its figures.
 *
 * An org is opened when the first request names it and stays open; an org that head office adds
 * while the server runs is found the same way. Read handles are opened per reader at first use, so
 * that a server of many quiet orgs holds few files open.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/content.h"
#include "syncd/server/service_private.h"
#include "syncd/store/centre_scope.h"

/* ------------------------------------------------------------------ opening and closing */

enum status service_open(const struct service_config *config, struct service **out,
                         struct err *err) {
    struct service *service = calloc(1, sizeof *service);
    if (!service) return err_no_memory(err);
    service->config = *config;
    service->dir = strdup(config->dir);
    service->orgs_lock = platform_mutex_new();
    service->nonces_lock = platform_mutex_new();
    enum status status = ST_OK;
    if (!service->dir || !service->orgs_lock || !service->nonces_lock) status = err_no_memory(err);
    if (status == ST_OK) status = session_nonces_open(config->env, &service->nonces, err);
    if (status != ST_OK) {
        service_close(service);
        return status;
    }
    *out = service;
    return ST_OK;
}

static void org_free(struct service_org *org, size_t readers) {
    if (!org) return;
    for (size_t i = 0; i < readers; i++) org_reader_close(org->readers[i]);
    service_compact_stop(org);
    org_close(org->write);
    service_devices_close(&org->devices);
    platform_mutex_free(org->write_lock);
    platform_mutex_free(org->key_lock);
    platform_mutex_free(org->routes_lock);
    routes_close(org->routes);
    platform_mutex_free(org->content_lock);
    bytes_wipe(&org->key, sizeof org->key);
    free(org->path);
    free(org);
}

void service_close(struct service *service) {
    if (!service) return;
    if (service->orgs_lock) service_flush(service);
    for (int i = 0; i < service->org_count; i++)
        org_free(service->orgs[i], service->config.readers);
    session_nonces_close(service->nonces);
    platform_mutex_free(service->nonces_lock);
    platform_mutex_free(service->orgs_lock);
    free(service->dir);
    free(service);
}

/* ------------------------------------------------------------------ orgs */

static struct org_config org_config_of(const struct service *service, const char *path) {
    return (struct org_config){
        .path = path, .catalogue = service->config.catalogue, .env = service->config.env};
}

static void log_went_back(const struct service *service, const char *name) {
    const struct env *env = service->config.env;
    char line[256];
    (void)snprintf(line, sizeof line,
                   "event=set-back org=%s advice=\"the book's file was set back: laptops give back "
                   "what it forgot; see roadbook-server recovery status\"",
                   name);
    if (env->log) env->log(env->ctx, LOG_WARNING, line);
}

static enum status org_fill(struct service *service, struct service_org *org, const char *name,
                            struct err *err) {
    struct centre_org facts;
    (void)snprintf(org->name, sizeof org->name, "%s", name);
    size_t path_bytes = strlen(service->dir) + strlen(name) + sizeof "/org/.db";
    org->path = malloc(path_bytes);
    org->write_lock = platform_mutex_new();
    org->content_lock = platform_mutex_new();
    org->key_lock = platform_mutex_new();
    org->routes_lock = platform_mutex_new();
    if (!org->path || !org->write_lock || !org->content_lock || !org->routes_lock || !org->key_lock)
        return err_no_memory(err);
    TRY(routes_open(&org->routes, err));
    (void)snprintf(org->path, path_bytes, "%s/org/%s.db", service->dir, name);
    TRY(content_folder(org->path, &org->blobs, err));
    TRY(service_devices_open(&org->devices, err));
    struct org_config config = org_config_of(service, org->path);
    TRY(org_open(&config, &org->write, err));
    if (org_went_back(org->write)) log_went_back(service, name);
    org->key_changes = -1; /* no book says so: it is read when it is used */
    TRY(centre_org(org_centre(org->write), &facts, err));
    (void)snprintf(org->label, sizeof org->label, "%s", facts.label);
    bytes_wipe(&facts, sizeof facts);
    org->flushed_ms = service->config.env->boot_ms(service->config.env->ctx);
    return ST_OK;
}

static enum status org_start(struct service *service, const char *name, struct service_org **out,
                             struct err *err) {
    size_t readers = service->config.readers;
    struct service_org *org = calloc(1, sizeof *org + readers * sizeof org->readers[0]);
    if (!org) return err_no_memory(err);
    enum status status = org_fill(service, org, name, err);
    if (status != ST_OK) {
        org_free(org, readers);
        return status;
    }
    *out = org;
    return ST_OK;
}

static int org_index_of(struct service *service, const char *name) {
    int count = service->org_count;
    for (int i = 0; i < count; i++) {
        if (strcmp(service->orgs[i]->name, name) == 0) return i;
    }
    return -1;
}

static enum status org_open_locked(struct service *service, const char *name, int *out_index,
                                   struct err *err) {
    struct service_org *org;
    int index = org_index_of(service, name);
    if (index < 0) {
        index = service->org_count;
        if (index == SERVICE_ORGS_MAX)
            return err_set(err, ST_BUSY, "this server has as many orgs open as it can",
                           "本服务器打开的机构已达上限");
        TRY(org_start(service, name, &org, err));
        service->orgs[index] = org;
        service->org_count = index + 1;
    }
    *out_index = index;
    return ST_OK;
}

enum status service_org_find(struct service *service, const char *name,
                             struct service_org **out_org, int *out_index, struct err *err) {
    int index = org_index_of(service, name);
    if (index < 0) {
        platform_lock(service->orgs_lock);
        enum status status = org_open_locked(service, name, &index, err);
        platform_release(service->orgs_lock);
        if (status == ST_NOT_FOUND)
            return err_set(err, ST_NOT_FOUND, "this server has no org \"%s\": check the link",
                           "本服务器没有机构“%s”：请检查链接", name);
        TRY(status);
    }
    *out_org = service->orgs[index];
    *out_index = index;
    return ST_OK;
}

enum status service_org_reader(struct service *service, struct service_org *org, size_t reader,
                               struct org_reader **out, struct err *err) {
    if (!org->readers[reader]) {
        struct org_config config = org_config_of(service, org->path);
        TRY(org_reader_open(&config, &org->readers[reader], err));
    }
    *out = org->readers[reader];
    return ST_OK;
}

/* Two looks at the head with the same number: what was read between them is of that number. */
static enum status read_key(struct org_reader *handle, struct sign_key *out, int64_t *out_changes,
                            struct err *err) {
    struct centre_head before, after;
    struct centre_org it;
    TRY(org_head(handle, &after, err));
    do {
        before = after;
        TRY(centre_org(org_reader_centre(handle), &it, err));
        TRY(org_head(handle, &after, err));
    } while (before.key_changes != after.key_changes);
    *out = sign_key_from_seed(it.key_seed);
    *out_changes = after.key_changes;
    bytes_wipe(&it, sizeof it);
    return ST_OK;
}

bool service_org_key_kept(struct service_org *org, int64_t changes, struct sign_key *out) {
    platform_lock(org->key_lock);
    bool known = org->key_changes == changes;
    if (known) *out = org->key;
    platform_release(org->key_lock);
    return known;
}

enum status service_org_key(struct service_org *org, struct org_reader *handle,
                            struct sign_key *out, int64_t *out_changes, struct err *err) {
    struct centre_head head;
    struct sign_key key;
    int64_t changes;
    TRY(org_head(handle, &head, err));
    *out_changes = head.key_changes;
    if (service_org_key_kept(org, head.key_changes, out)) return ST_OK;
    TRY(read_key(handle, &key, &changes, err));
    platform_lock(org->key_lock);
    if (changes > org->key_changes) {
        org->key = key;
        org->key_changes = changes;
    }
    platform_release(org->key_lock);
    *out = key;
    *out_changes = changes;
    bytes_wipe(&key, sizeof key);
    return ST_OK;
}

bool service_head(struct service *service, size_t reader, int org_index, int64_t *out_seq) {
    struct org_reader *handle;
    struct centre_head head;
    struct service_org *org = service->orgs[org_index];
    if (service_org_reader(service, org, reader, &handle, NULL) != ST_OK) return false;
    if (org_head(handle, &head, NULL) != ST_OK) return false;
    *out_seq = head.position.seq;
    return true;
}

bool service_concerns(struct service_org *org, struct org_reader *handle,
                      const struct centre_device *device, int64_t seq) {
    struct centre_scope scope;
    struct centre_head head;
    bool there = false;
    struct centre *c = org_reader_centre(handle);
    if (centre_head(c, &head, NULL) != ST_OK) return true;
    centre_scope(c, &scope);
    if (!scope.granted || device->role == USER_OFFICE) return head.position.seq > seq;
    platform_lock(org->routes_lock);
    bool known = routes_follow(org->routes, c, &there, NULL) == ST_OK && there;
    bool concerns = !known || routes_concern(org->routes, device, seq);
    platform_release(org->routes_lock);
    return concerns;
}

int service_org_count(const struct service *service) {
    return service->org_count;
}

void service_route(struct service *service, size_t reader, int org_index) {
    struct org_reader *handle;
    struct centre_scope scope;
    struct service_org *org = service->orgs[org_index];
    bool there = false;
    if (service_org_reader(service, org, reader, &handle, NULL) != ST_OK) return;
    centre_scope(org_reader_centre(handle), &scope);
    if (!scope.granted) return;
    platform_lock(org->routes_lock);
    while (!there)
        if (routes_follow(org->routes, org_reader_centre(handle), &there, NULL) != ST_OK) break;
    platform_release(org->routes_lock);
}

enum status service_health(struct service *service, size_t reader, struct err *err) {
    struct org_reader *handle;
    struct centre_head head;
    if (!platform_exists(service->dir))
        return err_set(err, ST_DISK, "the data folder is not there", "数据目录不存在");
    int count = service->org_count;
    for (int i = 0; i < count; i++) {
        TRY(service_org_reader(service, service->orgs[i], reader, &handle, err));
        TRY(org_head(handle, &head, err));
    }
    return ST_OK;
}

void service_flush(struct service *service) {
    int count = service->org_count;
    for (int i = 0; i < count; i++) {
        struct service_org *org = service->orgs[i];
        platform_lock(org->write_lock);
        service_devices_flush(&org->devices, org_centre(org->write));
        org->flushed_ms = service->config.env->boot_ms(service->config.env->ctx);
        platform_release(org->write_lock);
        service_content_care(service, org);
    }
}

/* ------------------------------------------------------------------ all steps in a row */

void service_handle(struct service *service, const struct session_http *request, struct arena *mem,
                    struct session_http *out_reply) {
    struct service_job *job;
    service_open_job(service, 0, request, mem, &job, out_reply);
    if (!job) return;
    if (service_job_writes(job)) service_merge(service, &job, 1);
    service_answer(service, 0, job, mem, out_reply);
    service_close_job(job);
}

/* ------------------------------------------------------------------ figures */

void service_count(struct service *service, enum service_figure figure, int64_t by) {
    (void)atomic_fetch_add_explicit(&service->figures[figure], by, memory_order_relaxed);
}

void service_count_error(struct service *service, enum status status) {
    if ((size_t)status < SERVICE_STATUS_COUNT)
        (void)atomic_fetch_add_explicit(&service->errors[status], 1, memory_order_relaxed);
}

static void metrics_heads(struct service *service, struct buf *out) {
    int count = service->org_count;
    buf_put_text(out, "# HELP roadbook_org_head the newest seq of each org that is open\n"
                      "# TYPE roadbook_org_head gauge\n");
    for (int i = 0; i < count; i++) {
        struct service_org *org = service->orgs[i];
        struct centre_head head;
        platform_lock(org->write_lock);
        if (centre_head(org_centre(org->write), &head, NULL) == ST_OK)
            buf_printf(out, "roadbook_org_head{org=\"%s\"} %lld\n", org->name,
                       (long long)head.position.seq);
        platform_release(org->write_lock);
    }
}

struct fleet {
    int64_t now_ms, active, revoked, wiped, late, unsent, oldest_ms;
};

static enum status count_device(void *ctx, const struct centre_device *d, struct err *err) {
    struct fleet *f = ctx;
    int64_t age = f->now_ms - (d->seen_ms ? d->seen_ms : d->enrolled_ms);
    (void)err;
    if (d->revoked) {
        f->revoked++;
        f->wiped += d->wiped_ms != 0;
        return ST_OK;
    }
    if (!d->user_active) return ST_OK;
    f->active++;
    f->late += age >= SERVICE_LATE_MS;
    if (age > f->oldest_ms) f->oldest_ms = age;
    if (d->report.newest_batch > d->last_batch) f->unsent += d->report.newest_batch - d->last_batch;
    return ST_OK;
}

/* All of one gauge before the next: the text format asks for it. */
static void metrics_fleet(struct service *service, struct buf *out) {
    static const struct {
        const char *name, *help;
        size_t at;
        int64_t unit;
    } ROWS[] = {
        {"roadbook_devices", "laptops that may sync", offsetof(struct fleet, active), 1},
        {"roadbook_devices_revoked", "laptops revoked", offsetof(struct fleet, revoked), 1},
        {"roadbook_devices_wiped", "laptops that deleted their book by order",
         offsetof(struct fleet, wiped), 1},
        {"roadbook_devices_late", "laptops not heard of for three days",
         offsetof(struct fleet, late), 1},
        {"roadbook_devices_unsent_batches", "batches that laptops last said to have unsent",
         offsetof(struct fleet, unsent), 1},
        {"roadbook_devices_oldest_contact_seconds", "age of the oldest last contact",
         offsetof(struct fleet, oldest_ms), 1000},
    };
    int count = service->org_count;
    struct fleet *fleets = calloc((size_t)count + 1, sizeof *fleets);
    if (!fleets) return;
    for (int i = 0; i < count; i++) {
        struct service_org *org = service->orgs[i];
        fleets[i].now_ms = service->config.env->wall_ms(service->config.env->ctx);
        platform_lock(org->write_lock);
        (void)centre_devices(org_centre(org->write), count_device, &fleets[i], NULL);
        platform_release(org->write_lock);
    }
    for (size_t k = 0; k < ARRAY_COUNT(ROWS); k++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", ROWS[k].name, ROWS[k].help,
                   ROWS[k].name);
        for (int i = 0; i < count; i++) {
            int64_t value;
            memcpy(&value, (const char *)&fleets[i] + ROWS[k].at, sizeof value);
            buf_printf(out, "%s{org=\"%s\"} %lld\n", ROWS[k].name, service->orgs[i]->name,
                       (long long)(value / ROWS[k].unit));
        }
    }
    free(fleets);
}

void service_metrics(struct service *service, struct buf *out) {
    static const struct {
        const char *name, *help;
    } ROWS[] = {
#define SERVICE_FIGURE_ROW(id, name, help) {name, help},
        SERVICE_FIGURES(SERVICE_FIGURE_ROW)
#undef SERVICE_FIGURE_ROW
    };
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %lld\n", ROWS[i].name, ROWS[i].help,
                   ROWS[i].name, ROWS[i].name, (long long)service->figures[i]);
    buf_put_text(out, "# HELP roadbook_changes_total changes taken, by outcome\n"
                      "# TYPE roadbook_changes_total counter\n");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        buf_printf(out, "roadbook_changes_total{outcome=\"%s\"} %lld\n",
                   outcome_name((enum outcome)i), (long long)service->outcomes[i]);
    buf_put_text(out, "# HELP roadbook_errors_total refusals, by what they say\n"
                      "# TYPE roadbook_errors_total counter\n");
    for (int i = 1; i < SERVICE_STATUS_COUNT; i++)
        buf_printf(out, "roadbook_errors_total{code=\"%s\"} %lld\n", status_name((enum status)i),
                   (long long)service->errors[i]);
    metrics_heads(service, out);
    metrics_fleet(service, out);
}
