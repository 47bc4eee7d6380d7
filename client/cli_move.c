/* roadbook fetch, send: contents of attachments, now. What is asked for is marked first, so that
 * the daemon goes on with it when the line is gone. */
#include <string.h>

#include "client/cli_move.h"

enum { MOVE_SYNC_MS = 5000 }; /* rows of others are fetched that often meanwhile */

/* ------------------------------------------------------------------ moving */

static void show_progress(const struct cli *cli, const struct mover *mover) {
    struct mover_progress p;
    SCOPED(buf_free) struct buf at = buf_new(BUF_MAX_LINE), size = buf_new(BUF_MAX_LINE);
    mover_progress(mover, &p);
    if (p.size == 0) return;
    cli_put_bytes(p.at, &at);
    cli_put_bytes(p.size, &size);
    cli_progress(cli, "%lld files sent, %lld fetched, %lld left; this one: %s of %s",
                 "已发送 %lld 个文件，已取回 %lld 个，剩余 %lld 个；当前：%s / %s", (long long)p.up,
                 (long long)p.down, (long long)p.left, buf_text(&at), buf_text(&size));
}

struct moving {
    struct cli *cli;
    struct agent *agent;
    struct mover *mover;
    int64_t synced_ms; /* by the monotonic clock */
};

/* Rows first: own ones at once, others' now and then. */
static enum status sync_between(struct moving *m, struct err *err) {
    struct store_status book;
    struct agent_result result;
    TRY(store_status(m->cli->store, &book, err));
    int64_t now = platform_mono_ms();
    if (book.outbox_batches == 0 && now - m->synced_ms < MOVE_SYNC_MS) return ST_OK;
    TRY(agent_sync(m->agent, NULL, NULL, &result, err));
    m->synced_ms = platform_mono_ms();
    return ST_OK;
}

/* The lock is given back after each piece. */
static enum status move_one(struct moving *m, bool *out_more, struct err *err) {
    struct platform_lock lock;
    TRY(cli_sync_lock(m->cli, &lock, err));
    enum status status = sync_between(m, err);
    if (status == ST_OK) status = mover_step(m->mover, out_more, err);
    platform_unlock(&lock);
    return status;
}

/* A busy server names a slot: that is waited for, a few times. */
static enum status move_patiently(struct moving *m, bool *out_more, struct err *err) {
    enum { TRIES_MAX = 10, WAIT_MS_MAX = 10 * 1000, WAIT_MS = 1000 };
    enum status status = move_one(m, out_more, err);
    for (int i = 0; i < TRIES_MAX && (status == ST_BUSY || status == ST_LIMITED); i++) {
        int64_t wait_ms = agent_retry_ms(m->agent) ? (int64_t)agent_retry_ms(m->agent) : WAIT_MS;
        platform_sleep_ms(wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX);
        status = move_one(m, out_more, err);
    }
    return status;
}

static enum status move_all(struct moving *m, struct err *err) {
    bool more = true;
    while (more) {
        TRY(move_patiently(m, &more, err));
        show_progress(m->cli, m->mover);
    }
    return ST_OK;
}

enum status cli_move_contents(struct cli *cli, struct agent *agent,
                              const struct transport_door *door, bool only_wanted,
                              struct mover_progress *out, struct err *err) {
    struct moving m = {.cli = cli, .agent = agent, .synced_ms = platform_mono_ms()};
    struct mover_config config = {.agent = agent,
                                  .store = cli->store,
                                  .transport = door,
                                  .env = &cli->env,
                                  .home = cli->home,
                                  .only_wanted = only_wanted};
    TRY(mover_open(&config, &m.mover, err));
    enum status status = move_all(&m, err);
    mover_progress(m.mover, out);
    mover_close(m.mover);
    cli_progress_end(cli);
    return status;
}

void cli_move_say(struct cli *cli, const struct mover_progress *p) {
    SCOPED(buf_free) struct buf up = buf_new(BUF_MAX_LINE), down = buf_new(BUF_MAX_LINE);
    if (p->up + p->down + p->refused == 0) return;
    cli_put_bytes(p->bytes_up, &up);
    cli_put_bytes(p->bytes_down, &down);
    cli_say(cli, "Files: %lld sent (%s), %lld fetched (%s)\n",
            "文件：已发送 %lld 个（%s），已取回 %lld 个（%s）\n", (long long)p->up, buf_text(&up),
            (long long)p->down, buf_text(&down));
    if (p->refused > 0)
        cli_say(cli, "%lld could not be moved: roadbook attachments says why\n",
                "%lld 个未能传输：原因见 roadbook attachments\n", (long long)p->refused);
}

/* ------------------------------------------------------------------ what is asked for */

struct wish {
    struct cli *cli;
    struct blobs blobs;
    bool up;
    int64_t row, account; /* only that one; 0: any */
    int64_t marked, done_already, elsewhere;
    int64_t elsewhere_row; /* one of those */
};

static enum status wish_row(void *ctx, const struct attachment *a, struct err *err) {
    struct wish *w = ctx;
    if (!a->is_sound || (w->row && a->row != w->row)) return ST_OK;
    if (w->account && a->account != w->account) return ST_OK;
    bool here = blob_is_here(&w->blobs, &a->content), there = a->arrived_ms != 0;
    if (w->up ? there : here) {
        w->done_already++;
        return ST_OK;
    }
    if (w->up ? !here : !there) {
        w->elsewhere++;
        w->elsewhere_row = a->row;
        return ST_OK;
    }
    blob_unmark(&w->blobs, MOVER_MARK_NO, &a->content);
    w->marked++;
    return blob_mark(&w->blobs, MOVER_MARK_WANT, &a->content, (struct slice){0}, err);
}

static enum status wish_list(struct wish *w, struct err *err) {
    return attachment_list(w->cli->store, NULL, false, wish_row, w, err);
}

static enum status wish_word(struct wish *w, const char *word, struct err *err) {
    const struct entity *e = attachment_entity(w->cli->cat);
    TRY(store_resolve(w->cli->store, e, slice_from(word), &w->row, err));
    return wish_list(w, err);
}

static enum status wish_all(struct wish *w, struct err *err) {
    const struct command_line *line = w->cli->line;
    const char *account = command_value(line, "--account");
    const struct entity *e = catalogue_entity(w->cli->cat, SLICE("account"));
    for (size_t i = 0; i < line->word_count; i++) TRY(wish_word(w, line->words[i], err));
    if (line->word_count > 0) return ST_OK;
    if (account) TRY(store_resolve(w->cli->store, e, slice_from(account), &w->account, err));
    if (account || command_has(line, "--all")) return wish_list(w, err);
    return err_set(err, ST_USAGE, "say which attachments: their ids, --account ACCOUNT, or --all",
                   "请指明附件：编号、--account 客户 或 --all");
}

static void say_elsewhere(const struct wish *w) {
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    struct slice person;
    uint32_t device = attachment_device(w->elsewhere_row);
    if (w->elsewhere == 0) return;
    if (store_person(w->cli->store, device, &mem, &person, NULL) != ST_OK) return;
    cli_note(w->cli,
             "%lld not at the server yet: on the laptop of %.*s (device %u), which sends them when "
             "it syncs",
             "%lld 个尚未到达服务器：在 %.*s 的电脑上（设备 %u），其同步后即可取得",
             (long long)w->elsewhere, (int)person.len, (const char *)person.data, device);
}

/* ------------------------------------------------------------------ the commands */

static enum status move_with(struct cli *cli, struct transport *transport,
                             struct mover_progress *out, struct err *err) {
    struct transport_door door = transport_door(transport);
    struct agent_config config = {
        .store = cli->store, .catalogue = &cli->catalogue, .env = &cli->env, .transport = &door};
    struct agent *agent;
    TRY(agent_open(&config, &agent, err));
    enum status status = cli_move_contents(cli, agent, &door, true, out, err);
    agent_close(agent);
    return status;
}

static enum status move_wanted(struct cli *cli, struct mover_progress *out, struct err *err) {
    struct transport *transport;
    TRY(transport_start(err));
    enum status status = book_transport(cli->store, &transport, err);
    if (status == ST_OK) {
        status = move_with(cli, transport, out, err);
        transport_close(transport);
    }
    transport_end();
    return status;
}

static void say_result(struct wish *w, const struct mover_progress *p) {
    struct cli *cli = w->cli;
    if (cli->json) {
        cli_json_int(cli, "sent", p->up, true);
        cli_json_int(cli, "fetched", p->down, false);
        cli_json_int(cli, "refused", p->refused, false);
        cli_json_int(cli, "already", w->done_already, false);
        cli_json_int(cli, "elsewhere", w->elsewhere, false);
        cli_json_int(cli, "bytes_up", p->bytes_up, false);
        cli_json_int(cli, "bytes_down", p->bytes_down, false);
        buf_put_text(&cli->out, "}\n");
        return;
    }
    cli_move_say(cli, p);
    if (w->marked == 0 && w->elsewhere == 0)
        cli_say(cli, w->up ? "All of them are at the server.\n" : "All of them are here.\n",
                w->up ? "均已在服务器上。\n" : "均已在本机。\n");
    say_elsewhere(w);
}

static enum status move_command(struct cli *cli, bool up, struct err *err) {
    struct wish w = {.cli = cli, .up = up};
    struct mover_progress p = {0};
    TRY(mover_blobs(cli->home, &w.blobs, err));
    TRY(wish_all(&w, err));
    if (w.marked > 0) {
        enum status status = move_wanted(cli, &p, err);
        if (status != ST_OK)
            return err_wrap(err, status, "it is remembered and goes on with the next sync",
                            "已记下，将在下次同步时继续");
    }
    say_result(&w, &p);
    if (p.refused == 0) return ST_OK;
    return err_set(err, ST_CONFLICT, "not all of it could be moved: roadbook attachments says why",
                   "部分文件未能传输：原因见 roadbook attachments");
}

enum status cli_move_fetch(void *program, const struct command_line *line, struct err *err) {
    (void)line;
    return move_command(program, false, err);
}

enum status cli_move_send(void *program, const struct command_line *line, struct err *err) {
    (void)line;
    return move_command(program, true, err);
}
