/* roadbook-server bundle import: what a laptop sent on a stick, and the answer. */
#include <stdio.h>

#include "protocol/session/bundle.h"
#include "syncd/server/bundle.h"
#include "syncd/server/server.h"

static void say_done(struct server *server, const struct bundle_done *done, const char *answer) {
    if (server->json) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        buf_put_json_text(&text, answer);
        printf("{\"device\":%u,\"batches\":%zu,\"repeats\":%zu,\"changes\":%zu,\"rows\":%zu,"
               "\"more\":%s,\"older\":%s,\"key_only\":%s,\"answer\":%s}\n",
               (unsigned)done->device, done->push.batches, done->push.repeats, done->push.changes,
               done->records, done->more ? "true" : "false", done->older ? "true" : "false",
               done->keys_only ? "true" : "false", done->older ? "null" : buf_text(&text));
        return;
    }
    if (done->older) {
        server_tell(server,
                    "Device %u: this file is outdated: all of it came with a newer one, or over "
                    "the network. No answer was written. Make a new one on the laptop (roadbook "
                    "bundle export), then import that here.",
                    "第 %u 号设备：此文件已过时，其内容已随较新的文件或联网同步采用，未写出应答。"
                    "请在笔记本上重新导出（roadbook bundle export），再到此处导入。",
                    (unsigned)done->device);
        return;
    }
    if (done->keys_only) {
        server_tell(server,
                    "Device %u: this file cannot be read: it was sealed to a key that the org has "
                    "replaced since, or it was changed on the way. Nothing is lost, all of it is "
                    "on the laptop still. The answer %s tells the laptop the new key: roadbook "
                    "bundle import %s there, then make a new file (roadbook bundle export).",
                    "第 %u 号设备：无法读取此文件：它以组织已更换的密钥加密，或在途中被改动。内容仍"
                    "在该笔记本上，没有丢失。应答 %s 会告知新密钥：请在笔记本上运行 roadbook "
                    "bundle import %s，然后重新导出（roadbook bundle export）。",
                    (unsigned)done->device, answer, answer);
        return;
    }
    server_tell(server, "Device %u: %zu saves taken (%zu changes), %zu were here already.",
                "第 %u 号设备：已采用 %zu 次保存（%zu 项修改），%zu 次此前已有。",
                (unsigned)done->device, done->push.batches, done->push.changes, done->push.repeats);
    server_tell(server, "The answer, %zu rows: %s. On the laptop: roadbook bundle import %s",
                "应答（%zu 条）：%s。请在笔记本上运行：roadbook bundle import %s", done->records,
                answer, answer);
    if (done->more)
        server_tell(server, "%s", "%s",
                    server_say(server, "There is more: the laptop sends another bundle after it.",
                               "内容未完：笔记本导入后请再带一次数据包。"));
}

enum status server_cmd_bundle_import(void *program, const struct command_line *line,
                                     struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    const char *name, *answer_path = line->words[1];
    struct slice file, answer;
    struct bundle_done done;
    struct arena mem = arena_new(3 * (size_t)BUNDLE_BYTES_MAX);
    if (platform_exists(answer_path))
        return err_set(err, ST_CONFLICT, "%s is there already", "%s 已存在", answer_path);
    TRY(server_org_pick(server, &name, err));
    TRY(server_org_open(server, &org, err));
    TRY(server_reader_open(server, &reader, err));
    enum status status = platform_read_file(line->words[0], BUNDLE_BYTES_MAX, &mem, &file, err);
    if (status == ST_OK) status = org_bundle(org, reader, name, file, &mem, &answer, &done, err);
    if (status == ST_OK && !done.older)
        status = platform_write_file_private(answer_path, answer, err);
    if (status == ST_OK) say_done(server, &done, answer_path);
    arena_clear(&mem);
    return status;
}
