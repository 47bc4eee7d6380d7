/* Options, the phases in order, the report. */
#include "tests/load/load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_OWN = 200 };                                  /* beside one for each laptop */

struct options {
    const char *json;
    bool strict;
};

static int64_t whole(const char *option, const char *text, int64_t least) {
    int64_t number;
    if (!text || !text_to_int(slice_from(text), &number) || number < least) {
        fprintf(stderr, "%s takes a number of at least %" PRId64 "\n", option, least);
        exit(64);
    }
    return number;
}

static double minutes_of(const char *text) {
    char *end = NULL;
    double minutes = text ? strtod(text, &end) : 0;
    if (minutes > 0 && *end == 0) return minutes;
    fprintf(stderr, "--minutes takes a number above 0, such as 0.5\n");
    exit(64);
}

static void read_options(int argc, char **argv, struct load *l, struct bench *b, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        i++;
        if (!strcmp(name, "--laptops")) l->laptops = (size_t)whole(name, next, 1);
        else if (!strcmp(name, "--waiting")) l->waiting = (size_t)whole(name, next, 0);
        else if (!strcmp(name, "--per-address")) l->per_address = (size_t)whole(name, next, 1);
        else if (!strcmp(name, "--days")) l->days = whole(name, next, 1);
        else if (!strcmp(name, "--minutes")) l->minutes = minutes_of(next);
        else if (!strcmp(name, "--json") && next) o->json = next;
        else if (!strcmp(name, "--work") && next) b->work_path = next;
        else if (!strcmp(name, "--bin") && next) b->bin = next;
        else if (!strcmp(name, "--strict")) o->strict = true, i--;
        else {
            fprintf(stderr, "unknown or incomplete option %s; see tools/load --help\n", name);
            exit(64);
        }
    }
}

/* The server raises its own limit, up to the same hard limit. */
static void raise_files(const struct load *l) {
    size_t wanted = l->laptops + l->waiting + FILES_OWN;
    uint64_t files = platform_raise_fd_limit(wanted);
    if (files >= wanted) return;
    fprintf(stderr,
            "%zu laptops need %zu open files, but the hard limit here is %" PRIu64 ": raise it (ulimit -Hn %zu, as root), or "
            "ask for fewer with --laptops and --waiting\n", l->laptops + l->waiting, wanted, files, wanted);
    exit(69);
}

/* ------------------------------------------------------------------ what came out */

static void say(struct load *l, const char *name, double value, const char *unit, const char *note) {
    bench_say(l->b, (struct figure){.name = name, .value = value, .judge = JUST_SAYS, .unit = unit, .note = note});
}

static void say_most(struct load *l, const char *name, double value, double target, const char *unit, const char *note) {
    bench_say(l->b, (struct figure){.name = name, .value = value, .target = target, .judge = AT_MOST, .judge_value = true,
                                    .unit = unit, .note = note});
}

static void say_errors(struct load *l, const char *name, const struct outcome_counts *c) {
    size_t wrong = c->refused + c->broken + c->starved;
    say_most(l, name, (double)wrong, 0, "",
             bench_note(l->b, "refused %zu, cut %zu, never served %zu; told to come later and served then: %zu",
                        (size_t)c->refused, (size_t)c->broken, (size_t)c->starved, (size_t)c->later));
}

static double ms(const struct histogram *h, double share) {
    return histogram_quantile(h, share) / 1000;
}

static void say_work(struct load *l, const char *name, const struct outcome_counts *c, double cpu, const char *note) {
    struct bench *b = l->b;
    double rounds = (double)c->rounds;
    say(l, arena_printf(&b->mem, "%s-rounds", name), rounds / c->seconds, "rnd/s", note);
    say(l, arena_printf(&b->mem, "%s-p50", name), ms(&c->round_us, 0.5), "ms", "a round, from its sending to its reply");
    say(l, arena_printf(&b->mem, "%s-p99", name), ms(&c->round_us, 0.99), "ms", bench_note(b, "the slowest took %.0f ms", ms(&c->round_us, 1)));
    say(l, arena_printf(&b->mem, "%s-cpu", name), cpu / rounds, "us", bench_note(b, "the server's CPU a round; %.0f %% of a core", cpu / c->seconds / 1e4));
    say_errors(l, arena_printf(&b->mem, "%s-errors", name), c);
}

/* ------------------------------------------------------------------ the phases */

static void crowd_phase(struct load *l, struct crowd **out) {
    double kb;
    crowd_open(l, out, &kb);
    double cpu = hall_cpu_us(l->h.pid);
    platform_sleep_ms(2000);
    cpu = hall_cpu_us(l->h.pid) - cpu;
    say(l, "waiting", (double)crowd_counts(*out).held, "", bench_note(l->b, "long polls held, TLS, %zu of one address", l->per_address));
    say_most(l, "waiting-memory", kb, 64, "KB", "growth of the server's memory for each, TLS included");
    say(l, "waiting-cpu", cpu / 2e4, "%", "of a core, while nothing happens");
}

static void work_phase(struct load *l, const struct crowd *crowd) {
    static struct outcome_counts counts;
    double cpu = hall_cpu_us(l->h.pid);
    fleet_work(l, l->days, l->minutes * 60, &counts);
    cpu = hall_cpu_us(l->h.pid) - cpu;
    say_work(l, "work", &counts, cpu,
             bench_note(l->b, "%zu laptops, %lld day%s each: 20 visits and 15 edits of two columns a day", l->laptops, (long long)l->days,
                        l->days == 1 ? "" : "s"));
    struct crowd_counts waits = crowd_counts(crowd);
    say_most(l, "waiting-lost", (double)(l->waiting - waits.held), 0, "",
             bench_note(l->b, "waiting laptops cut meanwhile; %zu waits were answered and begun again", waits.answered));
}

static void outage_phase(struct load *l) {
    static struct outcome_counts counts;
    fleet_herd(l, &counts);
    double cpu = hall_cpu_us(l->h.pid);
    say_most(l, "outage-last", ms(&counts.served_us, 1) / 1000, 60, "s",
             bench_note(l->b, "the longest wait of %zu laptops that come at once with a day of work", l->laptops));
    say(l, "outage-p50", ms(&counts.served_us, 0.5) / 1000, "s", "until half of them were served");
    say(l, "outage-p99", ms(&counts.served_us, 0.99) / 1000, "s", bench_note(l->b, "the server took %.1f s of CPU", cpu / 1e6));
    say_errors(l, "outage-errors", &counts);
}

/* The server works on as before. */
static void after_phase(struct load *l) {
    static struct outcome_counts counts;
    double cpu = hall_cpu_us(l->h.pid), seconds = l->minutes * 60 < 10 ? l->minutes * 60 : 10;
    l->laptops = l->laptops > 100 ? 100 : l->laptops;
    fleet_work(l, 1, seconds, &counts);
    say_work(l, "after", &counts, hall_cpu_us(l->h.pid) - cpu, bench_note(l->b, "%zu laptops afterwards", l->laptops));
    say(l, "memory-peak", (double)hall_rss_bytes(l->h.pid, "VmHWM") / 1024 / 1024, "MB", "the server's, since the outage");
}

/* Every visit whose receipt a laptop holds is in the book, and no other. */
static void count_phase(struct load *l) {
    struct err err;
    struct db *db;
    struct db_stmt *count;
    bool row = false;
    child_stop(l->h.pid);
    l->h.pid = 0;
    MUST(db_open(l->h.path, 0, &db, &err));
    MUST(db_prepare(db, "SELECT count(*) FROM r_visit", &count, &err));
    MUST(db_step(count, &row, &err));
    int64_t there = row ? db_int(count, 0) : -1;
    db_close(db);
    double wrong = (double)((int64_t)l->visits_told - there);
    say_most(l, "visits-lost", wrong < 0 ? -wrong : wrong, 0, "", bench_note(l->b, "%lld visits are in the book", (long long)there));
}

static struct bench bench;                                 /* large; main's alone */

int main(int argc, char **argv) {
    static const char *const DEFAULTS[] = {NULL};          /* the server's own limits hold */
    struct options o = {0};
    struct load load = {.b = &bench, .laptops = 2000, .waiting = 10000, .per_address = 500, .days = 1, .minutes = 1};
    struct load *l = &load;
    struct crowd *crowd;
    struct err ignored;
    read_options(argc, argv, l, &bench, &o);
    raise_files(l);
    bench_start(&bench);
    raise_files(l);
    bench_print_machine(&bench);
    fprintf(stderr, "an org with %zu laptops is made\n", l->laptops + l->waiting);
    hall_open(&bench, &l->h, l->laptops + l->waiting);
    work_make(&bench, 1, l->h.accounts, l->h.author, &bench.mem, &l->work);
    l->h.serve_options = DEFAULTS;
    l->client = tls_client_open();
    hall_serve(&l->h);
    crowd_phase(l, &crowd);
    work_phase(l, crowd);
    crowd_close(crowd);
    child_stop(l->h.pid);
    outage_phase(l);
    after_phase(l);
    count_phase(l);
    tls_client_close(l->client);
    hall_close(&l->h);
    (void)platform_remove_tree(bench.dir, &ignored);
    if (o.json) bench_write_json(&bench, o.json);
    int missed = bench_missed(&bench);
    printf("\n%zu figures, %d missed\n", bench.figure_count, missed);
    return o.strict && missed ? 1 : 0;
}
