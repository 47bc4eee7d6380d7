/* Reading a command line by its table. The table is searched from the front: some forty rows, once
 * a run. */
#include <string.h>

#include "syncd/api/command.h"

/* ------------------------------------------------------------------ finding */

static bool option_is(const struct command_option *o, const char *text, size_t len) {
    if (strlen(o->name) == len && !memcmp(o->name, text, len)) return true;
    return o->letter && strlen(o->letter) == len && !memcmp(o->letter, text, len);
}

static const struct command_option *option_in(const struct command_option *options, size_t count,
                                              const char *text, size_t len) {
    for (size_t i = 0; i < count; i++)
        if (option_is(&options[i], text, len)) return &options[i];
    return NULL;
}

static const struct command_option *option_of(const struct command_set *set,
                                              const struct command *command, const char *text,
                                              size_t len) {
    const struct command_option *o = option_in(set->options, set->option_count, text, len);
    if (o || !command) return o;
    return option_in(command->options, command->option_count, text, len);
}

/* Before the command is known: an option of that name takes a value in all commands or in none. */
static const struct command_option *option_anywhere(const struct command_set *set, const char *text,
                                                    size_t len) {
    const struct command_option *o = option_of(set, NULL, text, len);
    for (size_t i = 0; i < set->count && !o; i++) o = option_of(set, &set->commands[i], text, len);
    return o;
}

/* How many of the words spell the name; 0: not this one. */
static size_t name_words(const char *name, const char *const *words, size_t count) {
    const char *blank = strchr(name, ' ');
    if (!blank) return count > 0 && !strcmp(name, words[0]) ? 1 : 0;
    size_t first = (size_t)(blank - name);
    bool both = count > 1 && strlen(words[0]) == first && !memcmp(name, words[0], first) &&
                !strcmp(blank + 1, words[1]);
    return both ? 2 : 0;
}

const struct command *command_named(const struct command_set *set, const char *const *words,
                                    size_t count, size_t *out_taken) {
    const struct command *best = NULL;
    size_t taken = 0;
    for (size_t i = 0; i < set->count; i++) {
        size_t n = name_words(set->commands[i].name, words, count);
        if (n <= taken) continue;
        taken = n;
        best = &set->commands[i];
    }
    if (best) *out_taken = taken;
    return best;
}

/* ------------------------------------------------------------------ parsing */

static bool looks_like_option(const char *word) {
    return word[0] == '-' && word[1] != 0 && !(word[1] >= '0' && word[1] <= '9');
}

static enum status unknown_option(const struct command_set *set, const char *word,
                                  struct err *err) {
    return err_set(err, ST_USAGE, "no such option: %s (see: %s --help)",
                   "没有此选项：%s（见 %s --help）", word, set->program);
}

static enum status read_option(const struct command_set *set, int argc, char *const *argv, int *at,
                               struct command_line *line, struct err *err) {
    const char *word = argv[*at], *equals = strncmp(word, "--", 2) ? NULL : strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct command_option *o = option_anywhere(set, word, len);
    if (!o) return unknown_option(set, word, err);
    if (line->given_count == COMMAND_OPTIONS_MAX)
        return err_set(err, ST_USAGE, "too many options: at most %d", "选项过多：最多 %d 个",
                       (int)COMMAND_OPTIONS_MAX);
    struct command_given given = {.option = o};
    if (!o->value[LANG_EN] && equals)
        return err_set(err, ST_USAGE, "the option %s takes no value", "选项 %s 不带值", o->name);
    if (o->value[LANG_EN]) {
        given.value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        if (!given.value)
            return err_set(err, ST_USAGE, "the option %s needs a value", "选项 %s 需要一个值",
                           o->name);
    }
    line->given[line->given_count++] = given;
    return ST_OK;
}

static enum status add_word(struct command_line *line, const char *word, struct err *err) {
    if (line->word_count == COMMAND_WORDS_MAX)
        return err_set(err, ST_USAGE, "too many arguments: at most %d", "参数过多：最多 %d 个",
                       (int)COMMAND_WORDS_MAX);
    line->words[line->word_count++] = word;
    return ST_OK;
}

/* Whether a command of two words begins with this one. */
static bool is_family(const struct command_set *set, const char *word) {
    size_t len = strlen(word);
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->commands[i].name;
        if (!strncmp(name, word, len) && name[len] == ' ') return true;
    }
    return false;
}

static enum status name_command(const struct command_set *set, struct command_line *line,
                                struct err *err) {
    if (line->word_count == 0) return ST_OK;
    size_t taken = 0;
    const struct command *command = command_named(set, line->words, line->word_count, &taken);
    bool family = !command && is_family(set, line->words[0]);
    if (family && command_has(line, "--help")) return ST_OK; /* all of them are meant */
    if (family)
        return err_set(err, ST_USAGE, "the command %s needs another word (see: %s %s --help)",
                       "命令 %s 还需要一个词（见 %s %s --help）", line->words[0], set->program,
                       line->words[0]);
    if (!command)
        return err_set(err, ST_USAGE, "no such command: %s (see: %s --help)",
                       "没有此命令：%s（见 %s --help）", line->words[0], set->program);
    line->command = command;
    line->word_count -= taken;
    memmove(line->words, line->words + taken, line->word_count * sizeof(line->words[0]));
    return ST_OK;
}

/* Options were found by name in any command: now each must be one of this command. */
static enum status check_options(const struct command_set *set, struct command_line *line,
                                 struct err *err) {
    for (size_t i = 0; i < line->given_count; i++) {
        const char *name = line->given[i].option->name;
        const struct command_option *o = option_of(set, line->command, name, strlen(name));
        if (!o && !line->command) return unknown_option(set, name, err);
        if (!o)
            return err_set(err, ST_USAGE, "the command %s has no option %s (see: %s %s --help)",
                           "命令 %s 没有选项 %s（见 %s %s --help）", line->command->name, name,
                           set->program, line->command->name);
        line->given[i].option = o;
    }
    return ST_OK;
}

static enum status check_words(const struct command_set *set, const struct command_line *line,
                               struct err *err) {
    const struct command *c = line->command;
    if (!c || command_has(line, "--help")) return ST_OK;
    bool few = line->word_count < c->words_min;
    if (!few && line->word_count <= c->words_max) return ST_OK;
    (void)err_set(err, ST_USAGE,
                  few ? "something is missing; usage: %s %s" : "too many arguments; usage: %s %s",
                  few ? "参数不足；用法：%s %s" : "参数过多；用法：%s %s", set->program, c->name);
    for (size_t l = 0; err && l < LANG_COUNT; l++) {
        size_t used = strlen(err->text[l]), left = ERR_TEXT_BYTES - used;
        size_t more = strlen(c->usage[l]);
        if (more == 0 || more + 2 > left) continue;
        err->text[l][used] = ' ';
        memcpy(err->text[l] + used + 1, c->usage[l], more + 1);
    }
    return ST_USAGE;
}

enum status command_parse(const struct command_set *set, int argc, char *const *argv,
                          struct command_line *out, struct err *err) {
    *out = (struct command_line){0};
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        if (!plain && !strcmp(argv[i], "--"))
            plain = true;
        else if (!plain && looks_like_option(argv[i]))
            TRY(read_option(set, argc, argv, &i, out, err));
        else
            TRY(add_word(out, argv[i], err));
    }
    TRY(name_command(set, out, err));
    TRY(check_options(set, out, err));
    return check_words(set, out, err);
}

bool command_has(const struct command_line *line, const char *option) {
    for (size_t i = 0; i < line->given_count; i++)
        if (!strcmp(line->given[i].option->name, option)) return true;
    return false;
}

const char *command_value(const struct command_line *line, const char *option) {
    for (size_t i = line->given_count; i > 0; i--)
        if (!strcmp(line->given[i - 1].option->name, option)) return line->given[i - 1].value;
    return NULL;
}

enum status command_number(const struct command_line *line, const char *option, int64_t min,
                           int64_t max, int64_t fallback, int64_t *out, struct err *err) {
    const char *text = command_value(line, option);
    int64_t number = fallback;
    bool right =
        !text || (text_to_int(slice_from(text), &number) && number >= min && number <= max);
    if (!right && max == INT64_MAX)
        return err_set(err, ST_USAGE, "%s takes a whole number from %lld on, not: %s",
                       "%s 需要不小于 %lld 的整数，而不是：%s", option, (long long)min, text);
    if (!right)
        return err_set(err, ST_USAGE, "%s takes a whole number from %lld to %lld, not: %s",
                       "%s 需要 %lld 到 %lld 的整数，而不是：%s", option, (long long)min,
                       (long long)max, text);
    *out = number;
    return ST_OK;
}

bool command_typed(int argc, char *const *argv, const char *option) {
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], option)) return true;
    return false;
}

const char *command_typed_value(int argc, char *const *argv, const char *option) {
    size_t len = strlen(option);
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], option)) return i + 1 < argc ? argv[i + 1] : NULL;
        if (!strncmp(argv[i], option, len) && argv[i][len] == '=') return argv[i] + len + 1;
    }
    return NULL;
}

enum status command_language(int argc, char *const *argv, enum lang fallback, enum lang *out,
                             struct err *err) {
    const char *typed = command_typed_value(argc, argv, "--lang");
    *out = fallback;
    if (!typed) return ST_OK;
    bool zh = !strncmp(typed, "zh", 2), en = !strncmp(typed, "en", 2);
    if (!zh && !en)
        return err_set(err, ST_USAGE, "--lang takes en or zh, not: %s",
                       "--lang 只能是 en 或 zh，而不是：%s", typed);
    *out = zh ? LANG_ZH : LANG_EN;
    return ST_OK;
}

/* ------------------------------------------------------------------ errors */

static void error_json(const struct err *err, enum lang lang, struct buf *out) {
    buf_put_text(out, "{\"type\":\"about:blank\",\"title\":");
    buf_put_json_text(out, status_text(err->status, lang));
    buf_printf(out, ",\"status\":%d,\"detail\":", status_http(err->status));
    buf_put_json_text(out, err->text[lang]);
    buf_put_text(out, ",\"detail_zh\":");
    buf_put_json_text(out, err->text[LANG_ZH]);
    buf_put_text(out, ",\"code\":");
    buf_put_json_text(out, status_name(err->status));
    buf_printf(out, ",\"exit\":%d,\"retry\":%s}\n", status_exit(err->status),
               status_is_retryable(err->status) ? "true" : "false");
}

void command_error(const struct command_set *set, const struct err *err, enum lang lang, bool json,
                   struct buf *out) {
    if (json) {
        error_json(err, lang, out);
        return;
    }
    const char *text = err->text[lang][0] ? err->text[lang] : status_text(err->status, lang);
    buf_printf(out, "%s%s%s\n", set->program, lang == LANG_ZH ? "：" : ": ", text);
}
