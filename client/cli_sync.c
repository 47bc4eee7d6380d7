/* roadbook enroll, sync, status: the laptop and its server. */
#include <stdio.h>
#include <string.h>

#include "client/cli_move.h"
#include "syncd/agent/wipe.h"

enum {
    SYNC_PATH_BYTES = 4096,
    SYNC_LOCK_WAIT_MS = 60 * 1000, /* the daemon's round ends sooner as a rule */
    SYNC_LOCK_LOOK_MS = 20,
    LINK_BYTES = 4096 /* far more than a link has */
};

/* ------------------------------------------------------------------ one at a time */

enum status cli_sync_lock(const struct cli *cli, struct platform_lock *out, struct err *err) {
    char path[SYNC_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", cli->home, AGENT_LOCK_FILE);
    if (n <= 0 || n >= SYNC_PATH_BYTES)
        return err_set(err, ST_USAGE, "the path is too long: %s", "路径过长：%s", cli->home);
    int64_t until = platform_mono_ms() + SYNC_LOCK_WAIT_MS;
    for (;;) {
        enum status status = platform_lock_try(path, out, err);
        if (status != ST_BUSY) return status;
        if (platform_mono_ms() > until)
            return err_set(
                err, ST_BUSY,
                "another sync of this book is still running: wait for it, then try again",
                "本账本的另一次同步仍在进行：请稍候再试");
        cli_progress(cli, "another sync is running, waiting for it ...",
                     "另一次同步正在进行，请稍候……");
        platform_sleep_ms(SYNC_LOCK_LOOK_MS);
    }
}

/* ------------------------------------------------------------------ sync */

bool cli_sync_progress(void *ctx, const struct agent_progress *p) {
    const struct cli *cli = ctx;
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    cli_put_bytes(p->bytes_up + p->bytes_down, &bytes);
    if (p->filling) {
        cli_progress(cli, "loading what you may see: %lld rows so far, %s; usable meanwhile",
                     "正在载入您可见的内容：已收到 %lld 条，%s；期间可正常使用",
                     (long long)p->rows_received, buf_text(&bytes));
        return true;
    }
    cli_progress(cli, "syncing: %lld batches sent, %lld rows received, %s",
                 "同步中：已发送 %lld 批，已收到 %lld 条，%s", (long long)p->batches_sent,
                 (long long)p->rows_received, buf_text(&bytes));
    return true;
}

/* The server is told now, or by whoever comes here next. */
static enum status wiped(const struct cli *cli, struct err *err) {
    struct err ignored;
    (void)wipe_tell(cli->home, &ignored);
    return wipe_check(cli->home, err);
}

/* Who asked for the proof hears why there is none. */
static void say_not_proved(struct cli *cli, enum status status, const struct err *why) {
    if (status != ST_OK)
        cli_note(cli, "this book could not be compared with the server's: %s",
                 "无法将本机账本与服务器比对：%s", why->text[cli->lang]);
    else
        cli_note(cli, "%s", "%s",
                 cli_pick(cli,
                          "this book could not be compared with the server's yet: something is "
                          "still to come or to be answered",
                          "暂时无法与服务器比对：仍有内容未收到或未答复"));
}

/* Rows that were not what the server says were put right: it should never happen, so it is said. */
static void prove(struct cli *cli, struct agent *agent) {
    enum { ROWS_AT_ONCE = 2000 };
    int64_t rows = command_has(cli->line, "--verify") ? INT64_MAX : ROWS_AT_ONCE;
    bool wanted = rows > ROWS_AT_ONCE;
    struct agent_proof proof;
    struct err why;
    if (wanted) (void)store_prove_again(cli->store, 0, 1, &why);
    enum status status = agent_prove(agent, cli->store, rows, &proof, &why);
    if (status != ST_OK || (proof.repaired == 0 && proof.proof != BOOK_EQUAL)) {
        if (wanted) say_not_proved(cli, status, &why);
        return;
    }
    if (proof.repaired > 0)
        cli_note(cli,
                 "%lld rows on this laptop were not what the server has and were put right: tell "
                 "the administrator",
                 "本机有 %lld 条记录与服务器不一致，已更正：请告知管理员",
                 (long long)proof.repaired);
    else if (wanted)
        cli_note(cli, "%s", "%s",
                 cli_pick(cli, "this book equals the server's", "本机账本与服务器一致"));
}

static enum status sync_locked(struct cli *cli, struct agent *agent, struct agent_result *out,
                               struct err *err) {
    struct platform_lock lock;
    TRY(cli_sync_lock(cli, &lock, err));
    enum status status = agent_sync(agent, cli_sync_progress, cli, out, err);
    struct device_order order;
    if (status == ST_OK) prove(cli, agent);
    bool must_wipe = status == ST_REVOKED && agent_order(agent, &order) == ORDER_WIPE;
    if (must_wipe) status = wipe_book(&cli->store, cli->home, &order, &cli->env, err);
    cli_book_moved(cli);
    platform_unlock(&lock);
    cli_progress_end(cli);
    return must_wipe && status == ST_OK ? wiped(cli, err) : status;
}

/* Rows, then contents; that these could not be moved is no failure of the sync. */
static enum status sync_over(struct cli *cli, struct transport *transport, struct agent_result *out,
                             struct mover_progress *moved, struct err *err) {
    struct transport_door door = transport_door(transport);
    struct agent_config config = {.store = cli->store,
                                  .catalogue = &cli->catalogue,
                                  .env = &cli->env,
                                  .transport = &door,
                                  .trace_dir = command_value(cli->line, "--trace"),
                                  .home = cli->home};
    struct agent *agent;
    struct err why;
    if (config.trace_dir) TRY(platform_make_dir(config.trace_dir, err));
    TRY(agent_open(&config, &agent, err));
    enum status status = sync_locked(cli, agent, out, err);
    bool moves = status == ST_OK && moved && !command_has(cli->line, "--rows-only");
    if (moves && cli_move_contents(cli, agent, &door, false, moved, &why) != ST_OK)
        cli_note(cli, "The files are not all moved yet: %s", "文件尚未全部传输：%s",
                 why.text[cli->lang]);
    agent_close(agent);
    return status;
}

/* moved NULL: rows only. */
static enum status sync_book(struct cli *cli, struct agent_result *out,
                             struct mover_progress *moved, struct err *err) {
    struct transport *transport;
    TRY(book_transport(cli->store, &transport, err));
    enum status status = sync_over(cli, transport, out, moved, err);
    transport_close(transport);
    return status;
}

static void put_part(struct cli *cli, int64_t count, const char *en, const char *zh, bool *first) {
    if (count == 0) return;
    buf_put_text(&cli->out, *first ? cli_pick(cli, ": ", "：") : cli_pick(cli, ", ", "，"));
    cli_say(cli, en, zh, (long long)count);
    *first = false;
}

/* What is left for the person to look at, also of earlier rounds. */
static void say_open(struct cli *cli, const struct agent_result *r) {
    struct store_status s;
    struct err ignored;
    if (store_status(cli->store, &s, &ignored) != ST_OK) return;
    if (r->waits && s.outbox_changes)
        cli_say(cli,
                s.outbox_changes == 1
                    ? "%lld change of yours waits here: the server recovers, and lacks a row that "
                      "it names; it goes by itself as soon as it can: roadbook pending\n"
                    : "%lld changes of yours wait here: the server recovers, and lacks rows that "
                      "they name; they go by themselves as soon as they can: roadbook pending\n",
                "您有 %lld 项修改在本机等待：服务器正在恢复，缺少其所涉记录；可行时会自动发送："
                "roadbook pending\n",
                (long long)s.outbox_changes);
    if (s.conflicts_open)
        cli_say(cli,
                s.conflicts_open == 1 ? "%lld conflict to look at: roadbook conflicts\n"
                                      : "%lld conflicts to look at: roadbook conflicts\n",
                "有 %lld 项冲突可查看：roadbook conflicts\n", (long long)s.conflicts_open);
    if (s.held_open)
        cli_say(cli,
                s.held_open == 1 ? "%lld edit was not taken: roadbook held\n"
                                 : "%lld edits were not taken: roadbook held\n",
                "有 %lld 项修改未被接受：roadbook held\n", (long long)s.held_open);
    if (s.others_held)
        cli_say(cli,
                s.others_held == 1
                    ? "%lld edit of another, of a row that is yours now, waits: roadbook held\n"
                    : "%lld edits of others, of rows that are yours now, wait: roadbook held\n",
                "有 %lld 项他人的修改涉及现归您的记录，待处理：roadbook held\n",
                (long long)s.others_held);
}

/* What head office decided since. */
static void say_decided(struct cli *cli, const struct apply_counts *c) {
    if (c->approved)
        cli_say(cli,
                c->approved == 1 ? "%lld of your change requests was approved\n"
                                 : "%lld of your change requests were approved\n",
                "您的 %lld 项变更申请已获批准\n", (long long)c->approved);
    struct store_status s = {0};
    if (c->declined == 0) return;
    cli_say(cli, "head office declined %lld of your edits", "总部未批准您的 %lld 项修改",
            (long long)c->declined);
    bool listed = store_status(cli->store, &s, NULL) == ST_OK && s.declined > 0;
    cli_say(cli, "%s\n", "%s\n",
            listed ? cli_pick(cli, ": roadbook held", "：roadbook held")
                   : cli_pick(cli, ", of rows that left this laptop", "（所涉记录已移出本机）"));
}

static void say_summary(struct cli *cli, const struct agent_result *r, int64_t took_ms) {
    const struct apply_counts *c = &r->counts;
    int64_t sent = c->applied + c->merged + c->lost + c->waiting + c->refused;
    bool first = true;
    SCOPED(buf_free) struct buf up = buf_new(BUF_MAX_LINE), down = buf_new(BUF_MAX_LINE);
    cli_put_bytes(r->progress.bytes_up, &up);
    cli_put_bytes(r->progress.bytes_down, &down);
    cli_say(cli, "%lld %s sent", "已发送 %lld 项%s", (long long)sent,
            sent == 1 ? cli_pick(cli, "change", "修改") : cli_pick(cli, "changes", "修改"));
    put_part(cli, c->applied, "%lld applied", "%lld 项已采用", &first);
    put_part(cli, c->merged, "%lld merged", "%lld 项已合并", &first);
    put_part(cli, c->lost, "%lld gave way to a later edit", "%lld 项未被采用", &first);
    put_part(cli, c->waiting + c->refused,
             c->waiting + c->refused == 1 ? "%lld needs you" : "%lld need you", "%lld 项需要您处理",
             &first);
    cli_say(cli,
            c->rows_changed + c->rows_gone == 1 ? "; %lld row received; %s up, %s down, %.1f s\n"
                                                : "; %lld rows received; %s up, %s down, %.1f s\n",
            "；收到 %lld 条；上行 %s，下行 %s，用时 %.1f 秒\n",
            (long long)(c->rows_changed + c->rows_gone), buf_text(&up), buf_text(&down),
            (double)took_ms / 1000.0);
    if (r->went_back)
        cli_say(cli,
                "the server came back from a backup: it gets back what it forgot of your work; "
                "until all laptops were there, rows of others may be missing or older\n",
                "服务器已从备份恢复：它所缺的您的修改会交还给它；在所有笔记本都同步之前，"
                "他人的记录可能缺失或较旧\n");
    say_decided(cli, c);
    say_open(cli, r);
}

/* moved NULL: no files were asked for. */
static void summary_json(struct cli *cli, const struct agent_result *r,
                         const struct mover_progress *moved, const struct cli_moved *before,
                         int64_t took_ms) {
    const struct apply_counts *c = &r->counts;
    cli_json_int(cli, "rounds", r->progress.rounds, true);
    cli_json_int(cli, "batches_sent", r->progress.batches_sent, false);
    cli_json_int(cli, "changes_sent", c->applied + c->merged + c->lost + c->waiting + c->refused,
                 false);
    cli_json_int(cli, "applied", c->applied, false);
    cli_json_int(cli, "merged", c->merged, false);
    cli_json_int(cli, "lost", c->lost, false);
    cli_json_int(cli, "waiting", c->waiting, false);
    cli_json_int(cli, "refused", c->refused, false);
    cli_json_int(cli, "approved", c->approved, false);
    cli_json_int(cli, "declined", c->declined, false);
    cli_json_int(cli, "rows_received", r->progress.rows_received, false);
    cli_json_int(cli, "rows_changed", c->rows_changed, false);
    cli_json_int(cli, "rows_gone", c->rows_gone, false);
    cli_moved_say(cli, before);
    cli_json_int(cli, "bytes_up", r->progress.bytes_up, false);
    cli_json_int(cli, "bytes_down", r->progress.bytes_down, false);
    if (moved) {
        cli_json_int(cli, "files_sent", moved->up, false);
        cli_json_int(cli, "files_fetched", moved->down, false);
        cli_json_int(cli, "files_refused", moved->refused, false);
    }
    if (r->went_back) cli_json_bool(cli, "server_went_back", true, false);
    cli_json_int(cli, "took_ms", took_ms, false);
    cli_json_int(cli, "cursor", r->progress.cursor, false);
    cli_json_int(cli, "head", r->progress.head, false);
    buf_put_text(&cli->out, "}\n");
}

void cli_sync_say(struct cli *cli, const struct agent_result *result, int64_t took_ms) {
    if (cli->json)
        summary_json(cli, result, NULL, NULL, took_ms);
    else
        say_summary(cli, result, took_ms);
}

enum status cli_sync_run(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct agent_result result = {0};
    struct mover_progress moved = {0};
    (void)line;
    TRY(transport_start(err));
    int64_t began = platform_mono_ms();
    const struct cli_moved *before = cli_moved_before(cli);
    enum status status = sync_book(cli, &result, &moved, err);
    transport_end();
    if (status != ST_OK) return status;
    if (cli->json)
        summary_json(cli, &result, &moved, before, platform_mono_ms() - began);
    else
        say_summary(cli, &result, platform_mono_ms() - began);
    if (cli->json) return ST_OK;
    cli_moved_say(cli, before);
    cli_move_say(cli, &moved);
    return ST_OK;
}

/* ------------------------------------------------------------------ enroll */

/* Asked for; or nobody knows any more who made what was saved here. */
static enum status enrols_again(const struct cli *cli, bool *out, struct err *err) {
    uint32_t newest;
    TRY(store_newest_batch(cli->store, &newest, err));
    *out = cli->identity.device != 0 ? command_has(cli->line, "--again") : newest > 0;
    return ST_OK;
}

static enum status enroll_over(struct cli *cli, struct transport *transport,
                               const struct session_link *link, struct slice name,
                               struct err *err) {
    struct transport_door door = transport_door(transport);
    struct agent_config config = {
        .store = cli->store, .catalogue = &cli->catalogue, .env = &cli->env, .transport = &door};
    struct agent *agent;
    TRY(agent_open(&config, &agent, err));
    bool again;
    enum status status = enrols_again(cli, &again, err);
    if (status == ST_OK && again)
        status = book_enroll_again(&cli->store, agent, cli->home, &cli->catalogue, &cli->env, link,
                                   name, err);
    else if (status == ST_OK)
        status = agent_enroll(agent, link, name, err);
    cli_book_moved(cli);
    agent_close(agent);
    return status;
}

static enum status enroll_book(struct cli *cli, const struct session_link *link, struct slice name,
                               struct err *err) {
    struct transport_config config = {.base_url = link->base_url,
                                      .tls_pin = link->has_tls_pin ? link->tls_pin : NULL};
    struct platform_lock lock;
    struct transport *transport;
    TRY(transport_open(&config, &transport, err));
    enum status status = cli_sync_lock(cli, &lock, err);
    if (status == ST_OK) {
        status = enroll_over(cli, transport, link, name, err);
        platform_unlock(&lock);
    }
    transport_close(transport);
    if (status == ST_OK) status = store_identity(cli->store, &cli->identity, err);
    return status;
}

static struct slice device_name(const struct cli *cli, char buffer[256]) {
    const char *typed = command_value(cli->line, "--name");
    if (typed) return slice_from(typed);
    return platform_host_name(buffer, 256) ? slice_from(buffer) : SLICE("laptop");
}

static void say_enrolled(struct cli *cli, const struct agent_result *first, bool synced,
                         int64_t took_ms) {
    const struct store_identity *me = &cli->identity;
    if (cli->json) {
        cli_json_string(cli, "org", me->org, true);
        cli_json_string(cli, "org_label", me->org_label, false);
        cli_json_string(cli, "user", me->user, false);
        cli_json_int(cli, "device", me->device, false);
        cli_json_string(cli, "server", me->base_url, false);
        cli_json_bool(cli, "synced", synced, false);
        buf_put_text(&cli->out, "}\n");
        return;
    }
    cli_say(cli, "This laptop now keeps the book of %s for %s (device %u).\n",
            "本机已登记：%s，用户 %s（设备 %u）。\n", me->org_label[0] ? me->org_label : me->org,
            me->user, me->device);
    if (synced) say_summary(cli, first, took_ms);
}

/* The link in the command line, or asked for: other users see the list of processes. */
static enum status read_link(const struct cli *cli, struct session_link *out, struct err *err) {
    char buffer[LINK_BYTES];
    const char *typed = cli_word(cli, 0);
    bool asked = !typed[0] || !strcmp(typed, "-");
    struct slice text = slice_from(typed);
    if (!typed[0] && (cli->json || !platform_is_terminal(PLATFORM_STDIN)))
        return err_set(
            err, ST_USAGE,
            "the link is missing: give it as the next word, or - to read it from standard "
            "input",
            "缺少登记链接：请写在命令之后，或写 - 从标准输入读取");
    if (asked)
        TRY(cli_ask(cli, "Link from head office: ", "总部提供的登记链接：", buffer, sizeof buffer,
                    &text, err));
    enum status status = session_link_read(slice_trim(text), out, err);
    if (asked) bytes_wipe(buffer, sizeof buffer);
    return status;
}

/* Roadbook does not encrypt the book by itself. */
static void warn_of_disk(const struct cli *cli) {
    if (platform_disk_encryption(cli->home) != PLATFORM_DISK_PLAIN) return;
    cli_note(cli,
             "This disk is not encrypted, as far as the system says: whoever gets this laptop can "
             "read the book. Have the disk encrypted (LUKS, BitLocker, FileVault).",
             "据系统所示，此磁盘未加密：拿到本机的人可以读取账本。请加密磁盘（LUKS、BitLocker、"
             "FileVault）。");
}

/* Where a book was deleted by order of head office, a new link is head office's leave for another.
 */
static enum status make_room(const struct cli *cli, struct err *err) {
    struct err ignored;
    (void)wipe_tell(cli->home, &ignored);
    return platform_is_dir(cli->home) ? wipe_forget(cli->home, err) : ST_OK;
}

enum status cli_sync_enroll(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct session_link link;
    struct agent_result first = {0};
    struct err sync_err = {0};
    char buffer[256] = "";
    bool wanted = !command_has(line, "--no-sync");
    TRY(read_link(cli, &link, err));
    TRY(transport_start(err));
    enum status status = make_room(cli, err);
    if (status == ST_OK) status = cli_book_open(cli, false, err);
    if (status == ST_OK) status = enroll_book(cli, &link, device_name(cli, buffer), err);
    int64_t began = platform_mono_ms();
    enum status synced =
        status == ST_OK && wanted ? sync_book(cli, &first, NULL, &sync_err) : ST_OK;
    transport_end();
    if (status != ST_OK) return status;
    say_enrolled(cli, &first, wanted && synced == ST_OK, platform_mono_ms() - began);
    warn_of_disk(cli);
    if (synced != ST_OK)
        cli_note(cli, "The first sync did not work yet: %s. Try again with: roadbook sync",
                 "首次同步尚未成功：%s。请稍后运行 roadbook sync", sync_err.text[cli->lang]);
    return ST_OK;
}

/* ------------------------------------------------------------------ status */

static int64_t time_back_s(struct cli *cli) {
    struct slice text;
    int64_t seconds = 0;
    enum status status = store_setting(cli->store, AGENT_TIME_BACK_SETTING, &cli->mem, &text, NULL);
    return status == ST_OK && text_to_int(text, &seconds) ? seconds : 0;
}

/* The newest change of the org's key that this laptop has heard of; time_ms 0: there was none. */
static struct key_change newest_key(struct cli *cli, uint32_t *out_count) {
    struct key_changes keys = {0};
    struct key_change none = {.time_ms = 0};
    bool told = store_org_keys(cli->store, &cli->mem, &keys, NULL) == ST_OK && keys.count > 0;
    *out_count = told ? keys.total : 0;
    return told ? keys.items[keys.count - 1] : none;
}

static int64_t age_ms(const struct store_status *s, const struct store_lease *lease) {
    int64_t now = lease->by_wall_ms > lease->now_ms ? lease->by_wall_ms : lease->now_ms;
    int64_t age = s->last_round_ms > 0 ? now - s->last_round_ms : 0;
    return age > 0 ? age : 0;
}

static void status_json(struct cli *cli, const struct store_status *s,
                        const struct store_lease *lease) {
    const struct store_identity *me = &cli->identity;
    cli_json_string(cli, "user", me->user, true);
    cli_json_int(cli, "employee", me->employee, false);
    cli_json_string(cli, "org", me->org, false);
    cli_json_string(cli, "org_label", me->org_label, false);
    cli_json_string(cli, "server", me->base_url, false);
    cli_json_int(cli, "device", me->device, false);
    cli_json_int(cli, "rows", s->rows, false);
    cli_json_int(cli, "pending_batches", s->outbox_batches, false);
    cli_json_int(cli, "pending_changes", s->outbox_changes, false);
    cli_json_int(cli, "unsent_batches", s->unsent_batches, false);
    cli_json_int(cli, "conflicts", s->conflicts_open, false);
    cli_json_int(cli, "held", s->held_open, false);
    cli_json_int(cli, "declined", s->declined, false);
    cli_json_int(cli, "others_held", s->others_held, false);
    cli_json_int(cli, "epoch", s->epoch, false);
    cli_json_int(cli, "cursor", s->cursor, false);
    cli_json_int(cli, "head", s->head, false);
    cli_json_bool(cli, "complete", s->complete, false);
    cli_json_int(cli, "homes", s->homes, false);
    cli_json_bool(cli, "filling", s->filling, false);
    cli_json_int(cli, "homes_to_fill", s->homes_to_fill, false);
    cli_json_int(cli, "leaving", s->leaving, false);
    cli_json_time(cli, "data_as_of", s->last_round_ms, false);
    cli_json_int(cli, "data_age_s", age_ms(s, lease) / 1000, false);
    cli_json_time(cli, "offline_until", lease->until_ms, false);
    cli_json_bool(cli, "locked", lease->locked, false);
    cli_json_int(cli, "server_time_back_s", time_back_s(cli), false);
    uint32_t key_changes;
    int64_t key_since_ms = newest_key(cli, &key_changes).time_ms;
    cli_json_int(cli, "key_changes", key_changes, false);
    cli_json_time(cli, "key_since", key_since_ms, false);
    cli_json_time(cli, "last_attempt", s->last_attempt_ms, false);
    cli_json_key(cli, "last_error", false);
    if (s->last_error[cli->lang][0])
        buf_put_json_text(&cli->out, s->last_error[cli->lang]);
    else
        buf_put_text(&cli->out, "null");
    cli_json_string(cli, "home", cli->home, false);
    buf_put_text(&cli->out, "}\n");
}

static void say_time(struct cli *cli, const char *en, const char *zh, int64_t unix_ms) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    cli_put_time(cli, unix_ms, &text);
    cli_say(cli, en, zh, unix_ms ? buf_text(&text) : cli_pick(cli, "never", "从未"));
}

/* A server that knows no homes shows everything. */
static void say_homes(struct cli *cli, const struct store_status *s) {
    if (s->filling)
        cli_say(cli, "Loading:     usable; %lld rows so far, %lld of %lld homes to go\n",
                "载入：      可以使用；已载入 %lld 条，%lld / %lld 个范围尚未完成\n",
                (long long)s->rows, (long long)s->homes_to_fill, (long long)s->homes);
    if (s->homes)
        cli_say(cli, "Homes:       %lld (roadbook scope)\n",
                "可见范围：  %lld 个（roadbook scope）\n", (long long)s->homes);
    if (s->leaving)
        cli_say(
            cli,
            s->leaving == 1 ? "Leaving:     %lld row, read-only until your edit is answered\n"
                            : "Leaving:     %lld rows, read-only until your edits are answered\n",
            "即将离开：  %lld 条记录，只读，待服务器答复您的修改后移除\n", (long long)s->leaving);
}

/* " (3 hours ago)"; nothing of the last minutes. */
static void say_age(struct cli *cli, int64_t ms) {
    enum { SHORT_MS = 10 * 60 * 1000, HOUR = 3600 * 1000, DAYS_FROM_HOURS = 48 };
    int64_t hours = ms / HOUR;
    if (ms < SHORT_MS) return;
    if (hours < 1)
        cli_say(cli, " (%lld minutes ago)", "（%lld 分钟前）", (long long)(ms / 60000));
    else if (hours < DAYS_FROM_HOURS)
        cli_say(cli, hours == 1 ? " (%lld hour ago)" : " (%lld hours ago)", "（%lld 小时前）",
                (long long)hours);
    else
        cli_say(cli, " (%lld days ago)", "（%lld 天前）", (long long)(hours / 24));
}

static void say_key(struct cli *cli) {
    uint32_t count;
    struct key_change newest = newest_key(cli, &count);
    if (count > 0)
        say_time(cli, "Org's key:   changed, last on %s\n", "组织密钥：  已更换，最近一次 %s\n",
                 newest.time_ms);
}

/* Told when a week is left. */
static void say_lease(struct cli *cli, const struct store_lease *lease) {
    enum { WEEK_MS = 7 * 24 * 3600 * 1000 };
    if (lease->until_ms == 0 || lease->until_ms - lease->now_ms > WEEK_MS) return;
    say_time(cli,
             lease->locked ? "Locked:      offline for too long, since %s. Run: roadbook sync\n"
                           : "Offline:     the book can be used until %s; sync before that\n",
             lease->locked ? "已锁定：    离线过久，自 %s 起。请运行 roadbook sync\n"
                           : "离线期限：  可使用至 %s；请在此之前同步\n",
             lease->until_ms);
}

static void status_text_lines(struct cli *cli, const struct store_status *s,
                              const struct store_lease *lease) {
    const struct store_identity *me = &cli->identity;
    cli_say(cli, "User:        %s, %s (device %u)\n", "用户：      %s，%s（设备 %u）\n", me->user,
            me->org_label[0] ? me->org_label : me->org, me->device);
    cli_say(cli, "Server:      %s\n", "服务器：    %s\n", me->base_url);
    cli_say(cli, "Rows:        %lld\n", "记录数：    %lld\n", (long long)s->rows);
    say_time(cli, "Data as of:  %s", "数据截至：  %s", s->last_round_ms);
    say_age(cli, age_ms(s, lease));
    cli_say(cli, "%s\n", "%s\n",
            s->last_round_ms && !s->complete
                ? cli_pick(cli, " (more is still to come)", "（尚有内容未收完）")
                : "");
    say_homes(cli, s);
    say_lease(cli, lease);
    say_key(cli);
    if (time_back_s(cli) > 0)
        cli_say(cli, "Server:      its clock went back by %lld s; tell the administrator\n",
                "服务器：    其时钟倒退了 %lld 秒，请告知管理员\n", (long long)time_back_s(cli));
    cli_say(cli, "Position:    %lld of %lld\n", "进度：      %lld / %lld\n", (long long)s->cursor,
            (long long)s->head);
    cli_say(cli,
            s->outbox_changes == 1 ? "To send:     %lld change\n" : "To send:     %lld changes\n",
            "待发送：    %lld 项修改\n", (long long)s->outbox_changes);
    if (s->conflicts_open)
        cli_say(cli, "Conflicts:   %lld (roadbook conflicts)\n",
                "冲突：      %lld 项（roadbook conflicts）\n", (long long)s->conflicts_open);
    if (s->held_open)
        cli_say(cli,
                s->held_open == 1 ? "Held:        %lld needs you (roadbook held)\n"
                                  : "Held:        %lld need you (roadbook held)\n",
                "需处理：    %lld 项（roadbook held）\n", (long long)s->held_open);
    if (s->declined)
        cli_say(cli, "Declined:    %lld by head office (roadbook held)\n",
                "未获批准：  %lld 项（roadbook held）\n", (long long)s->declined);
    if (s->others_held)
        cli_say(cli,
                s->others_held == 1 ? "Of others:   %lld edit waits (roadbook held)\n"
                                    : "Of others:   %lld edits wait (roadbook held)\n",
                "他人修改：  %lld 项待处理（roadbook held）\n", (long long)s->others_held);
    if (!s->last_error[cli->lang][0]) return;
    say_time(cli, "Last try:    %s", "上次尝试：  %s", s->last_attempt_ms);
    cli_say(cli, "\n             %s\n", "\n            %s\n", s->last_error[cli->lang]);
}

enum status cli_sync_status(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct store_status s;
    (void)line;
    struct store_lease lease;
    TRY(store_status(cli->store, &s, err));
    TRY(store_lease(cli->store, &lease, err));
    if (cli->json)
        status_json(cli, &s, &lease);
    else
        status_text_lines(cli, &s, &lease);
    return ST_OK;
}
