/* The command line: the table of commands, and what follows from it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/session/session.h"
#include "syncd/server/server.h"

#define GLOBAL_OPTIONS " home= org= lang= json help as= "

const struct server_command SERVER_COMMANDS[] = {
    {"init",
     "[DIR] [--public-url URL] [--listen HOST:PORT]",
     " public-url= listen= ",
     0,
     1,
     server_cmd_init,
     {"make the home folder, a TLS certificate and the configuration",
      "建立主目录、TLS 证书和配置文件"}},
    {"serve",
     "[--listen HOST:PORT] [--unix PATH] [--cert FILE --key FILE] [--public-url URL] [--trace DIR]",
     " listen= unix= cert= key= public-url= trace= workers= plain verbose ",
     0,
     0,
     server_cmd_serve,
     {"serve laptops until stopped", "为各笔记本提供同步服务，直到停止"}},
    {"org add",
     "NAME [--label TEXT]",
     " label= ",
     1,
     1,
     server_cmd_org_add,
     {"add an org", "新建机构"}},
    {"org list", "", " ", 0, 0, server_cmd_org_list, {"list the orgs", "列出机构"}},
    {"user add",
     "LOGIN [--name NAME] [--role rep|manager|office]",
     " name= role= ",
     1,
     1,
     server_cmd_user_add,
     {"add a user and the employee row", "新建用户及其员工记录"}},
    {"user list", "", " ", 0, 0, server_cmd_user_list, {"list the users", "列出用户"}},
    {"user deactivate",
     "LOGIN",
     " ",
     1,
     1,
     server_cmd_user_deactivate,
     {"a user's laptops get no rounds any more", "停用用户，其笔记本不再同步"}},
    {"user activate",
     "LOGIN",
     " ",
     1,
     1,
     server_cmd_user_activate,
     {"the opposite", "恢复已停用的用户"}},
    {"device list", "", " ", 0, 0, server_cmd_device_list, {"list the laptops", "列出笔记本"}},
    {"device revoke",
     "NUMBER",
     " ",
     1,
     1,
     server_cmd_device_revoke,
     {"shut a lost laptop out", "停用丢失的笔记本"}},
    {"link",
     "LOGIN [--days N] [--qr]",
     " days= qr no-pin ",
     1,
     1,
     server_cmd_link,
     {"print a one-time link that enrols a laptop", "生成一次性登记链接"}},
    {"import",
     "ENTITY FILE.csv [--map COLUMN=field,...] [--match FIELD] [--dry-run]",
     " map= match= dry-run create-only update-only encoding= report= ",
     2,
     2,
     server_cmd_import,
     {"import rows as head office", "以总部身份导入数据"}},
    {"export",
     "ENTITY [--format csv|jsonl] [--bom]",
     " format= bom ",
     1,
     SERVER_WORDS_MAX,
     server_cmd_export,
     {"write all rows of an entity", "导出某类全部记录"}},
    {"list",
     "ENTITY [FIELD=VALUE | FIELD~TEXT | FIELD>=VALUE ...] [--sort FIELD] [--limit N] [--columns "
     "A,B]",
     " sort= limit= offset= columns= ",
     1,
     SERVER_WORDS_MAX,
     server_cmd_list,
     {"list rows", "列出记录"}},
    {"get", "ENTITY ID", " ", 2, 2, server_cmd_get, {"show one row", "显示一条记录"}},
    {"history",
     "ENTITY ID [FIELD]",
     " ",
     2,
     3,
     server_cmd_history,
     {"who changed a row, when, and what became of it", "显示记录的修改历史"}},
    {"conflicts",
     "[--since SEQ]",
     " since= ",
     0,
     0,
     server_cmd_conflicts,
     {"the ledger: every value that lost a merge", "冲突台账：合并中落选的每个值"}},
    {"requests",
     "[--all]",
     " all ",
     0,
     0,
     server_cmd_requests,
     {"change requests and refused edits", "变更申请与被拒绝的修改"}},
    {"requests approve",
     "N",
     " ",
     1,
     1,
     server_cmd_approve,
     {"write a requested edit", "批准变更申请"}},
    {"requests decline",
     "N",
     " ",
     1,
     1,
     server_cmd_decline,
     {"close a request without writing it", "不批准变更申请"}},
    {"status", "", " ", 0, 0, server_cmd_status, {"figures of each org", "各机构概况"}},
    {"backup",
     "FILE",
     " ",
     1,
     1,
     server_cmd_backup,
     {"copy an org's book while it is in use", "在线备份一个机构"}},
    {"verify",
     "",
     " ",
     0,
     0,
     server_cmd_verify,
     {"check everything that can be checked", "检查数据完整性"}},
    {"sql", "\"SELECT ...\"", " ", 1, 1, server_cmd_sql, {"read-only SQL", "只读 SQL 查询"}},
    {"help", "[COMMAND]", " ", 0, 2, server_cmd_help, {"this page", "显示帮助"}},
    {"version", "", " ", 0, 0, server_cmd_version, {"the release", "显示版本"}},
};
const size_t SERVER_COMMAND_COUNT = ARRAY_COUNT(SERVER_COMMANDS);

/* ------------------------------------------------------------------ what was typed */

const char *server_say(const struct server *server, const char *en, const char *zh) {
    return server->lang == LANG_ZH ? zh : en;
}

void server_tell(const struct server *server, const char *en, const char *zh, ...) {
    va_list args;
    if (server->json) return;
    va_start(args, zh);
    if (server->lang == LANG_ZH)
        vprintf(zh, args);
    else
        vprintf(en, args);
    va_end(args);
    putchar('\n');
}

const char *server_option(const struct server *server, const char *name) {
    for (size_t i = server->option_count; i-- > 0;) /* the last one counts */
        if (strcmp(server->options[i].name, name) == 0) return server->options[i].value;
    return NULL;
}

enum status server_option_int(const struct server *server, const char *name, int64_t fallback,
                              int64_t min, int64_t max, int64_t *out, struct err *err) {
    const char *text = server_option(server, name);
    int64_t number = fallback;
    if (text && (!text_to_int(slice_from(text), &number) || number < min || number > max))
        return err_set(err, ST_USAGE, "--%s takes a number from %lld to %lld",
                       "--%s 须为 %lld 到 %lld 的整数", name, (long long)min, (long long)max);
    *out = number;
    return ST_OK;
}

/* 0: no such option, 1: without a value, 2: with one. */
static int option_kind(const char *known, const char *name, size_t len) {
    for (const char *at = known; (at = strstr(at, " ")) != NULL; at++) {
        if (strncmp(at + 1, name, len) != 0) continue;
        if (at[1 + len] == '=') return 2;
        if (at[1 + len] == ' ') return 1;
    }
    return 0;
}

static enum status option_add(struct server *server, const char *known, char **argv, int *at,
                              struct err *err) {
    const char *text = argv[*at] + 2;
    size_t len = strcspn(text, "=");
    int kind = len == 0 ? 0 : option_kind(GLOBAL_OPTIONS, text, len);
    if (kind == 0 && len > 0) kind = option_kind(known, text, len);
    if (kind == 0)
        return err_set(err, ST_USAGE, "unknown option %s; see roadbook-server help",
                       "未知选项 %s；请看 roadbook-server help", argv[*at]);
    if (server->option_count == SERVER_OPTIONS_MAX)
        return err_set(err, ST_USAGE, "too many options", "选项过多");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    if (kind == 1 && value)
        return err_set(err, ST_USAGE, "%s takes no value", "%s 不带值", argv[*at]);
    if (kind == 2 && !value) {
        value = argv[*at + 1];
        if (!value) return err_set(err, ST_USAGE, "%s needs a value", "%s 需要一个值", argv[*at]);
        (*at)++;
    }
    struct server_option *option = &server->options[server->option_count++];
    option->name = arena_string(&server->mem, slice_of(text, len));
    option->value = value ? value : "";
    return option->name ? ST_OK : err_no_memory(err);
}

/* The longest command name that the first words make; *out_words of them. */
static const struct server_command *command_find(const char *const *words, size_t count,
                                                 size_t *out_words) {
    const struct server_command *found = NULL;
    for (size_t i = 0; i < SERVER_COMMAND_COUNT; i++) {
        const char *name = SERVER_COMMANDS[i].name, *gap = strchr(name, ' ');
        size_t first = gap ? (size_t)(gap - name) : strlen(name);
        if (count < 1 || strlen(words[0]) != first || strncmp(words[0], name, first) != 0) continue;
        if (gap && (count < 2 || strcmp(words[1], gap + 1) != 0)) continue;
        if (found && !gap) continue;
        found = &SERVER_COMMANDS[i];
        *out_words = gap ? 2 : 1;
    }
    return found;
}

static const struct server_command *command_of(char **argv, int argc, size_t *out_words) {
    const char *words[2];
    size_t count = 0;
    for (int i = 1; i < argc && count < 2; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            words[count++] = argv[i];
        else if (!strchr(argv[i], '=') &&
                 option_kind(GLOBAL_OPTIONS, argv[i] + 2, strlen(argv[i] + 2)) == 2)
            i++;
    }
    return command_find(words, count, out_words);
}

static enum status line_read(struct server *server, const struct server_command *command,
                             size_t name_words, int argc, char **argv, struct err *err) {
    size_t skipped = 0;
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            TRY(option_add(server, command ? command->options : " ", argv, &i, err));
        } else if (skipped < name_words) {
            skipped++;
        } else if (server->word_count == SERVER_WORDS_MAX) {
            return err_set(err, ST_USAGE, "too many words", "参数过多");
        } else {
            server->words[server->word_count++] = argv[i];
        }
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ help */

static void help_command(const struct server *server, const struct server_command *command) {
    printf("roadbook-server %s %s\n  %s\n", command->name, command->usage,
           command->help[server->lang]);
}

static void help_all(const struct server *server) {
    puts(server_say(server, "roadbook-server: the centre of the key-account book\n",
                    "roadbook-server：大客户台账的中心服务器\n"));
    for (size_t i = 0; i < SERVER_COMMAND_COUNT; i++)
        printf("  %-18s %s\n", SERVER_COMMANDS[i].name, SERVER_COMMANDS[i].help[server->lang]);
    puts(server_say(
        server,
        "\nFor every command: --home DIR, --org NAME (when there are several), --json, --lang "
        "en|zh,\n"
        "--as NAME (who is at the keyboard, for the journal), --help.",
        "\n每个命令都可用：--home 目录、--org 机构（有多个机构时）、--json、--lang en|zh、\n"
        "--as 姓名（操作人，记入日志）、--help。"));
}

enum status server_cmd_help(struct server *server, struct err *err) {
    size_t used;
    if (server->word_count == 0) {
        help_all(server);
        return ST_OK;
    }
    const struct server_command *command = command_find(server->words, server->word_count, &used);
    size_t shown = 0;
    for (size_t i = 0; i < SERVER_COMMAND_COUNT; i++) {
        const char *name = SERVER_COMMANDS[i].name;
        size_t len = strlen(server->words[0]);
        bool family =
            strncmp(name, server->words[0], len) == 0 && (name[len] == 0 || name[len] == ' ');
        if (command && server->word_count > 1 ? &SERVER_COMMANDS[i] != command : !family) continue;
        help_command(server, &SERVER_COMMANDS[i]);
        shown++;
    }
    if (shown > 0) return ST_OK;
    return err_set(err, ST_USAGE, "there is no command \"%s\"; see roadbook-server help",
                   "没有命令“%s”；请看 roadbook-server help", server->words[0]);
}

enum status server_cmd_version(struct server *server, struct err *err) {
    (void)err;
    printf(server->json ? "{\"release\":\"%s\"}\n" : "roadbook-server %s\n", ROADBOOK_VERSION);
    return ST_OK;
}

/* ------------------------------------------------------------------ one run */

static enum status language_read(struct server *server, struct err *err) {
    const char *lang = server_option(server, "lang");
    if (!lang) return ST_OK;
    if (strncmp(lang, "zh", 2) == 0)
        server->lang = LANG_ZH;
    else if (strncmp(lang, "en", 2) == 0)
        server->lang = LANG_EN;
    else
        return err_set(err, ST_USAGE, "--lang takes en or zh", "--lang 须为 en 或 zh");
    return ST_OK;
}

static enum status command_run(struct server *server, const struct server_command *command,
                               char **argv, int argc, struct err *err) {
    if (!command && server_option(server, "help")) {
        help_all(server);
        return ST_OK;
    }
    if (!command && argc > 1 && server->word_count > 0)
        return err_set(err, ST_USAGE, "there is no command \"%s\"; see roadbook-server help",
                       "没有命令“%s”；请看 roadbook-server help", server->words[0]);
    if (!command)
        return err_set(err, ST_USAGE, "say what to do; see %s help", "请给出命令；请看 %s help",
                       argv[0]);
    if (server_option(server, "help")) {
        help_command(server, command);
        return ST_OK;
    }
    if (server->word_count < command->words_min || server->word_count > command->words_max)
        return err_set(err, ST_USAGE, "usage: roadbook-server %s %s", "用法：roadbook-server %s %s",
                       command->name, command->usage);
    TRY(server_home_find(server, err));
    TRY(crypto_start(err));
    TRY(catalogue_release(&server->mem, &server->catalogue, err));
    return command->run(server, err);
}

static void error_print(const struct server *server, const struct err *err) {
    if (!server->json) {
        fprintf(stderr, "roadbook-server: %s\n", err->text[server->lang]);
        return;
    }
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    session_problem_write(err, &text);
    fprintf(stderr, "%s\n", buf_text(&text));
}

int server_main(int argc, char **argv) {
    static struct server server; /* large, and there is one run per process */
    struct err err = {.status = ST_OK};
    size_t name_words = 0;
    server.lang = platform_lang();
    server.mem = arena_new(ARENA_CAP_DEFAULT);
    platform_env(&server.env);
    const struct server_command *command = command_of(argv, argc, &name_words);
    enum status status = line_read(&server, command, name_words, argc, argv, &err);
    server.json = server_option(&server, "json") != NULL;
    if (status == ST_OK) status = language_read(&server, &err);
    if (status == ST_OK) status = command_run(&server, command, argv, argc, &err);
    if (status == ST_OK && fflush(stdout) != 0)
        status = err_set(&err, ST_DISK, "cannot write the output", "无法写出结果");
    if (status != ST_OK) error_print(&server, &err);
    arena_clear(&server.mem);
    return status_exit(status);
}
