/* An org at a server: made and filled in this process, then served by the real program. */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "syncd/http/http.h"

enum { OFFICE_ROWS = 1000, FILL_ROWS = 1000, START_MS = 20000 };

/* ------------------------------------------------------------------ processes */

int child_start(const char *const *argv) {
    int pid = fork();
    if (pid < 0) bench_fail("fork", NULL);
    if (pid > 0) return pid;
    int nowhere = open("/dev/null", O_RDWR);
    sigset_t none;                                         /* a thread of ours has all signals blocked, and it would stay so */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(nowhere, 0);
    (void)dup2(nowhere, 1);
    (void)dup2(nowhere, 2);
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void run(const char *const *argv) {
    int status;
    int pid = child_start(argv);
    if (waitpid(pid, &status, 0) != pid || status != 0) bench_fail(argv[1], NULL);
}

void child_stop(int pid) {
    if (pid <= 0) return;
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
}

double hall_cpu_us(int pid) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) bench_fail("no clock of a child", NULL);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int64_t hall_rss_bytes(int pid, const char *what) {
    char path[64], line[256];
    long long kb = -1;
    size_t n = strlen(what);
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *from = fopen(path, "r");
    while (from && fgets(line, sizeof line, from))
        if (!strncmp(line, what, n) && line[n] == ':') kb = strtoll(line + n + 1, NULL, 10);
    if (from) (void)fclose(from);
    return kb < 0 ? 0 : kb * 1024;
}

static uint16_t free_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, n) != 0 || getsockname(fd, (struct sockaddr *)&at, &n) != 0) bench_fail("no port", NULL);
    (void)close(fd);
    return ntohs(at.sin_port);
}

static void await_port(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    for (int ms = 0; ms < START_MS; ms += 5) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int code = connect(fd, (struct sockaddr *)&at, sizeof at);
        (void)close(fd);
        if (code == 0) return;
        platform_sleep_ms(5);
    }
    bench_fail("the server does not listen", NULL);
}

/* ------------------------------------------------------------------ the empty handler */

static struct slice empty_body;
static void empty_handle(void *ctx, struct http_request *request) {
    (void)ctx;
    http_reply(request, 200, NULL, 0, empty_body);
}

static int64_t number_of(const char *text) {
    int64_t number = 0;
    if (!text_to_int(slice_from(text), &number)) bench_fail(text, NULL);
    return number;
}

void empty_main(int argc, char **argv) {
    struct err err;
    struct http_server *server;
    static uint8_t body[65536];
    if (argc < 6) bench_fail("--empty-handler PORT CERT KEY BYTES", NULL);
    size_t bytes = (size_t)number_of(argv[5]);
    empty_body = slice_of(body, bytes < sizeof body ? bytes : sizeof body);
    struct http_config config = {.host = "127.0.0.1", .port = (uint16_t)number_of(argv[2]), .cert_path = argv[3], .key_path = argv[4],
                                 .loops = 1, .workers = 4, .handler = empty_handle};
    MUST(http_open(&config, &server, &err));
    MUST(http_start(server, &err));
    for (;;) platform_sleep_ms(1000);
}

int empty_start(struct bench *b, const struct hall *h, size_t reply_bytes, uint16_t *out_port) {
    uint16_t port = free_port();
    const char *argv[] = {arena_printf(&b->mem, "%s/roadbook-bench", b->bin), "--empty-handler",
                          arena_printf(&b->mem, "%u", port), arena_printf(&b->mem, "%s/tls/cert.pem", h->dir),
                          arena_printf(&b->mem, "%s/tls/key.pem", h->dir), arena_printf(&b->mem, "%zu", reply_bytes), NULL};
    int pid = child_start(argv);
    await_port(port);
    *out_port = port;
    return pid;
}

/* ------------------------------------------------------------------ the org */

static struct org_config config_of(struct hall *h) {
    return (struct org_config){.path = h->path, .catalogue = &h->b->cat, .env = &h->b->env};
}

static void make_home(struct hall *h) {
    struct bench *b = h->b;
    struct err err;
    char pin[HTTP_PIN_BYTES];
    const char *program = arena_printf(&b->mem, "%s/roadbook-server", b->bin);
    const char *url = arena_printf(&b->mem, "https://127.0.0.1:%u", h->port);
    const char *listen_at = arena_printf(&b->mem, "127.0.0.1:%u", h->port);
    const char *init[] = {program, "init", h->dir, "--public-url", url, "--listen", listen_at, NULL};
    const char *add[] = {program, "org", "add", "acme", "--label", "Acme", "--scope", "open", "--home", h->dir, NULL};
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    run(init);
    run(add);
    MUST(http_certificate_pin(arena_printf(&b->mem, "%s/tls/cert.pem", h->dir), pin, &err));
    if (!base64_decode(slice_from(pin + 8), false, &bytes) || bytes.len != HASH_BYTES) bench_fail("no pin", NULL);
    memcpy(h->tls_pin, bytes.data, HASH_BYTES);
}

static struct edit text_edit(struct bench *b, const struct entity *e, const char *field, const char *text, struct arena *mem) {
    struct value *v = ARENA_NEW(mem, struct value);
    (void)b;
    *v = value_text(slice_from(text));
    return (struct edit){.cell_tag = entity_field(e, slice_from(field))->tag, .values = v, .value_count = 1};
}

static void office_save(struct hall *h, struct change *changes, size_t count, struct arena *mem) {
    struct err err;
    struct receipt receipt;
    for (size_t i = 0; i < count; i++) MUST(org_office_id(h->org, &changes[i].row, &err));
    MUST(org_office_save(h->org, changes, count, 0, 0, SLICE("bench"), mem, &receipt, &err));
    for (size_t i = 0; i < count; i++)
        if (receipt.lines[i].outcome != OUTCOME_APPLIED) bench_fail("head office's rows were not taken", NULL);
}

static void make_office_rows(struct hall *h) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct bench *b = h->b;
    size_t sites = work_sites(b);
    struct edit login[2] = {text_edit(b, b->employee, "login", "wang", &mem), text_edit(b, b->employee, "name", "Wang", &mem)};
    struct change wang = {.kind = CHANGE_CREATE, .entity_tag = b->employee->tag, .edits = login, .edit_count = 2};
    struct change *changes = ARENA_ARRAY(&mem, OFFICE_ROWS, struct change);
    office_save(h, &wang, 1, &mem);
    h->author = wang.row;
    h->accounts = ARENA_ARRAY(&b->mem, sites, int64_t);
    for (size_t i = 0; i < sites; i += OFFICE_ROWS) {
        size_t n = sites - i < OFFICE_ROWS ? sites - i : OFFICE_ROWS;
        for (size_t k = 0; k < n; k++) {
            struct edit *name = ARENA_NEW(&mem, struct edit);
            *name = text_edit(b, b->account, "name", arena_printf(&mem, "Site %zu", i + k), &mem);
            changes[k] = (struct change){.kind = CHANGE_CREATE, .entity_tag = b->account->tag, .edits = name, .edit_count = 1};
        }
        office_save(h, changes, n, &mem);
        for (size_t k = 0; k < n; k++) h->accounts[i + k] = changes[k].row;
    }
}

static void code_next(struct hall *h, uint8_t code[16]) {
    h->b->env.random(h->b->env.ctx, code, 16);
}

static int64_t now_ms(const struct hall *h) {
    return h->b->env.wall_ms(h->b->env.ctx);
}

static void make_laptop(struct hall *h, int64_t user, struct hall_laptop *l) {
    struct err err;
    struct centre *c = org_centre(h->org);
    struct centre_device device;
    struct enroll_request request = {.device_name = SLICE("laptop"), .release = SLICE("0.1.0")};
    uint8_t seed[SIGN_SEED_BYTES], code[16];
    code_next(h, code);
    h->b->env.random(h->b->env.ctx, seed, sizeof seed);
    h->b->env.random(h->b->env.ctx, l->mac, sizeof l->mac);
    l->key = sign_key_from_seed(seed);
    request.code = slice_of(code, 16);
    sign_public(&l->key, request.device_public);
    MUST(centre_link_make(c, user, code, now_ms(h) + 86400000, &err));
    MUST(centre_link_take(c, &request, &device, &err));
    MUST(centre_device_key(c, device.number, l->mac, now_ms(h) + 86400000, SLICE("0.1.0"), &h->b->cat.version, 0, &err));
    l->device = device.number;
}

static int64_t user_make(struct hall *h) {
    struct err err;
    struct centre_user user = {.employee = h->author, .role = USER_REP, .active = true, .login = "wang", .name = "Wang"};
    int64_t id;
    MUST(centre_user_add(org_centre(h->org), &user, &id, &err));
    return id;
}

void hall_open(struct bench *b, struct hall *h, size_t laptops) {
    struct err err;
    *h = (struct hall){.b = b, .port = free_port(), .laptop_count = laptops};
    (void)snprintf(h->dir, sizeof h->dir, "%s", bench_dir(b));
    (void)snprintf(h->path, sizeof h->path, "%s/org/acme.db", h->dir);
    make_home(h);
    struct org_config config = config_of(h);
    MUST(org_open(&config, &h->org, &err));
    make_office_rows(h);
    int64_t user = user_make(h);
    h->laptops = ARENA_ARRAY(&b->mem, laptops, struct hall_laptop);
    for (size_t i = 0; i < laptops; i++) make_laptop(h, user, &h->laptops[i]);
    MUST(org_reader_open(&config, &h->reader, &err));
    struct centre_head head;
    MUST(org_head(h->reader, &head, &err));
    for (size_t i = 0; i < laptops; i++) {
        h->laptops[i].cursor = h->laptops[i].top = head.position;
        h->laptops[i].scope = (struct scope_position){head.position.seq, head.position.seq, head.position.seq, {0}};
        h->laptops[i].since = head.position.seq;
        h->laptops[i].news = head.news_version;            /* it has been here before */
    }
}

static void close_handles(struct hall *h) {
    org_reader_close(h->reader);
    org_close(h->org);
    h->reader = NULL;
    h->org = NULL;
}

void hall_serve(struct hall *h) {
    static const char *const UNLIMITED[] = {"--address-connections", "0", "--address-connects", "0", "--address-requests", "0",
                                            "--device-requests", "0", NULL};
    const char *argv[32] = {arena_printf(&h->b->mem, "%s/roadbook-server", h->b->bin), "serve", "--home", h->dir};
    const char *const *options = h->serve_options ? h->serve_options : UNLIMITED;
    for (size_t i = 0; options[i] && i < 27; i++) argv[4 + i] = options[i];
    close_handles(h);
    h->pid = child_start(argv);
    await_port(h->port);
}

void hall_close(struct hall *h) {
    struct err ignored;
    child_stop(h->pid);
    close_handles(h);
    (void)platform_remove_tree(h->dir, &ignored);
}

void hall_link(struct hall *h, char *out, size_t size) {
    struct err err;
    struct sign_key key;
    struct centre_user user;
    struct session_link link = {.org = "acme", .has_tls_pin = true};
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    (void)snprintf(link.base_url, sizeof link.base_url, "https://127.0.0.1:%u", h->port);
    code_next(h, link.code);
    memcpy(link.tls_pin, h->tls_pin, HASH_BYTES);
    MUST(org_key(h->org, &key, &err));
    sign_public(&key, link.org_public);
    MUST(centre_user_by_login(org_centre(h->org), SLICE("wang"), &user, &err));
    MUST(centre_link_make(org_centre(h->org), user.id, link.code, now_ms(h) + 86400000, &err));
    MUST(session_link_write(&link, &text, &err));
    (void)snprintf(out, size, "%s", buf_text(&text));
}

/* ------------------------------------------------------------------ batches */

static size_t edits_of(const struct entity *e, const struct value *values, struct edit *edits) {
    size_t count = 0;
    for (size_t i = 0; i < e->cell_count; i++) {
        const struct cell *c = &e->cells[i];
        bool any = false;
        for (size_t k = 0; k < c->count; k++) any |= values[c->first + k].kind != VALUE_NULL;
        if (!any || c->rule == RULE_DERIVED) continue;
        edits[count++] = (struct edit){.cell_tag = c->tag, .values = (struct value *)(uintptr_t)&values[c->first], .value_count = c->count};
    }
    return count;
}

static void change_create(struct hall *h, struct hall_laptop *l, const struct visit *v, struct arena *mem, struct change *out) {
    *out = (struct change){.kind = CHANGE_CREATE, .entity_tag = h->b->visit->tag, .row = id_make(l->device, ++l->counter),
                           .edits = ARENA_ARRAY(mem, h->b->visit->cell_count, struct edit)};
    out->edit_count = edits_of(h->b->visit, v->values, out->edits);
}

static struct batch batch_of(struct hall *h, struct hall_laptop *l, struct change *changes, size_t count) {
    return (struct batch){.number = ++l->last_batch, .cursor = l->cursor.seq, .changes = changes, .change_count = count,
                          .stamp = {.wall_ms = now_ms(h), .boot_number = 1, .boot_ms = h->b->env.boot_ms(h->b->env.ctx)}};
}

void hall_create(struct hall *h, struct hall_laptop *l, const struct visit *v, struct arena *mem, struct batch *out) {
    struct change *change = ARENA_NEW(mem, struct change);
    change_create(h, l, v, mem, change);
    *out = batch_of(h, l, change, 1);
}

void hall_edit(struct hall *h, struct hall_laptop *l, int64_t row, int64_t base, const struct field_edit two[2],
               struct arena *mem, struct batch *out) {
    struct change *change = ARENA_NEW(mem, struct change);
    *change = (struct change){.kind = CHANGE_EDIT, .entity_tag = h->b->visit->tag, .row = row,
                              .edits = ARENA_ARRAY(mem, 2, struct edit), .edit_count = 2};
    for (size_t i = 0; i < 2; i++) {
        struct value *v = ARENA_NEW(mem, struct value);
        *v = two[i].value;
        change->edits[i] = (struct edit){.cell_tag = two[i].field->tag, .base = {base, 0}, .today = {base, 0}, .values = v, .value_count = 1};
    }
    *out = batch_of(h, l, change, 1);
}

void hall_request(struct hall *h, struct hall_laptop *l, struct batch *batches, size_t count, struct arena *mem,
                  struct round_request *out) {
    struct err err;
    struct centre_device device;
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    *out = (struct round_request){.epoch = 1, .cursor = l->cursor, .top = l->top, .since = l->since, .news_version = l->news,
                                  .scope = l->scope, .last_batch = l->last_batch - (uint32_t)count, .last_chain = l->chain, .page_bytes = WIRE_PAGE_BYTES,
                                  .batches = batches, .batch_count = count};
    out->envelope.now = (struct stamp){.wall_ms = now_ms(h), .boot_number = 1, .boot_ms = h->b->env.boot_ms(h->b->env.ctx)};
    for (size_t i = 0; i < count; i++) {
        buf_reset(&bytes);
        batch_write(&batches[i], &bytes);
        l->chain = chain_next(&l->chain, buf_slice(&bytes));
    }
    sign_make(&l->key, slice_of(l->chain.bytes, CHAIN_BYTES), out->signature);
    sign_public(&l->key, device.public_key);
    if (mem) MUST(org_check_push(&device, out, mem, &err));
}

double hall_fill(struct hall *h, const struct work *w, int64_t *out_ids) {
    struct err err;
    struct hall_laptop *l = &h->laptops[0];
    double sum = 0;
    for (size_t i = 0; i < w->count; i += FILL_ROWS) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        size_t n = w->count - i < FILL_ROWS ? w->count - i : FILL_ROWS;
        struct change *changes = ARENA_ARRAY(&mem, n, struct change);
        struct round_request request;
        struct org_push push;
        for (size_t k = 0; k < n; k++) change_create(h, l, &w->visits[i + k], &mem, &changes[k]);
        struct batch batch = batch_of(h, l, changes, n);
        hall_request(h, l, &batch, 1, &mem, &request);
        double from = cpu_us();
        MUST(org_merge_begin(h->org, &err));
        MUST(org_merge_batches(h->org, l->device, &request, &push, &err));
        MUST(org_merge_commit(h->org, &err));
        sum += cpu_us() - from;
        if (push.outcomes[OUTCOME_APPLIED] != n) bench_fail("the org did not take all visits", NULL);
        for (size_t k = 0; out_ids && k < n; k++) out_ids[i + k] = changes[k].row;
    }
    return sum;
}

void hall_session(struct hall_laptop *l, struct session *out) {
    struct session_identity identity = {.org = "acme", .device = l->device, .key = l->key};
    session_start(out, &identity);
    memcpy(out->key, l->mac, MAC_BYTES);
    out->state = SESSION_READY;
    out->key_until_boot_ms = INT64_MAX;
    (void)snprintf(out->nonce, sizeof out->nonce, "AAAAAAAA.1");   /* of no process: the first round brings a good one */
}
