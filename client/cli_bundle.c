/* roadbook bundle: a round by stick. */
#include "client/cli.h"
#include "protocol/session/bundle.h"
#include "syncd/agent/bundle.h"

static enum status write_new(const char *path, struct slice file, struct err *err) {
    if (platform_exists(path))
        return err_set(err, ST_CONFLICT, "%s is there already: choose another name",
                       "%s 已存在：请换一个文件名", path);
    return platform_write_file_private(path, file, err);
}

static void say_made(struct cli *cli, const char *path, const struct bundle_made *made,
                     size_t bytes) {
    SCOPED(buf_free) struct buf size = buf_new(BUF_MAX_LINE);
    if (cli->json) {
        cli_json_string(cli, "file", path, true);
        cli_json_int(cli, "batches", (int64_t)made->batches, false);
        cli_json_int(cli, "bytes", (int64_t)bytes, false);
        cli_json_bool(cli, "left", made->left, false);
        buf_put_text(&cli->out, "}\n");
        return;
    }
    cli_put_bytes((int64_t)bytes, &size);
    cli_say(cli,
            "%s: %zu saves, %s. Bring it to head office: roadbook-server bundle import FILE "
            "ANSWER\n",
            "%s：%zu 次保存，%s。请带往总部：roadbook-server bundle import 文件 应答文件\n", path,
            made->batches, buf_text(&size));
    if (made->left)
        cli_say(cli, "%s", "%s",
                cli_pick(cli, "More is waiting than fits: export again after the answer.\n",
                         "待发内容超出一个文件：导入应答后请再次导出。\n"));
}

static enum status export_to(struct cli *cli, const char *path, struct err *err) {
    struct bundle_made made;
    struct slice file;
    TRY(bundle_export(cli->store, &cli->env, &cli->mem, &file, &made, err));
    TRY(write_new(path, file, err));
    say_made(cli, path, &made, file.len);
    return ST_OK;
}

enum status cli_bundle_export(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct platform_lock lock;
    (void)line;
    TRY(cli_sync_lock(cli, &lock, err));
    enum status status = export_to(cli, cli_word(cli, 0), err);
    platform_unlock(&lock);
    return status;
}

static void say_stale(struct cli *cli) {
    cli_say(cli, "%s", "%s",
            cli_pick(cli,
                     "Nothing to take: this laptop has gone on since it asked, or has this "
                     "already.\n",
                     "无需导入：本机已有这些内容，或此后已另行同步。\n"));
}

static void say_keys(struct cli *cli, bool nothing_else) {
    cli_say(cli, "%s", "%s",
            cli_pick(cli, "The org has a new key, and this laptop knows it now.\n",
                     "组织已更换密钥，本机现已获知。\n"));
    if (nothing_else)
        cli_say(cli, "%s", "%s",
                cli_pick(cli,
                         "The file that went up was sealed to the old one: make a new one "
                         "(roadbook bundle export FILE).\n",
                         "此前带去的文件以旧密钥加密：请重新导出（roadbook bundle export 文件）。"
                         "\n"));
}

static enum status import_file(struct cli *cli, const char *path, struct err *err) {
    struct bundle_taken taken;
    struct slice file;
    int64_t began = platform_mono_ms();
    TRY(platform_read_file(path, BUNDLE_BYTES_MAX, &cli->mem, &file, err));
    enum status status = bundle_import(cli->store, file, cli_sync_progress, cli, &taken, err);
    cli_progress_end(cli);
    if (status != ST_OK) return status;
    if (taken.keys && !cli->json) say_keys(cli, taken.stale);
    if (taken.stale && taken.keys && !cli->json) return ST_OK;
    if (taken.stale && !cli->json)
        say_stale(cli);
    else
        cli_sync_say(cli, &taken.result, platform_mono_ms() - began);
    if (taken.more)
        cli_note(cli, "%s", "%s",
                 cli_pick(cli, "There is more at head office: send another bundle.",
                          "总部还有更多内容：请再带一次数据包。"));
    return ST_OK;
}

enum status cli_bundle_import(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct platform_lock lock;
    (void)line;
    TRY(cli_sync_lock(cli, &lock, err));
    enum status status = import_file(cli, cli_word(cli, 0), err);
    platform_unlock(&lock);
    return status;
}
