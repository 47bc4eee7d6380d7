/* Rows of the command table for fields and values that head office adds (server_fields.c). */
#ifndef ROADBOOK_SERVER_FIELDS_H
#define ROADBOOK_SERVER_FIELDS_H

#include "syncd/server/server.h"

command_run server_cmd_field_add, server_cmd_field_list, server_cmd_field_change,
    server_cmd_value_add, server_cmd_value_list, server_cmd_value_change;

#define FIELD_LABELS                                                                               \
    COMMAND_OPTION("--label", NULL, "TEXT", "名称", "what people call it, in English", "英文名称", \
                   NULL),                                                                          \
        COMMAND_OPTION("--label-zh", NULL, "TEXT", "名称", "what people call it, in Chinese",      \
                       "中文名称", NULL)
#define FIELD_DRY_RUN                                                                              \
    COMMAND_FLAG("--dry-run", NULL, "check everything, write nothing", "只检查，不写入")
#define FIELD_LIMITS                                                                               \
    COMMAND_OPTION("--min", NULL, "N", "数值", "the least number; alone: no end above",            \
                   "最小值；单独使用时不设上限", NULL),                                            \
        COMMAND_OPTION("--max", NULL, "N", "数值",                                                 \
                       "the greatest number; of texts characters, of sets elements",               \
                       "最大值；文字为字数，集合为项数", NULL)
#define FIELD_RETIRE                                                                               \
    COMMAND_FLAG("--retire", NULL, "no new entries; what is there stays",                          \
                 "停用：不再填写，已有内容保留"),                                                  \
        COMMAND_FLAG("--restore", NULL, "entries again", "恢复使用")

static const struct command_option field_add_options[] = {
    COMMAND_OPTION("--type", NULL, "TYPE", "类型",
                   "text (default), note, int, decimal, money, date, time, bool, enum or set",
                   "text（默认）、note、int、decimal、money、date、time、bool、enum 或 set",
                   "text note int decimal money date time bool enum set"),
    COMMAND_OPTION("--rule", NULL, "RULE", "规则",
                   "what becomes of concurrent edits: last (default), counter, max, min, set, "
                   "text, owner, office, frozen, append",
                   "并发修改的处理：last（默认）、counter、max、min、set、text、owner、office、"
                   "frozen、append",
                   "last counter max min set text owner office frozen append"),
    FIELD_LABELS,
    FIELD_LIMITS,
    COMMAND_OPTION("--scale", NULL, "N", "位数", "digits behind the point of a decimal (2)",
                   "decimal 的小数位数（2）", NULL),
    COMMAND_OPTION("--values", NULL, "A:Label:名称,...", "名:Label:名称,...",
                   "of an enum, or of a set of enum", "枚举或枚举集合的取值", NULL),
    COMMAND_FLAG("--personal", NULL, "about a person: `erase` empties it",
                 "个人信息：`erase` 会清除"),
    FIELD_DRY_RUN,
};
static const struct command_option field_change_options[] = {
    FIELD_LABELS,
    FIELD_LIMITS,
    COMMAND_FLAG("--no-limits", NULL, "take the limits away", "取消限制"),
    FIELD_RETIRE,
    FIELD_DRY_RUN,
};
static const struct command_option value_add_options[] = {
    FIELD_LABELS,
    FIELD_DRY_RUN,
};
static const struct command_option value_change_options[] = {
    FIELD_LABELS,
    FIELD_RETIRE,
    FIELD_DRY_RUN,
};

#define FIELD_COMMAND(name_, usage_en, usage_zh, run_, min_, max_, complete_, ...)                 \
    {                                                                                              \
        .name = name_, .usage = {usage_en, usage_zh}, .run = run_, .flags = SERVER_NEEDS_HOME,     \
        COMMAND_WORDS(min_, max_, complete_), __VA_ARGS__                                          \
    }

#define SERVER_FIELD_COMMANDS                                                                                                \
    FIELD_COMMAND(                                                                                                           \
        "field add", "ENTITY NAME", "类别 字段名", server_cmd_field_add, 2, 2, "@entity",                                    \
        COMMAND_OPTIONS(field_add_options),                                                                                  \
        .summary = {"add a field to the rows of a kind", "为某类记录新增字段"},                                              \
        .details = {"Laptops have it with their next sync, as one of their own fields. "                                     \
                    "It needs a label\nin both languages. Name, type and rule stay for "                                     \
                    "ever; labels and limits may be\nchanged. Money gets a field for "                                       \
                    "its currency.\n",                                                                                       \
                    "笔记本下次同步后即可使用，与自带字段相同。须给出中英文两个名称标签。" \
                    "字段名、类型和规则\n不可再改，名称标签和限制可以更改。money "                 \
                    "同时新增币种字段。\n"}),                                                                                \
        FIELD_COMMAND("field list", "[ENTITY]", "[类别]", server_cmd_field_list, 0, 1, "@entity",                            \
                      .summary = {"the fields that were added", "列出新增的字段"}),                                          \
        FIELD_COMMAND("field change", "ENTITY NAME", "类别 字段名", server_cmd_field_change, 2, 2,                           \
                      "@entity @field", COMMAND_OPTIONS(field_change_options),                                               \
                      .summary = {"change labels and limits of an added field, or retire it",                                \
                                  "更改新增字段的名称和限制，或停用"},                                                       \
                      .details = {"Limits bind edits made by laptops that know them.\n",                                     \
                                  "限制只约束已得知该限制的笔记本所作的修改。\n"}),                                          \
        FIELD_COMMAND("value add", "ENTITY FIELD NAME", "类别 字段 取值", server_cmd_value_add, 3,                           \
                      3, "@entity @field -", COMMAND_OPTIONS(value_add_options),                                             \
                      .summary = {"add a value to an enumeration, also to one of the release's",                             \
                                  "为枚举新增取值，也可用于自带的枚举"}),                                                    \
        FIELD_COMMAND("value list", "ENTITY FIELD", "类别 字段", server_cmd_value_list, 2, 2,                                \
                      "@entity @field",                                                                                      \
                      .summary = {"the values of an enumeration", "列出枚举的取值"}),                                        \
        FIELD_COMMAND("value change", "ENTITY FIELD NAME", "类别 字段 取值",                                                 \
                      server_cmd_value_change, 3, 3, "@entity @field -",                                                     \
                      COMMAND_OPTIONS(value_change_options),                                                                 \
                      .summary = {"change labels of an added value, or retire it",                                           \
                                  "更改新增取值的名称，或停用"})

#endif
