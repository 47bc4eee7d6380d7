/* Reading command lines by a table: options anywhere, what is refused and how, help, completion. */
#include <string.h>

#include "syncd/api/command.h"
#include "tests/unit/check.h"

static enum status nothing(void *program, const struct command_line *line, struct err *err) {
    (void)program, (void)line, (void)err;
    return ST_OK;
}

static const struct command_option every[] = {
    {.name = "--json", .help = {"as JSON", "输出 JSON"}},
    {.name = "--help", .letter = "-h", .help = {"help", "帮助"}},
    {.name = "--home", .value = {"DIR", "目录"}, .help = {"folder", "目录"}, .words = "@dir"},
};
static const struct command_option list_options[] = {
    {.name = "--limit", .letter = "-n", .value = {"N", "数目"}, .help = {"at most N", "最多 N 条"}},
};
static const struct command commands[] = {
    {.name = "list",
     .usage = {"ENTITY [WORD...]", "类别 [词...]"},
     .summary = {"list rows", "列出"},
     .words_min = 1,
     .words_max = 3,
     .options = list_options,
     .option_count = ARRAY_COUNT(list_options),
     .run = nothing,
     .complete = "account @word"},
    {.name = "held", .usage = {"", ""}, .summary = {"held edits", "待处理"}, .run = nothing},
    {.name = "held retry",
     .usage = {"NO", "编号"},
     .summary = {"again", "重试"},
     .words_min = 1,
     .words_max = 1,
     .run = nothing},
};
static const struct command_set set = {.program = "book",
                                       .about = {"a book", "账本"},
                                       .commands = commands,
                                       .count = ARRAY_COUNT(commands),
                                       .options = every,
                                       .option_count = ARRAY_COUNT(every)};

enum { TYPED_MAX = 8 };

static enum status parse(const char *const *typed, struct command_line *out, struct err *err) {
    char *argv[TYPED_MAX + 1] = {(char *)(uintptr_t) "book"};
    int argc = 1;
    for (; argc <= TYPED_MAX && typed[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)typed[argc - 1];
    return command_parse(&set, argc, argv, out, err);
}

TEST(options_stand_anywhere) {
    static const struct {
        const char *name, *typed[TYPED_MAX], *command;
        size_t words;
        const char *limit;
        bool json;
    } rows[] = {
        {"plain", {"list", "account"}, "list", 1, NULL, false},
        {"behind", {"list", "account", "--limit", "5", "--json"}, "list", 1, "5", true},
        {"before", {"--json", "--limit", "5", "list", "account"}, "list", 1, "5", true},
        {"between, with equals", {"list", "--limit=5", "account"}, "list", 1, "5", false},
        {"a letter", {"list", "account", "-n", "5"}, "list", 1, "5", false},
        {"a value with a dash", {"list", "account", "-n", "-x"}, "list", 1, "-x", false},
        {"twice: the last", {"list", "account", "-n", "5", "-n", "6"}, "list", 1, "6", false},
        {"behind two dashes", {"list", "account", "--", "--limit"}, "list", 2, NULL, false},
        {"a negative number is a word", {"list", "account", "-5"}, "list", 2, NULL, false},
        {"two words", {"held", "retry", "7"}, "held retry", 1, NULL, false},
        {"two words, an option between",
         {"held", "--json", "retry", "7"},
         "held retry",
         1,
         NULL,
         true},
        {"one of two words", {"held"}, "held", 0, NULL, false},
        {"nothing", {NULL}, NULL, 0, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct command_line line;
        struct err err = {0};
        if (parse(rows[i].typed, &line, &err) != ST_OK)
            check_fail(CHECK_HERE, "%s: %s", rows[i].name, err.text[LANG_EN]);
        const char *limit = command_value(&line, "--limit"),
                   *name = line.command ? line.command->name : NULL;
        bool same = (name == NULL) == (rows[i].command == NULL) &&
                    (!name || !strcmp(name, rows[i].command));
        same = same && line.word_count == rows[i].words &&
               command_has(&line, "--json") == rows[i].json;
        same = same && (limit == NULL) == (rows[i].limit == NULL) &&
               (!limit || !strcmp(limit, rows[i].limit));
        if (!same) check_fail(CHECK_HERE, "%s", rows[i].name);
    }
}

TEST(what_is_wrong_is_said) {
    static const struct {
        const char *name, *typed[TYPED_MAX], *says;
    } rows[] = {
        {"no such command", {"lits"}, "no such command: lits"},
        {"no such option", {"list", "account", "--bogus"}, "no such option: --bogus"},
        {"an option of another command",
         {"held", "--limit", "1"},
         "the command held has no option --limit"},
        {"an option without a command", {"--limit", "1"}, "no such option: --limit"},
        {"no value", {"list", "account", "--limit"}, "--limit needs a value"},
        {"a flag with a value", {"list", "account", "--json=1"}, "--json takes no value"},
        {"too few words", {"list"}, "usage: book list ENTITY [WORD...]"},
        {"too many words", {"list", "a", "b", "c", "d"}, "too many arguments"},
        {"words where none belong", {"held", "x"}, "too many arguments"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct command_line line;
        struct err err = {0};
        if (parse(rows[i].typed, &line, &err) != ST_USAGE)
            check_fail(CHECK_HERE, "%s: accepted", rows[i].name);
        if (!strstr(err.text[LANG_EN], rows[i].says))
            check_fail(CHECK_HERE, "%s: %s", rows[i].name, err.text[LANG_EN]);
    }
}

TEST(help_needs_no_words) {
    static const char *const help[] = {"list", "-h", NULL};
    struct command_line line;
    struct err err;
    CHECK_INT(parse(help, &line, &err), ST_OK);
    CHECK(command_has(&line, "--help"));
}

TEST(numbers_have_a_least_value) {
    struct command_line line;
    struct err err;
    int64_t n = 0;
    static const char *const plain[] = {"list", "a", NULL}, *const zero[] = {"list", "a", "--limit",
                                                                             "0", NULL};
    CHECK_INT(parse(plain, &line, &err), ST_OK);
    CHECK_INT(command_number(&line, "--limit", 1, 99, 50, &n, &err), ST_OK);
    CHECK_INT(n, 50);
    CHECK_INT(parse(zero, &line, &err), ST_OK);
    CHECK_INT(command_number(&line, "--limit", 1, 99, 50, &n, &err), ST_USAGE);
    CHECK_INT(n, 50);
}

TEST(help_by_words) {
    static const char *const held[] = {"held"}, *const both[] = {"held", "retry"}, *const none[] = {"x"};
    struct err err;
    SCOPED(buf_free) struct buf help = buf_new(BUF_MAX_LINE);
    CHECK_OK(command_help_words(&set, held, 1, LANG_EN, &help, &err));
    CHECK(strstr(buf_text(&help), "usage: book held\n") != NULL);
    CHECK(strstr(buf_text(&help), "\n\nusage: book held retry NO\n  again\n") != NULL);
    buf_reset(&help);
    CHECK_OK(command_help_words(&set, both, 2, LANG_EN, &help, &err));
    CHECK(strstr(buf_text(&help), "again\n\nusage: book held retry NO\n") == buf_text(&help));
    buf_reset(&help);
    CHECK_INT(command_help_words(&set, none, 1, LANG_EN, &help, &err), ST_USAGE);
}

TEST(help_and_completion_come_from_the_table) {
    SCOPED(buf_free) struct buf help = buf_new(BUF_MAX_LINE), script = buf_new(BUF_MAX_LINE);
    command_help(&set, &commands[0], LANG_EN, &help);
    CHECK_TEXT(buf_text(&help), "list rows\n\n"
                                "usage: book list ENTITY [WORD...]\n\n"
                                "Options:\n"
                                "  -n, --limit N             at most N\n\n"
                                "Options of every command:\n"
                                "  --json                    as JSON\n"
                                "  -h, --help                help\n"
                                "  --home DIR                folder\n");
    struct err err;
    CHECK_OK(command_completion(&set, "bash", NULL, &script, &err));
    CHECK_INT(command_completion(&set, "fish", NULL, &script, &err), ST_USAGE);
    CHECK(strstr(buf_text(&script), "found=\"list held\"") != NULL);
    CHECK(strstr(buf_text(&script), "complete -F _book book") != NULL);
}

TEST(errors_are_problem_details) {
    struct err err;
    SCOPED(buf_free) struct buf json = buf_new(BUF_MAX_LINE), text = buf_new(BUF_MAX_LINE);
    (void)err_set(&err, ST_NOT_FOUND, "no \"%s\"", "没有“%s”", "x");
    command_error(&set, &err, LANG_EN, true, &json);
    CHECK_TEXT(buf_text(&json), "{\"type\":\"about:blank\",\"title\":\"not found\",\"status\":404,"
                                "\"detail\":\"no "
                                "\\\"x\\\"\",\"detail_zh\":\"没有“x”\",\"code\":\"NOT_FOUND\","
                                "\"exit\":66,\"retry\":false}\n");
    command_error(&set, &err, LANG_ZH, false, &text);
    CHECK_TEXT(buf_text(&text), "book：没有“x”\n");
}
