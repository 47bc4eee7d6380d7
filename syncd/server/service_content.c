/* Pieces of attachments' contents: what a laptop brings, what it wants. On any worker; the org's
 * writer is taken for the moment in which the book is told that a content is here.
 *
 * Each device has a part of its own of what it brings, so that nobody can spoil another's; a
 * content that is whole is everybody's. A piece is durable before it is acknowledged.
 */
#include <string.h>

#include "syncd/server/content.h"
#include "syncd/server/service_private.h"

enum {
    CONTENT_COUNT_MS = 10 * 60 * 1000,     /* the folder is summed up again that often */
    CONTENT_SWEEP_MS = 24 * 60 * 60 * 1000 /* ... and swept */
};

static int64_t boot_ms(const struct service_job *job) {
    const struct env *env = job->service->config.env;
    return env->boot_ms(env->ctx);
}

/* ------------------------------------------------------------------ the org's share */

static enum status usage_get(struct service_job *job, int64_t *out, struct err *err) {
    struct service_org *org = job->org;
    int64_t now = boot_ms(job);
    enum status status = ST_OK;
    platform_lock(org->content_lock);
    if (!org->content_counted_ms || now - org->content_counted_ms > CONTENT_COUNT_MS) {
        struct blob_sum sum;
        status = blob_sum(&org->blobs, &sum, err);
        if (status == ST_OK) {
            org->content_bytes = sum.bytes + sum.part_bytes;
            org->content_counted_ms = now ? now : 1;
        }
    }
    if (status == ST_OK) *out = org->content_bytes;
    platform_release(org->content_lock);
    return status;
}

static void usage_add(struct service_job *job, int64_t bytes) {
    platform_lock(job->org->content_lock);
    job->org->content_bytes += bytes;
    platform_release(job->org->content_lock);
}

static enum status check_disk(struct service_job *job, int64_t bytes, struct err *err) {
    int64_t free_bytes;
    TRY(platform_disk_free(job->service->dir, &free_bytes, err));
    if (free_bytes - bytes >= CONTENT_DISK_BYTES_FREE) return ST_OK;
    return err_set(err, ST_DISK,
                   "the server's disk is nearly full: attachments wait, rows still come in; tell "
                   "the administrator",
                   "服务器磁盘将满：附件暂不接收，记录仍可同步；请告知管理员");
}

/* held: what this device has brought of it already. */
static enum status check_limits(struct service_job *job, struct centre *c, int64_t held,
                                struct err *err) {
    enum { MIB = 1024 * 1024 };
    const struct content_request *asked = &job->as.content;
    struct content_limits limits;
    int64_t used;
    TRY(content_limits(centre_store(c), &limits, err));
    if (asked->bytes < 1)
        return err_set(err, ST_INVALID, "a content has at least one byte", "内容不能为空");
    if (asked->bytes > limits.file_bytes)
        return err_set(err, ST_TOO_LARGE,
                       "the file is larger than head office allows (%lld MiB at most): it stays on "
                       "this laptop",
                       "文件超过总部允许的大小（最多 %lld MiB）：仍保留在本机",
                       (long long)(limits.file_bytes / MIB));
    TRY(usage_get(job, &used, err));
    if (used - held + asked->bytes > limits.org_bytes)
        return err_set(err, ST_DISK,
                       "the attachments of the org have no more room at the server (%lld MiB in "
                       "all): the file stays on this laptop; ask head office",
                       "本机构的附件空间已满（共 %lld MiB）：文件仍保留在本机，请联系总部",
                       (long long)(limits.org_bytes / MIB));
    return check_disk(job, asked->bytes - held, err);
}

/* ------------------------------------------------------------------ what a laptop brings */

static enum status tell_book(struct service_job *job, int64_t arrived_ms, struct err *err) {
    platform_lock(job->org->write_lock);
    enum status status =
        content_arrived(job->org->write, &job->as.content.content, arrived_ms, err);
    platform_release(job->org->write_lock);
    return status;
}

static enum status whole_reply(struct service_job *job, int64_t bytes, struct content_reply *out,
                               struct err *err) {
    const struct env *env = job->service->config.env;
    TRY(tell_book(job, env->wall_ms(env->ctx), err));
    *out = (struct content_reply){.whole = true, .bytes = bytes, .offset = bytes};
    return ST_OK;
}

/* 500 would say that the server's book is damaged. */
static enum status append_failed(enum status status, struct err *err) {
    if (status != ST_DAMAGED) return status;
    return err_set(err, ST_INVALID,
                   "the bytes that came are not those that the row names: nothing was kept of "
                   "them, begin again",
                   "收到的内容与记录中的校验值不符：未保留，请重新发送");
}

/* Puts the piece behind what this device has brought, if it fits there: else the reply says where
 * to go on. A part that has all bytes was not given its name when the server died. */
static enum status take_piece(struct service_job *job, int64_t *held, bool *out_whole,
                              struct err *err) {
    const struct content_request *asked = &job->as.content;
    bool is_all = *held >= asked->bytes;
    struct slice piece = is_all ? (struct slice){0} : asked->piece;
    if (!is_all && (piece.len == 0 || asked->offset != *held)) return ST_OK;
    enum status status = blob_append(&job->org->blobs, &asked->content, job->device, asked->bytes,
                                     *held, piece, out_whole, err);
    if (status == ST_INVALID && is_all) /* longer than it can be */
        (void)blob_remove_part(&job->org->blobs, &asked->content, job->device, NULL);
    if (status != ST_OK) return append_failed(status, err);
    *held += (int64_t)piece.len;
    usage_add(job, (int64_t)piece.len);
    return ST_OK;
}

static enum status brought(struct service_job *job, struct centre *c, struct content_reply *out,
                           struct err *err) {
    const struct content_request *asked = &job->as.content;
    const struct blobs *blobs = &job->org->blobs;
    int64_t bytes, held;
    bool whole = false;
    if (blob_bytes(blobs, &asked->content, &bytes, NULL) == ST_OK)
        return whole_reply(job, bytes, out, err);
    TRY(blob_part_bytes(blobs, &asked->content, job->device, &held, err));
    TRY(check_limits(job, c, held, err));
    TRY(take_piece(job, &held, &whole, err));
    if (whole) service_count(job->service, FIGURE_CONTENTS, 1);
    if (whole) return whole_reply(job, asked->bytes, out, err);
    *out = (struct content_reply){.bytes = asked->bytes, .offset = held};
    return ST_OK;
}

/* ------------------------------------------------------------------ what a laptop wants */

/* The book said that it is here: now it says that it is not, and who has the file brings it again.
 */
static enum status missing(struct service_job *job, struct err *err) {
    TRY(tell_book(job, 0, err));
    return err_set(err, ST_NOT_FOUND,
                   "the content is not at the server: it comes when a laptop that has it syncs",
                   "内容不在服务器上：持有该文件的电脑同步后即可取得");
}

static enum status wanted(struct service_job *job, struct arena *mem, struct content_reply *out,
                          struct err *err) {
    const struct content_request *asked = &job->as.content;
    struct content_reply reply = {.whole = true, .offset = asked->offset};
    enum status status = blob_bytes(&job->org->blobs, &asked->content, &reply.bytes, err);
    if (status == ST_NOT_FOUND) return missing(job, err);
    TRY(status);
    size_t most = asked->bytes_max < WIRE_PIECE_BYTES_MAX ? asked->bytes_max : WIRE_PIECE_BYTES_MAX;
    TRY(blob_read(&job->org->blobs, &asked->content, asked->offset, most, mem, &reply.piece, err));
    *out = reply;
    return ST_OK;
}

enum status service_content_answer(struct service_job *job, struct arena *mem,
                                   struct content_reply *out, struct err *err) {
    struct org_reader *handle;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    struct centre *c = org_reader_centre(handle);
    const struct content_request *asked = &job->as.content;
    TRY(content_may(c, &job->known, &asked->content, !asked->wants, err));
    return asked->wants ? wanted(job, mem, out, err) : brought(job, c, out, err);
}

/* ------------------------------------------------------------------ care */

static enum status sweep(struct service *service, struct service_org *org, struct err *err) {
    const struct env *env = service->config.env;
    struct org_config config = {
        .path = org->path, .catalogue = service->config.catalogue, .env = env};
    struct org_reader *reader;
    struct content_swept swept;
    TRY(org_reader_open(&config, &reader, err));
    enum status status = content_sweep(centre_store(org_reader_centre(reader)), &org->blobs,
                                       env->wall_ms(env->ctx), CONTENT_GC_DAYS, false, &swept, err);
    org_reader_close(reader);
    return status;
}

/* Not at the start, when every laptop comes at once. A sweep that fails is tried again tomorrow. */
void service_content_care(struct service *service, struct service_org *org) {
    const struct env *env = service->config.env;
    struct err ignored;
    int64_t now = env->boot_ms(env->ctx);
    if (org->content_swept_ms && now - org->content_swept_ms < CONTENT_SWEEP_MS) return;
    bool first = org->content_swept_ms == 0;
    org->content_swept_ms = now ? now : 1;
    if (!first) (void)sweep(service, org, &ignored);
}
