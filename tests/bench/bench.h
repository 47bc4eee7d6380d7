/* The benchmark: every figure is a ratio to a control that runs in the same process, in turns with it.
 *
 *     bench.c       options, the table, the JSON             work.c    the workloads W1 and W2
 *     plain.c       the control: SQLite without Roadbook     lap.c     a laptop whose server is this program
 *     hall.c        an org at a server, the server's program tls.c     a client that counts and resumes
 *     call.c        a laptop without a store, over TLS       say.c     clocks, series, the table, the JSON
 *     rows_*.c      the figures
 *
 * Whatever fails ends the program: a benchmark that goes on after a failure measures something else.
 */
#ifndef ROADBOOK_BENCH_H
#define ROADBOOK_BENCH_H

#include <stdio.h>

#include "protocol/session/session.h"
#include "syncd/platform/platform.h"
#include "syncd/server/org.h"
#include "syncd/store/db.h"
#include "syncd/store/rows.h"
#include "syncd/store/store.h"

enum { BENCH_PATH_BYTES = 512, SERIES_MAX = 4096, BENCH_TURNS = 5, BENCH_CELLS = 12 };

struct series {                                            /* measurements of one thing; the first SERIES_MAX count */
    double v[SERIES_MAX];
    size_t count;
};
void series_add(struct series *s, double v);
double series_quantile(const struct series *s, double share);  /* 0.5: the median */
double series_median(const struct series *s);

enum judge { AT_MOST, AT_LEAST, JUST_SAYS };
struct figure {
    const char *name;
    double value;
    double control;                                        /* 0: none */
    double ratio;                                          /* 0: none */
    double target;                                         /* of the ratio, or of the value when judge_value */
    enum judge judge;
    bool judge_value;
    const char *unit;
    const char *note;                                      /* one line of what was measured */
};

struct bench {
    bool quick;
    const char *work_path;                                 /* notes.txt */
    const char *bin;                                       /* folder of the programs */
    char dir[BENCH_PATH_BYTES];                            /* a fresh folder, removed at the end */
    unsigned dirs;                                         /* folders made in it */
    struct env env;
    struct arena mem;                                      /* for the life of the program */
    struct catalogue cat;
    const struct entity *visit, *account, *employee;
    struct figure figures[64];
    size_t figure_count;
};

void bench_say(struct bench *b, struct figure figure);     /* texts literal, or in b->mem */
const char *bench_note(struct bench *b, const char *format, ...) PRINTF_LIKE(2, 3);
void bench_fail(const char *what, const struct err *err) __attribute__((noreturn));
#define MUST(call)                                                                                   \
    do {                                                                                             \
        if ((call) != ST_OK) bench_fail(#call, &err);                                                \
    } while (0)
const char *bench_dir(struct bench *b);                    /* a new folder */
void bench_start(struct bench *b);                         /* after work_path and bin are set */
void bench_print_machine(const struct bench *b);
void bench_write_json(const struct bench *b, const char *path);
int bench_missed(const struct bench *b);                   /* figures that miss their target */
double cpu_us(void);                                       /* of this process: user and system */
double cpu_thread_us(void);
double wall_us(void);

/* ------------------------------------------------------------------ work.c */

struct visit {
    struct value *values;                                  /* one per field of the entity */
    struct slice title, body;                              /* as full text has them */
};
struct work {
    struct visit *visits;
    size_t count;
    int64_t *accounts;                                     /* row ids, by number of the site */
    size_t account_count;
    int64_t author;
};
struct source;                                             /* the real notes */
/* W1: count visits, of sites whose accounts have these ids. accounts[work_sites()]. */
size_t work_sites(struct bench *b);
void work_make(struct bench *b, size_t count, const int64_t *accounts, int64_t author, struct arena *mem, struct work *out);
/* One more visit as the source has it, of W2: day from 0, at 0..19. */
struct visit work_day_visit(struct bench *b, const struct work *w, size_t day, size_t at, struct arena *mem);
/* The 12 fields that a person types, as edits. edits[BENCH_CELLS]. */
size_t work_edits(struct bench *b, const struct value *values, struct field_edit edits[BENCH_CELLS]);
/* The two columns that W2 edits: score and advice_next. */
void work_two(struct bench *b, size_t day, size_t at, struct arena *mem, struct field_edit out[2]);
enum { DAY_VISITS = 20, DAY_EDITS = 15 };
/* Bare columns of rows as text: each column's values, one a line; then xz -9. */
size_t work_xz(struct bench *b, struct slice text);
void work_columns(struct bench *b, const int64_t *ids, const struct visit *visits, size_t count, struct buf *out);

/* ------------------------------------------------------------------ plain.c */

struct plain;                                              /* tables and indexes of the store, without what is hidden */
enum { PLAIN_SEARCH = 1, PLAIN_SESSION = 2 };
struct plain *plain_open(struct bench *b, enum rows_role role, int flags);
void plain_close(struct plain *p);
struct lap;
/* The titles of the laptop's accounts, which its index holds as well, in as many transactions as they came in. */
void plain_titles(struct plain *p, const struct lap *l);
void plain_begin(struct plain *p);
void plain_commit(struct plain *p);
void plain_insert(struct plain *p, int64_t id, const struct visit *v);
/* INSERT ... ON CONFLICT DO UPDATE of the 12 columns; old: what full text has of the row, NULL: new. */
void plain_upsert(struct plain *p, int64_t id, const struct visit *v, const struct visit *old);
void plain_two(struct plain *p, int64_t id, const struct field_edit two[2]);
struct db *plain_db(struct plain *p);
/* Bytes in use of all tables and indexes, or of one (NULL: all). */
int64_t db_used_bytes(struct db *db, const char *table);
const char *plain_path(struct plain *p);

/* ------------------------------------------------------------------ lap.c */

struct lap {                                               /* a laptop; its server is made up */
    struct bench *b;
    char dir[BENCH_PATH_BYTES], path[BENCH_PATH_BYTES + 16];
    struct store *store;
    int64_t seq;                                           /* of the made-up server */
    int64_t *accounts;
    int64_t author;
    uint32_t counter;                                      /* of rows of others */
    size_t slices;                                         /* of the last apply */
};
enum { LAP_DEVICE = 2, LAP_OTHER = 3 };
void lap_open(struct bench *b, struct lap *l);             /* with accounts and employee in it */
void lap_close(struct lap *l);
/* Applies visits of someone else, ids from LAP_OTHER's counter on; CPU microseconds of the applying. */
double lap_pull(struct lap *l, const struct visit *visits, size_t count, int64_t *out_first);
/* Applies records of rows that are there. */
double lap_pull_again(struct lap *l, const struct visit *visits, size_t count, int64_t first);
int64_t lap_save(struct lap *l, const struct visit *v);    /* one transaction */
void lap_edit(struct lap *l, int64_t id, const struct field_edit two[2]);
/* What to send, as bytes. */
void lap_ask(struct lap *l, struct arena *mem, struct round_request *request, struct buf *message);
void lap_receipts(struct lap *l, const struct round_request *request, struct arena *mem);

/* ------------------------------------------------------------------ hall.c */

struct hall_laptop {
    uint32_t device;
    struct sign_key key;
    uint8_t mac[MAC_BYTES];
    uint32_t last_batch;
    struct chain chain;
    struct position cursor, top;
    int64_t since, news;
    struct scope_position scope;
    uint32_t counter;
};
struct hall {                                              /* an org "acme" in dir/org */
    struct bench *b;
    char dir[BENCH_PATH_BYTES], path[BENCH_PATH_BYTES + 16];
    struct org *org;
    struct org_reader *reader;
    int64_t *accounts;
    int64_t author;
    struct hall_laptop *laptops;
    size_t laptop_count;
    int pid;                                               /* of the server's program, 0: not running */
    uint16_t port;
    uint8_t tls_pin[HASH_BYTES];
    const char *const *serve_options;                      /* ends with NULL; NULL: no limits of rates, as one laptop does all */
};
void hall_open(struct bench *b, struct hall *h, size_t laptops);
void hall_close(struct hall *h);                           /* also stops the program */
/* A batch of one change in mem. */
void hall_create(struct hall *h, struct hall_laptop *l, const struct visit *v, struct arena *mem, struct batch *out);
void hall_edit(struct hall *h, struct hall_laptop *l, int64_t row, int64_t base, const struct field_edit two[2],
               struct arena *mem, struct batch *out);
/* The request that carries batches, signed; the laptop's chain moves on. Checked in mem as the server checks it before
 * the writer's turn; mem may be NULL when it goes over the wire. */
void hall_request(struct hall *h, struct hall_laptop *l, struct batch *batches, size_t count, struct arena *mem,
                  struct round_request *out);
/* The laptop's end of rounds, with the key that the server has. */
void hall_session(struct hall_laptop *l, struct session *out);
/* Fills the org with visits, through its merge, in batches of 1000; ids are returned when out_ids is given. CPU
 * microseconds of the merging. */
double hall_fill(struct hall *h, const struct work *w, int64_t *out_ids);
void hall_serve(struct hall *h);                           /* roadbook-server; handles of this process are closed */
double hall_cpu_us(int pid);                               /* of another process */
int64_t hall_rss_bytes(int pid, const char *what);         /* "VmRSS", "VmHWM"; 0: it has ended */
void hall_link(struct hall *h, char *out, size_t size);    /* an enrolment link for a new laptop, before hall_serve */

/* An HTTP server of the same library whose handler only replies, in a process of its own. */
int empty_start(struct bench *b, const struct hall *h, size_t reply_bytes, uint16_t *out_port);
void empty_main(int argc, char **argv);
/* A program with its arguments, without input and output; the child's id. */
int child_start(const char *const *argv);
void child_stop(int pid);                                  /* asks it to end, and waits */

/* ------------------------------------------------------------------ tls.c */

struct tls;                                                /* one connection */
struct tls_session;                                        /* what a resumed handshake needs */
struct tls_client;
struct tls_client *tls_client_open(void);
void tls_client_close(struct tls_client *c);
struct tls *tls_connect(struct tls_client *c, uint16_t port, struct tls_session *resume);  /* NULL: refused */
struct tls *tls_connect_from(struct tls_client *c, uint16_t port, uint32_t from, struct tls_session *resume);
int tls_fd(const struct tls *t);
bool tls_was_resumed(const struct tls *t);
struct tls_session *tls_keep(struct tls *t);
void tls_forget(struct tls_session *s);
void tls_close(struct tls *t);
/* Sends a request; false when the connection broke. */
bool tls_send(struct tls *t, const struct session_http *request);
bool tls_receive(struct tls *t, struct arena *mem, struct session_http *out, int64_t *out_retry_s);
size_t tls_bytes(const struct tls *t);                     /* HTTP, both ways, so far */

/* ------------------------------------------------------------------ call.c */

struct caller {
    struct hall *h;
    struct hall_laptop *laptop;
    struct session session;
    struct tls *tls;                                       /* NULL: not connected */
    int code;                                              /* of the last reply; 0: none came */
    uint32_t from;                                         /* the address it comes from, host order; 0: any */
};
/* Writes the request of the next round. */
void caller_make(struct caller *c, const struct round_request *request, struct arena *mem, struct session_http *out);
/* false: the same round has to be sent again. */
bool caller_take(struct caller *c, const struct session_http *http, struct arena *mem, struct round_reply *out);
/* One round until it is answered; batches may be NULL. */
void caller_round(struct caller *c, struct batch *batches, size_t count, struct arena *mem, struct round_reply *out);
void caller_idle(struct caller *c);
/* One try of a round, as a laptop in the field: true when every batch has its receipt. */
bool caller_try(struct caller *c, struct tls_client *client, const struct round_request *request, int64_t *out_wait_ms,
                struct round_reply *out, struct arena *mem);
void caller_wait(struct caller *c, int64_t seq);           /* begins a long poll: until the head has passed seq */

/* ------------------------------------------------------------------ rows_*.c */

/* A laptop's book in home, enrolled with the running server. */
void net_enroll(struct hall *h, const char *home, const char *link, struct store **out);
/* CPU microseconds at the server of an idle round, without sockets and TLS: the mean of some thousand. */
double idle_cpu_us(struct bench *b, struct hall *h);

void rows_save(struct bench *b);
void rows_bulk(struct bench *b);
void rows_hidden(struct bench *b);
void rows_prepare(struct bench *b);
void rows_push_bytes(struct bench *b);
void rows_apply(struct bench *b);
void rows_busy_save(struct bench *b);
void rows_first_load(struct bench *b);
void rows_merge(struct bench *b);
void rows_rounds(struct bench *b);
void rows_idle(struct bench *b);
void rows_waiting(struct bench *b);
void rows_move(struct bench *b);
void rows_repair(struct bench *b);
void rows_outage(struct bench *b);
void rows_seen(struct bench *b);
void rows_memory(struct bench *b);

#endif
