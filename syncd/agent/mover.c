/* Moves contents of attachments. mover.h says what for.
 *
 *   IDLE --look, plan--> a list of tasks, what was asked for first, then the smallest
 *   task up:   ask how much is there; bring pieces until the server says "whole"
 *   task down: want pieces until all bytes are here and are what the name says
 */
#include "syncd/agent/mover.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/agent/mover_private.h"
#include "syncd/platform/platform.h"

enum status mover_blobs(const char *home, struct blobs *out, struct err *err) {
    SCOPED(buf_free) struct buf path = buf_new(BUF_MAX_LINE);
    buf_printf(&path, "%s/" AGENT_BLOB_DIR, home);
    TRY(buf_status(&path, err));
    return blobs_at(buf_text(&path), out, err);
}

enum status mover_open(const struct mover_config *config, struct mover **out, struct err *err) {
    struct mover *m = calloc(1, sizeof *m);
    if (!m) return err_no_memory(err);
    m->config = *config;
    m->plan_mem = arena_new(MOVER_PLAN_BYTES_MAX);
    m->must_look = true;
    enum status status = mover_blobs(config->home, &m->blobs, err);
    if (status != ST_OK) {
        mover_close(m);
        return status;
    }
    *out = m;
    return ST_OK;
}

void mover_close(struct mover *m) {
    if (!m) return;
    arena_clear(&m->plan_mem);
    free(m);
}

void mover_look(struct mover *m) {
    m->must_look = true;
}

void mover_progress(const struct mover *m, struct mover_progress *out) {
    *out = m->progress;
    out->left = (int64_t)(m->task_count - m->task_at);
    if (m->task_at == m->task_count) out->at = out->size = 0;
}

/* ------------------------------------------------------------------ one exchange */

static enum status exchange(struct mover *m, const struct content_request *request,
                            struct arena *mem, struct content_reply *out, size_t *out_bytes,
                            struct err *err) {
    struct slice answer;
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    TRY(wire_write_content_request(request, &message, err));
    *out_bytes = message.len;
    TRY(agent_ask(m->config.agent, "content", buf_slice(&message), mem, &answer, err));
    *out_bytes += answer.len;
    return wire_read_content_reply(answer, mem, out, err);
}

static uint64_t connects(const struct mover *m) {
    const struct transport_door *door = m->config.transport;
    return door->connects ? door->connects(door->ctx) : 0;
}

static bool is_broken_line(enum status status) {
    return status == ST_OFFLINE || status == ST_MALFORMED;
}

/* libcurl makes a new connection by itself where the one that was kept turns out to be dead: then
 * the line broke, although the exchange was answered. */
static void note_line(struct mover *m, uint64_t before, enum status status, int64_t bytes,
                      int64_t ms) {
    uint64_t made = connects(m) - before;
    bool was_open = m->pace.carried > 0;
    if (was_open && made > 0 && !m->renewed) pace_cut(&m->pace, bytes);
    if (is_broken_line(status) && (was_open || made > 0)) pace_cut(&m->pace, bytes);
    if (!is_broken_line(status)) pace_ok(&m->pace, bytes, ms);
    m->renewed = false;
}

static enum status ask(struct mover *m, const struct content_request *request, struct arena *mem,
                       struct content_reply *out, struct err *err) {
    const struct env *env = m->config.env;
    int64_t began = env->boot_ms(env->ctx);
    uint64_t before = connects(m);
    size_t bytes = 0;
    enum status status = exchange(m, request, mem, out, &bytes, err);
    int64_t at_stake = (int64_t)bytes + MOVER_HTTP_BYTES;
    if (is_broken_line(status) && request->wants) at_stake += request->bytes_max;
    note_line(m, before, status, at_stake, env->boot_ms(env->ctx) - began);
    return status;
}

/* The size of the next piece; a new connection first where the present one is about to break. */
static size_t piece_size(struct mover *m) {
    size_t bytes = pace_next(&m->pace);
    if (bytes > 0) return bytes;
    const struct transport_door *door = m->config.transport;
    if (door->renew) door->renew(door->ctx);
    m->renewed = true;
    pace_fresh(&m->pace);
    bytes = pace_next(&m->pace);
    return bytes > 0 ? bytes : PACE_PIECE_MIN;
}

/* ------------------------------------------------------------------ the end of a task */

static void task_end(struct mover *m) {
    m->task_at++;
    m->progress.at = m->progress.size = 0;
    m->asked = false;
}

static void task_done(struct mover *m) {
    const struct task *task = &m->tasks[m->task_at];
    blob_unmark(&m->blobs, MOVER_MARK_WANT, &task->content);
    blob_unmark(&m->blobs, MOVER_MARK_NO, &task->content);
    *(task->up ? &m->progress.up : &m->progress.down) += 1;
    task_end(m);
}

/* Said to whoever asks for the list; tried again after a day, or when it is asked for again. */
static enum status task_refused(struct mover *m, const struct err *why, struct err *err) {
    const struct task *task = &m->tasks[m->task_at];
    SCOPED(buf_free) struct buf note = buf_new(BLOB_NOTE_BYTES_MAX);
    buf_printf(&note, "%s\n%s\n", why->text[LANG_EN], why->text[LANG_ZH]);
    enum status status = blob_mark(&m->blobs, MOVER_MARK_NO, &task->content, buf_slice(&note), err);
    blob_unmark(&m->blobs, MOVER_MARK_WANT, &task->content);
    m->progress.refused++;
    task_end(m);
    return status;
}

/* ------------------------------------------------------------------ up */

/* What the server said to a piece is final for this content, unless it only says to come later. */
static bool is_refusal(enum status status) {
    return status == ST_TOO_LARGE || status == ST_DISK || status == ST_INVALID ||
           status == ST_CONFLICT || status == ST_GONE;
}

static enum status task_failed(struct mover *m, enum status status, const struct err *why,
                               struct err *err) {
    if (status == ST_NOT_FOUND) { /* its row is not there yet, or any more: the next plan knows */
        task_end(m);
        return ST_OK;
    }
    if (is_refusal(status)) return task_refused(m, why, err);
    m->asked = false;
    if (err) *err = *why;
    if (!is_broken_line(status) || ++m->failures >= MOVER_FAILURES_MAX) {
        m->failures = 0;
        return status;
    }
    return ST_OK; /* once more, from where the server is */
}

static enum status other_size(struct err *err) {
    return err_set(err, ST_INVALID, "the file has another size than its row says: it was not moved",
                   "文件大小与记录不符：未传输");
}

static enum status step_up(struct mover *m, struct task *task, struct arena *mem, struct err *err) {
    struct content_request request = {
        .content = task->content, .bytes = task->bytes, .offset = m->at};
    struct content_reply reply;
    struct err why;
    if (m->asked)
        TRY(blob_read(&m->blobs, &task->content, m->at, piece_size(m), mem, &request.piece, err));
    enum status status = ask(m, &request, mem, &reply, &why);
    if (status != ST_OK) return task_failed(m, status, &why, err);
    if (reply.offset > m->at || !m->asked) m->failures = 0;
    m->progress.bytes_up += (int64_t)request.piece.len;
    if (!reply.whole && (m->asked ? request.piece.len == 0 : reply.offset > task->bytes)) {
        (void)other_size(&why);
        return task_refused(m, &why, err);
    }
    m->asked = true;
    m->at = reply.offset;
    m->progress.at = reply.offset;
    if (reply.whole) task_done(m);
    return ST_OK;
}

/* ------------------------------------------------------------------ down */

static enum status take_piece(struct mover *m, struct task *task, const struct content_reply *reply,
                              struct err *err) {
    bool whole = false;
    struct err why;
    if (reply->bytes != task->bytes || (reply->piece.len == 0 && m->at < task->bytes)) {
        (void)other_size(&why);
        return task_refused(m, &why, err);
    }
    enum status status = blob_append(&m->blobs, &task->content, agent_device(m->config.agent),
                                     task->bytes, m->at, reply->piece, &whole, &why);
    if (status == ST_DAMAGED) return task_refused(m, &why, err);
    if (status == ST_CONFLICT) { /* another program of this home fetches it too */
        m->asked = false;
        return ST_OK;
    }
    if (status != ST_OK && err) *err = why;
    TRY(status);
    m->progress.bytes_down += (int64_t)reply->piece.len;
    m->at += (int64_t)reply->piece.len;
    m->progress.at = m->at;
    m->failures = 0;
    if (whole) task_done(m);
    return ST_OK;
}

/* A part that holds all bytes was not given its name yet when the program died; one that is longer
 * is of a fault: away with it. *out_done: it is whole now. */
static enum status part_begin(struct mover *m, const struct task *task, bool *out_done,
                              struct err *err) {
    uint32_t device = agent_device(m->config.agent);
    *out_done = false;
    TRY(blob_part_bytes(&m->blobs, &task->content, device, &m->at, err));
    if (m->at == task->bytes && blob_append(&m->blobs, &task->content, device, m->at, m->at,
                                            (struct slice){0}, out_done, NULL) == ST_OK)
        return ST_OK;
    if (m->at >= task->bytes) {
        TRY(blob_remove_part(&m->blobs, &task->content, device, err));
        m->at = 0;
    }
    m->asked = true;
    return ST_OK;
}

static enum status step_down(struct mover *m, struct task *task, struct arena *mem,
                             struct err *err) {
    struct content_reply reply;
    struct err why;
    bool done = false;
    if (!m->asked) TRY(part_begin(m, task, &done, err));
    if (done) {
        task_done(m);
        return ST_OK;
    }
    struct content_request request = {.wants = true,
                                      .content = task->content,
                                      .offset = m->at,
                                      .bytes_max = (uint32_t)piece_size(m)};
    enum status status = ask(m, &request, mem, &reply, &why);
    if (status != ST_OK) return task_failed(m, status, &why, err);
    return take_piece(m, task, &reply, err);
}

/* ------------------------------------------------------------------ steps */

static enum status step(struct mover *m, struct arena *mem, struct err *err) {
    struct task *task = &m->tasks[m->task_at];
    m->progress.size = task->bytes;
    if (!m->asked) m->at = 0;
    return task->up ? step_up(m, task, mem, err) : step_down(m, task, mem, err);
}

enum status mover_step(struct mover *m, bool *out_more, struct err *err) {
    if (m->task_at == m->task_count && m->must_look) TRY(mover_plan(m, err));
    enum status status = ST_OK;
    if (m->task_at < m->task_count) {
        struct arena mem = arena_new(MOVER_STEP_BYTES_MAX);
        status = step(m, &mem, err);
        arena_clear(&mem);
    }
    *out_more = m->task_at < m->task_count || m->must_look;
    return status;
}
