/* How far the book had come (lives.h): one line, written over after each commit. It is not synced:
 * after a power cut it may be older than the book, never newer than what the disk had taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_private.h"
#include "syncd/store/lives.h"
#include "syncd/store/orders.h"

enum { LINE_BYTES_MAX = 256, SUM_DIGITS = 16, WORDS = 5 };

struct reached {
    FILE *file;
    int64_t created_ms; /* of the org */
    int64_t epoch, seq; /* as the line says */
};

/* ------------------------------------------------------------------ the line */

struct mark {
    int64_t created_ms, epoch;
    struct position at;
};

/* Numbers of one width: a line written over another hides all of it. */
static void put_line(const struct mark *m, struct buf *out) {
    buf_printf(out, "%020lld %020lld %020lld ", (long long)m->created_ms, (long long)m->epoch,
               (long long)m->at.seq);
    buf_put_hex(out, slice_of(m->at.chain.bytes, CHAIN_BYTES));
    struct hash sum = hash_sha256(buf_slice(out));
    buf_put_text(out, " ");
    buf_put_hex(out, slice_of(sum.bytes, SUM_DIGITS / 2));
    buf_put_text(out, "\n");
}

static bool take_number(struct slice word, int64_t *out) {
    while (word.len > 1 && word.data[0] == '0') word = slice_of(word.data + 1, word.len - 1);
    return text_to_int(word, out);
}

static bool take_line(struct slice line, struct mark *out) {
    SCOPED(buf_free) struct buf chain = buf_new(BUF_MAX_LINE), again = buf_new(BUF_MAX_LINE);
    struct slice rest = line, words[WORDS];
    size_t count = 0;
    struct mark m;
    while (count < WORDS && slice_cut(&rest, ' ', &words[count])) count++;
    if (count < WORDS || !take_number(words[0], &m.created_ms) ||
        !take_number(words[1], &m.epoch) || !take_number(words[2], &m.at.seq) ||
        !hex_decode(words[3], &chain) || chain.len != CHAIN_BYTES)
        return false;
    m.at.chain = chain_of(buf_slice(&chain));
    put_line(&m, &again);
    *out = m;
    return slice_equal(buf_slice(&again), line);
}

/* One that is torn, or of another org that stood here, says nothing. */
static bool read_mark(const char *path, int64_t created_ms, struct mark *out) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct slice bytes;
    if (!platform_exists(path) ||
        platform_read_file(path, LINE_BYTES_MAX, &mem, &bytes, NULL) != ST_OK)
        return false;
    return take_line(bytes, out) && out->created_ms == created_ms;
}

/* ------------------------------------------------------------------ following the book */

static void write_mark(struct centre *c) {
    struct reached *r = c->reached;
    SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_LINE);
    struct mark m = {r->created_ms, c->head.epoch, c->head.position};
    put_line(&m, &line);
    if (line.failed || fseek(r->file, 0, SEEK_SET) != 0) return;
    if (fwrite(line.data, 1, line.len, r->file) != line.len || fflush(r->file) != 0) return;
    r->epoch = m.epoch;
    r->seq = m.at.seq;
}

void centre_reached_note(struct centre *c) {
    const struct reached *r = c->reached;
    if (!r || !r->file || !c->head_is_known) return;
    if (c->head.position.seq != r->seq || c->head.epoch != r->epoch) write_mark(c);
}

void centre_reached_stop(struct centre *c) {
    if (!c->reached) return;
    if (c->reached->file) (void)fclose(c->reached->file);
    free(c->reached);
    c->reached = NULL;
}

/* Without the file the book is as sound as before there was one: laptops know where they are. */
static enum status start(struct centre *c, const char *path, int64_t created_ms, struct err *err) {
    struct reached *r = calloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    r->created_ms = created_ms;
    if (platform_make_file(path, false, NULL) == ST_OK) r->file = fopen(path, "r+b");
    if (r->file) setvbuf(r->file, NULL, _IOFBF, LINE_BYTES_MAX * 2);
    c->reached = r;
    return ST_OK;
}

/* ------------------------------------------------------------------ at an opening */

static enum status is_behind(struct centre *c, const struct mark *m, bool *out, struct err *err) {
    struct centre_head head;
    struct chain chain;
    TRY(centre_head(c, &head, err));
    *out = m->epoch > head.epoch || m->at.seq > head.position.seq;
    if (*out) return ST_OK;
    enum status status = centre_log_chain(c, m->at.seq, &chain, err);
    if (status == ST_NOT_FOUND) return ST_OK; /* that far back the log is collected */
    TRY(status);
    *out = memcmp(chain.bytes, m->at.chain.bytes, CHAIN_BYTES) != 0;
    return ST_OK;
}

static enum status begin_anew(struct centre *c, void *ctx, struct err *err) {
    const struct mark *m = ctx;
    int64_t latest = m->epoch > c->head.epoch ? m->epoch : c->head.epoch;
    TRY(centre_epoch_begin(c, latest + 1, err));
    return centre_news(c, err);
}

/* The file is read before the head: what another handle commits meanwhile is in both. */
enum status centre_reached_ready(struct centre *c, bool *out_behind, struct err *err) {
    char path[ORDERS_PATH_BYTES];
    struct centre_org org;
    struct mark m;
    TRY(book_beside(c->store->path, ".head", path, err));
    TRY(centre_org(c, &org, err));
    bytes_wipe(org.key_seed, sizeof org.key_seed);
    *out_behind = false;
    if (read_mark(path, org.created_ms, &m)) TRY(is_behind(c, &m, out_behind, err));
    if (*out_behind) TRY(centre_write(c, begin_anew, &m, err));
    TRY(start(c, path, org.created_ms, err));
    TRY(centre_refresh(c, err));
    centre_reached_note(c);
    return ST_OK;
}
