/* Options, and which figures there are. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/agent/transport.h"
#include "tests/unit/fault_vfs.h"

struct group {
    void (*run)(struct bench *b);
    const char *names;                                     /* of its figures, for --only and --list */
};
static const struct group GROUPS[] = {
    {rows_save, "save-cpu save-cpu-session save-bytes"},
    {rows_bulk, "bulk-insert bulk-insert-session"},
    {rows_hidden, "hidden-bytes"},
    {rows_prepare, "prepare-push prepare-push-large prepare-push-flat"},
    {rows_push_bytes, "push-bytes"},
    {rows_first_load, "first-load-bytes"},
    {rows_apply, "apply apply-large"},
    {rows_busy_save, "save-while-loading"},
    {rows_merge, "merge merge-import"},
    {rows_rounds, "rounds rounds-resumed rounds-push"},
    {rows_idle, "idle-bytes idle-cpu idle-round-trips"},
    {rows_waiting, "waiting-memory"},
    {rows_seen, "seen-p50 seen-p99"},
    {rows_memory, "laptop-memory"},
    {rows_outage, "outage"},
    {rows_move, "move-bytes"},
    {rows_repair, "repair-bytes repair-trips"},
};

/* ------------------------------------------------------------------ running */

struct options {
    const char *json, *only;
    bool list, strict;
};

static void read_options(int argc, char **argv, struct bench *b, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--quick")) b->quick = true;
        else if (!strcmp(argv[i], "--list")) o->list = true;
        else if (!strcmp(argv[i], "--strict")) o->strict = true;
        else if (!strcmp(argv[i], "--json") && next) o->json = argv[++i];
        else if (!strcmp(argv[i], "--only") && next) o->only = argv[++i];
        else if (!strcmp(argv[i], "--work") && next) b->work_path = argv[++i];
        else if (!strcmp(argv[i], "--bin") && next) b->bin = argv[++i];
        else bench_fail("unknown or incomplete option; see tools/bench --help", NULL);
    }
}

static bool has_name(const char *names, const char *name) {
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += n)
        if ((at == names || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return true;
    return false;
}

static struct bench bench;                                 /* large; main's alone */

int main(int argc, char **argv) {
    struct options o = {0};
    struct err err, ignored;
    bool any = false;
    if (argc > 1 && !strcmp(argv[1], "--empty-handler")) empty_main(argc, argv);
    read_options(argc, argv, &bench, &o);
    for (size_t i = 0; o.list && i < ARRAY_COUNT(GROUPS); i++) printf("%s\n", GROUPS[i].names);
    if (o.list) return 0;
    bench_start(&bench);
    MUST(transport_start(&err));
    fault_vfs_install();
    bench_print_machine(&bench);
    double began = wall_us();
    for (size_t i = 0; i < ARRAY_COUNT(GROUPS); i++) {
        if (o.only && !has_name(GROUPS[i].names, o.only)) continue;
        any = true;
        double from = wall_us();
        GROUPS[i].run(&bench);
        if (getenv("BENCH_TIMES")) fprintf(stderr, "    %s: %.1f s\n", GROUPS[i].names, (wall_us() - from) / 1e6);
    }
    (void)platform_remove_tree(bench.dir, &ignored);
    if (!any) bench_fail("no figure of that name; see tools/bench --list", NULL);
    if (o.json) bench_write_json(&bench, o.json);
    printf("\n%zu figures in %.0f s, %d missed\n", bench.figure_count, (wall_us() - began) / 1e6, bench_missed(&bench));
    transport_end();
    return o.strict && bench_missed(&bench) ? 1 : 0;
}
