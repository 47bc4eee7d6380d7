/* Seeds: each a process of its own, born from a world that was opened once, so that opening costs
 * nothing, and a run that dies is a run that failed. Several of them at a time.
 *
 *     sim [--seed N] [--seeds A..B] [--minutes M] [--from N] [--most N] [--jobs N] [--kept FILE]
 * [--stop]
 *          [--focus homes|rollback|loose|image|unites|plots|common] [--json] [--trace]
 */
#include "tests/sim/sim.h"

#include "syncd/platform/platform.h"

#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, RUN_SECONDS_MAX = 60, SEED_FIRST = 1 };

struct verdict { /* of one run, written by its process */
    char failure[1024];
    bool over;
    int64_t counts[SIM_WHAT_COUNT];
};
struct tally { /* of one job */
    int64_t runs, failures;
    uint64_t first_failed;
    int64_t counts[SIM_WHAT_COUNT];
    struct verdict verdict;
};
struct options {
    uint64_t from, to; /* both included */
    int64_t most;      /* runs; 0: no limit */
    double minutes;    /* 0: no limit */
    size_t jobs;
    const char *kept;
    const char *focus; /* only seeds of that sort; NULL: all */
    bool stop, json, trace;
};

static struct sim *templates[VARIANTS];

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------ folders
 *
 * SQLite's files are in memory. What is written beside them lies in a real folder, whose path is
 * relative: each run has its own, so that none sees another's.
 */
enum { FOLDER_BYTES = 512 };
static char home[FOLDER_BYTES];

static bool make_home(void) {
    const char *below = getenv("TMPDIR");
    snprintf(home, sizeof(home), "%.400s/roadbook-sim-XXXXXX", below ? below : "/tmp");
    return mkdtemp(home) && chdir(home) == 0 && setenv("TMPDIR", ".", 1) == 0;
}

static void remove_home(void) {
    struct err ignored;
    if (chdir("/") == 0) (void)platform_remove_tree(home, &ignored);
}

/* A folder with the book's name in it, which says that there is one. */
static bool has_book(const char *folder, const char *name) {
    char path[WORLD_PATH_BYTES + 16];
    struct err err;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return platform_make_dir(folder, &err) == ST_OK &&
           platform_make_file(path, false, &err) == ST_OK;
}

static bool enter_folder(const char *folder, const struct world *w) {
    char org[WORLD_PATH_BYTES];
    struct err err;
    world_server_dir(w, org);
    bool made = platform_make_dir(folder, &err) == ST_OK && chdir(folder) == 0 &&
                platform_make_dir(w->dir, &err) == ST_OK && has_book(org, "demo.db");
    for (size_t i = 0; made && i < w->laptop_count; i++)
        made = has_book(w->laptops[i].dir, "book.db");
    return made;
}

/* ------------------------------------------------------------------ one run */

static void run_here(uint64_t seed, bool trace, struct verdict *out) {
    struct sim *s = templates[sim_variant_of(seed)];
    alarm(RUN_SECONDS_MAX);
    sim_run(s, seed, trace);
    memcpy(out->failure, s->failure, sizeof(out->failure));
    memcpy(out->counts, s->counts, sizeof(out->counts));
    out->over = true;
}

static bool run_one(uint64_t seed, bool trace, struct tally *tally) {
    struct verdict *v = &tally->verdict;
    memset(v, 0, sizeof(*v));
    fflush(stdout);
    char folder[FOLDER_BYTES];
    struct err ignored;
    snprintf(folder, sizeof(folder), "run-%ld", (long)getpid());
    pid_t child = fork();
    if (child == 0) {
        if (!enter_folder(folder, &templates[sim_variant_of(seed)]->world)) _exit(1);
        run_here(seed, trace, v);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    (void)platform_remove_tree(folder, &ignored);
    if (!v->over)
        snprintf(v->failure, sizeof(v->failure), "the run died: %s",
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "no signal");
    tally->runs++;
    for (int i = 0; i < SIM_WHAT_COUNT; i++) tally->counts[i] += v->counts[i];
    if (!v->failure[0]) return true;
    if (!tally->failures++) tally->first_failed = seed;
    fprintf(stderr, "FAILED seed %llu: %s\n", (unsigned long long)seed, v->failure);
    return false;
}

/* Numbers of seeds that failed once, one a line; what follows a number is for people. */
static void run_kept(const char *path, bool trace, struct tally *tally) {
    FILE *file = fopen(path, "r");
    char line[256];
    if (!file) {
        fprintf(stderr, "cannot read %s\n", path);
        tally->failures++;
        return;
    }
    while (fgets(line, sizeof(line), file))
        if (line[0] >= '0' && line[0] <= '9') (void)run_one(strtoull(line, NULL, 10), trace, tally);
    fclose(file);
}

/* ------------------------------------------------------------------ jobs */

static bool is_wanted(const struct options *o, uint64_t seed) {
    bool homes = sim_variant_of(seed) == VARIANTS - 1, rollback = sim_rolls_back(seed);
    bool loose = sim_is_loose(seed);
    if (!o->focus) return true;
    if (*o->focus == 'l') return loose;
    if (*o->focus == 'p') return sim_plot_step(seed) != SIZE_MAX;
    if (*o->focus == 'u') return sim_may_unite(seed);
    if (*o->focus == 'i') return sim_is_imaged(seed);
    return *o->focus == 'h' ? homes : *o->focus == 'r' ? rollback : !homes && !rollback && !loose;
}

static void work(const struct options *o, size_t job, double until, struct tally *all) {
    if (o->kept && job == 0) run_kept(o->kept, o->trace, &all[0]);
    for (uint64_t seed = o->from + job; seed <= o->to; seed += o->jobs) {
        if (until > 0 && now_s() > until) return;
        int64_t runs = 0, failures = 0;
        for (size_t k = 0; k < o->jobs; k++) runs += all[k].runs, failures += all[k].failures;
        if ((o->most && runs >= o->most) || (o->stop && failures)) return;
        if (is_wanted(o, seed)) (void)run_one(seed, o->trace, &all[job]);
    }
}

static void run_jobs(const struct options *o, struct tally *all) {
    double until = o->minutes > 0 ? now_s() + o->minutes * 60 : 0;
    pid_t children[JOBS_MAX];
    for (size_t job = 0; job < o->jobs; job++) {
        fflush(stdout);
        children[job] = fork();
        if (children[job] == 0) {
            work(o, job, until, all);
            _exit(0);
        }
    }
    for (size_t job = 0; job < o->jobs; job++) waitpid(children[job], NULL, 0);
}

/* ------------------------------------------------------------------ the summary */

static void name_of(int what, char out[64]) {
    snprintf(out, 64, "%s", sim_what_name((enum sim_what)what));
    for (char *c = out; *c; c++) *c = *c == '_' ? ' ' : (char)(*c | 0x20);
}

static void print_json(const struct tally *sum, double seconds) {
    printf("{\"runs\": %lld, \"failures\": %lld, \"seconds\": %.1f, \"runs_per_hour\": %.0f, "
           "\"counts\": {",
           (long long)sum->runs, (long long)sum->failures, seconds,
           (double)sum->runs * 3600 / seconds);
    for (int i = 0; i < SIM_WHAT_COUNT; i++) {
        char name[64];
        name_of(i, name);
        printf("%s\"%s\": %lld", i ? ", " : "", name, (long long)sum->counts[i]);
    }
    printf("}}\n");
}

static void print_some(const struct tally *sum, const char *title, int first, int end) {
    printf("%s", title);
    for (int i = first; i < end; i++) {
        char name[64];
        name_of(i, name);
        printf("%s %s %lld", i == first ? ":" : ",", name, (long long)sum->counts[i]);
    }
    printf("\n");
}

/* A fault that never fires tests nothing. */
static void print_warnings(const struct tally *sum) {
    enum { RUNS_ENOUGH = 200 };
    if (sum->runs < RUNS_ENOUGH) return;
    for (int i = 0; i < SIM_FAULTS; i++) {
        char name[64];
        name_of(i, name);
        if (!sum->counts[i]) printf("WARNING: %s never happened\n", name);
    }
}

static void print_text(const struct tally *sum, double seconds) {
    print_some(sum, "events", 0, SIM_EVENTS);
    print_some(sum, "faults", SIM_EVENTS, SIM_FAULTS);
    print_some(sum, "outcomes", SIM_FAULTS, SIM_WHAT_COUNT);
    print_warnings(sum);
    printf("%lld runs, %lld failed, %.1f s, %.0f runs an hour\n", (long long)sum->runs,
           (long long)sum->failures, seconds, (double)sum->runs * 3600 / seconds);
}

/* ------------------------------------------------------------------ the program */

static int usage(void) {
    fprintf(stderr,
            "usage: sim [--seed N] [--seeds A..B] [--minutes M] [--from N] [--most N] [--jobs N] "
            "[--kept FILE] [--stop] [--focus homes|rollback|loose|image|unites|plots|common] "
            "[--json] [--trace]\n");
    return 64;
}

static bool read_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(name, "--stop") || !strcmp(name, "--json") || !strcmp(name, "--trace")) {
            *(name[2] == 's' ? &o->stop : name[2] == 'j' ? &o->json : &o->trace) = true;
            continue;
        }
        char *end = NULL;
        i++;
        if (!strcmp(name, "--seed")) {
            o->from = o->to = strtoull(value, &end, 10);
            o->jobs = 1;
        } else if (!strcmp(name, "--seeds")) {
            o->from = strtoull(value, &end, 10);
            if (strncmp(end, "..", 2) != 0) return false;
            o->to = strtoull(end + 2, &end, 10);
        } else if (!strcmp(name, "--minutes")) {
            o->minutes = strtod(value, &end);
        } else if (!strcmp(name, "--from")) {
            o->from = strtoull(value, &end, 10);
        } else if (!strcmp(name, "--most")) {
            o->most = strtoll(value, &end, 10);
        } else if (!strcmp(name, "--jobs")) {
            o->jobs = strtoull(value, &end, 10);
        } else if (!strcmp(name, "--kept")) {
            o->kept = value;
            continue;
        } else if (!strcmp(name, "--focus")) {
            o->focus = value;
            if (!*value || !strchr("hrliupc", *value)) return false;
            continue;
        } else {
            return false;
        }
        if (!*value || *end) return false;
    }
    if (!o->to) o->to = o->minutes > 0 ? UINT64_MAX / 2 : o->from + 499;
    return o->jobs >= 1 && o->jobs <= JOBS_MAX && o->from <= o->to;
}

static bool make_templates(void) {
    for (size_t i = 0; i < VARIANTS; i++) {
        struct err err = {0};
        templates[i] = calloc(1, sizeof(*templates[i]));
        if (!templates[i] || sim_begin(i, templates[i], &err) != ST_OK) {
            fprintf(stderr, "cannot begin: %s\n", err.text[LANG_EN]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct options o = {.from = SEED_FIRST, .jobs = processors > 0 ? (size_t)processors : 1};
    if (!read_options(argc, argv, &o)) return usage();
    struct tally *all = mmap(NULL, sizeof(struct tally) * JOBS_MAX, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0),
                 sum = {0};
    if (all == MAP_FAILED) return 70;
    double began = now_s();
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024); /* memory comes back with each process */
    (void)mallopt(M_TOP_PAD, 4 * 1024 * 1024);
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    disk_install();
    if (!make_home()) return 70;
    bool begun = make_templates();
    if (begun) run_jobs(&o, all);
    for (size_t i = 0; i < VARIANTS; i++)
        if (templates[i]) sim_end(templates[i]);
    remove_home();
    for (size_t job = 0; job < o.jobs; job++) {
        sum.runs += all[job].runs;
        sum.failures += all[job].failures;
        for (int i = 0; i < SIM_WHAT_COUNT; i++) sum.counts[i] += all[job].counts[i];
    }
    o.json ? print_json(&sum, now_s() - began) : print_text(&sum, now_s() - began);
    return !begun || sum.failures || !sum.runs;
}
