/* The command line of a program, from one table: what may be typed, what the help says, what the
 * shell completes. Help, dispatch, completion and checks are derived; no second list of commands
 * exists.
 *
 * Options may stand anywhere, also before the command; after "--" all that follows are plain words.
 */
#ifndef ROADBOOK_COMMAND_H
#define ROADBOOK_COMMAND_H

#include "protocol/base/base.h"

enum { COMMAND_WORDS_MAX = 1024, COMMAND_OPTIONS_MAX = 32 };

struct command_option {
    const char *name;              /* "--limit" */
    const char *letter;            /* "-n", or NULL */
    const char *value[LANG_COUNT]; /* what it takes, in capitals: "N"; NULL: a flag */
    const char *help[LANG_COUNT];
    const char *words; /* completion of the value: "csv jsonl", "@file", "@dir", or
                          of the catalogue: "@entity", "@field"; NULL: nothing */
};

struct command_line;
typedef enum status command_run(void *program, const struct command_line *line, struct err *err);

struct command {
    const char *name;                /* one or two words: "list", "held retry" */
    const char *usage[LANG_COUNT];   /* what follows the name; "" for nothing */
    const char *summary[LANG_COUNT]; /* one line */
    const char *details[LANG_COUNT]; /* more lines for --help, ending in a line feed; or NULL */
    const struct command_option *options;
    size_t option_count;
    size_t words_min, words_max; /* words behind the name */
    const char *complete;        /* kinds of the words by place: "@entity @assign", "@command",
                                    the last one for all that follow, "-" for nothing; NULL:
                                    nothing */
    command_run *run;
    unsigned flags; /* the program's own */
};

struct command_set {
    const char *program;           /* "roadbook" */
    const char *about[LANG_COUNT]; /* what it is, one line */
    const struct command *commands;
    size_t count;
    const struct command_option *options; /* that every command takes */
    size_t option_count;
};

struct command_given {
    const struct command_option *option;
    const char *value; /* NULL for a flag */
};

struct command_line {                     /* what was typed; strings borrowed from argv */
    const struct command *command;        /* NULL: none was named */
    const char *words[COMMAND_WORDS_MAX]; /* behind the command's name */
    size_t word_count;
    struct command_given given[COMMAND_OPTIONS_MAX];
    size_t given_count;
};

/* ST_USAGE says what is wrong and what would be right. With --help among the options the number of
 * words is not checked. An option that is given twice has its last value. */
enum status command_parse(const struct command_set *set, int argc, char *const *argv,
                          struct command_line *out, struct err *err) NODISCARD;
bool command_has(const struct command_line *line, const char *option);
const char *command_value(const struct command_line *line,
                          const char *option); /* NULL: not given */
/* A whole number from min to max; fallback when it was not given. */
enum status command_number(const struct command_line *line, const char *option, int64_t min,
                           int64_t max, int64_t fallback, int64_t *out, struct err *err) NODISCARD;
/* Whether the bare flag, or the value after an option, stands anywhere: for language and form of
 * the error when the line itself is wrong. */
bool command_typed(int argc, char *const *argv, const char *option);
const char *command_typed_value(int argc, char *const *argv, const char *option);

/* The language that --lang asks for, else fallback. With ST_USAGE *out is fallback. */
enum status command_language(int argc, char *const *argv, enum lang fallback, enum lang *out,
                             struct err *err) NODISCARD;

/* The command whose name these words begin with, and how many of them it took; NULL: none. */
const struct command *command_named(const struct command_set *set, const char *const *words,
                                    size_t count, size_t *out_taken);
/* Help of one command, with those of two words that begin with it, or with NULL of the program. */
void command_help(const struct command_set *set, const struct command *command, enum lang lang,
                  struct buf *out);
/* Help of the command that the words name, of all commands that begin with the one word ("org": org
 * add, org list), or with count 0 of the program. out begins empty. ST_USAGE when there is none. */
enum status command_help_words(const struct command_set *set, const char *const *words,
                               size_t count, enum lang lang, struct buf *out,
                               struct err *err) NODISCARD;
/* "usage: roadbook list ENTITY ..." with a line feed. */
void command_usage(const struct command_set *set, const struct command *command, enum lang lang,
                   struct buf *out);
/* "roadbook 1.2.3" with a line feed, or an object. */
void command_version(const struct command_set *set, bool json, struct buf *out);

/* A script that lets the shell (only "bash" is known, else ST_USAGE) complete commands, options and
 * the words behind them. catalogue: the kinds @entity, @field and @assign (FIELD=) are of it; NULL:
 * no command takes such words. */
struct catalogue;
enum status command_completion(const struct command_set *set, const char *shell,
                               const struct catalogue *catalogue, struct buf *out,
                               struct err *err) NODISCARD;

/* One line: an object of RFC 9457, or text, "roadbook: what happened". */
void command_error(const struct command_set *set, const struct err *err, enum lang lang, bool json,
                   struct buf *out);

/* ------------------------------------------------------------------ for writing tables */

#define COMMAND_OPTION(name_, letter_, value_en, value_zh, en, zh, words_)                         \
    {                                                                                              \
        .name = name_, .letter = letter_, .value = {value_en, value_zh}, .help = {en, zh},         \
        .words = words_                                                                            \
    }
#define COMMAND_FLAG(name_, letter_, en, zh)                                                       \
    COMMAND_OPTION(name_, letter_, NULL, NULL, en, zh, NULL)
#define COMMAND_OPTIONS(list) .options = list, .option_count = ARRAY_COUNT(list)
#define COMMAND_WORDS(min, max, complete_) .words_min = min, .words_max = max, .complete = complete_

#endif
