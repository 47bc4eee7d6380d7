/* roadbook-syncd: the laptop's daemon. Owns the process: arguments, language, exit code, the one
 * log. */
#include <stdio.h>
#include <string.h>

#include "syncd/agent/daemon.h"
#include "syncd/platform/platform.h"

static const char *const help[LANG_COUNT] = {
    "roadbook-syncd: keeps this laptop's book in step with the server.\n"
    "\n"
    "usage: roadbook-syncd [--home DIR] [--once] [--trace DIR] [--lang en|zh]\n"
    "\n"
    "  --home DIR    the book's folder (default: $ROADBOOK_HOME, else ~/.local/share/roadbook)\n"
    "  --once        one sync, then exit; the exit code says how it went\n"
    "  --trace DIR   keep each message in DIR, for roadbook-inspect\n"
    "  --lang LANG   en or zh (default: by locale)\n"
    "  --version     print the version\n"
    "\n"
    "It syncs when it starts, after each save, when the server has news, and every five minutes.\n"
    "Stop it with SIGTERM. Logs are lines of key=value on standard error.\n",
    "roadbook-syncd：让本机账本与服务器保持同步。\n"
    "\n"
    "用法：roadbook-syncd [--home 目录] [--once] [--trace 目录] [--lang en|zh]\n"
    "\n"
    "  --home 目录    账本所在目录（默认：$ROADBOOK_HOME，否则 ~/.local/share/roadbook）\n"
    "  --once         只同步一次后退出；退出码表示结果\n"
    "  --trace 目录   保存每条消息，供 roadbook-inspect 查看\n"
    "  --lang 语言    en 或 zh（默认按系统语言）\n"
    "  --version      显示版本\n"
    "\n"
    "启动时、每次保存后、服务器有新内容时以及每五分钟会同步一次。\n"
    "用 SIGTERM 停止。日志以 key=value 行写到标准错误。\n"};

struct options {
    const char *home, *trace;
    enum lang lang;
    bool once, help, version;
};

static enum status read_options(int argc, char **argv, struct options *out, struct err *err) {
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(a, "--once"))
            out->once = true;
        else if (!strcmp(a, "--help") || !strcmp(a, "-h"))
            out->help = true;
        else if (!strcmp(a, "--version"))
            out->version = true;
        else if (!strcmp(a, "--home") && next)
            out->home = argv[++i];
        else if (!strcmp(a, "--trace") && next)
            out->trace = argv[++i];
        else if (!strcmp(a, "--lang") && next)
            out->lang = strcmp(argv[++i], "zh") ? LANG_EN : LANG_ZH;
        else
            return err_set(err, ST_USAGE, "unknown or incomplete option: %s (see --help)",
                           "未知或不完整的选项：%s（见 --help）", a);
    }
    return ST_OK;
}

static enum status run(const struct options *o, struct arena *mem, struct err *err) {
    struct env env;
    struct catalogue catalogue;
    platform_return_memory();
    platform_env(&env);
    TRY(crypto_start(err));
    TRY(transport_start(err));
    TRY(catalogue_release(mem, &catalogue, err));
    const char *home = o->home;
    if (!home) TRY(platform_data_dir(mem, &home, err));
    if (o->trace) TRY(platform_make_dir(o->trace, err));
    struct daemon_config config = {.home = home,
                                   .catalogue = &catalogue,
                                   .env = &env,
                                   .trace_dir = o->trace,
                                   .once = o->once,
                                   .lang = o->lang};
    enum status status = daemon_run(&config, err);
    transport_end();
    return status;
}

int main(int argc, char **argv) {
    struct options options = {.lang = platform_lang()};
    struct err err = {0};
    enum status status = read_options(argc, argv, &options, &err);
    if (status == ST_OK && options.help) {
        fputs(help[options.lang], stdout);
        return 0;
    }
    if (status == ST_OK && options.version) {
        puts("roadbook-syncd " ROADBOOK_VERSION);
        return 0;
    }
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    if (status == ST_OK) status = run(&options, &mem, &err);
    arena_clear(&mem);
    if (status != ST_OK) fprintf(stderr, "roadbook-syncd: %s\n", err.text[options.lang]);
    return status_exit(status);
}
