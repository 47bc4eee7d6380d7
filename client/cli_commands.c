/* The command table of `roadbook`: what may be typed, in both languages. Help, dispatch and
 * completion are derived from it; a command is added by one row here and one function in its
 * family's file.
 */
#include "client/cli.h"

#define OPTION(name_, letter_, value_en, value_zh, en, zh, words_)                                 \
    {                                                                                              \
        .name = name_, .letter = letter_, .value = {value_en, value_zh}, .help = {en, zh},         \
        .words = words_                                                                            \
    }
#define FLAG(name_, letter_, en, zh) OPTION(name_, letter_, NULL, NULL, en, zh, NULL)
#define OPTIONS(list) .options = list, .option_count = ARRAY_COUNT(list)
#define WORDS(min, max, complete_) .words_min = min, .words_max = max, .complete = complete_

/* ------------------------------------------------------------------ options */

static const struct command_option every[] = {
    OPTION("--home", NULL, "DIR", "目录",
           "the book's folder (default: $ROADBOOK_HOME, else ~/.local/share/roadbook)",
           "账本所在目录（默认：$ROADBOOK_HOME，否则 ~/.local/share/roadbook）", "@dir"),
    OPTION("--lang", NULL, "LANG", "语言", "en or zh (default: by locale)",
           "en 或 zh（默认按系统语言）", "en zh"),
    FLAG("--json", NULL, "results and errors as JSON", "以 JSON 输出结果和错误"),
    FLAG("--help", "-h", "this help", "显示本帮助"),
    FLAG("--version", NULL, "the version", "显示版本"),
};
static const struct command_option enroll_options[] = {
    OPTION("--name", NULL, "NAME", "名称",
           "what head office calls this laptop (default: its host name)",
           "总部看到的本机名称（默认为主机名）", NULL),
    FLAG("--no-sync", NULL, "do not fetch the book at once", "暂不取回账本内容"),
};
static const struct command_option rm_options[] = {
    FLAG("--yes", "-y", "do not ask when rows of its own go with it",
         "有下属记录一并删除时不再询问"),
};
static const struct command_option list_options[] = {
    OPTION("--sort", "-s", "FIELD", "字段", "order by a field; -FIELD: the greatest first",
           "按字段排序；-字段：从大到小", "@field"),
    OPTION("--limit", "-n", "N", "数目", "at most N", "最多显示 N 条", NULL),
    OPTION("--offset", NULL, "N", "数目", "leave out the first N", "跳过前 N 条", NULL),
    OPTION("--columns", "-c", "A,B,...", "字段,...", "which fields to show", "显示哪些字段",
           "@field"),
};
static const struct command_option limit_options[] = {
    OPTION("--limit", "-n", "N", "数目", "at most N (default: 50)", "最多显示 N 条（默认 50）",
           NULL),
};
static const struct command_option all_options[] = {
    FLAG("--all", "-a", "also what is done or left out otherwise", "包括已处理或通常省略的内容"),
};
static const struct command_option sync_options[] = {
    OPTION("--trace", NULL, "DIR", "目录", "keep each message in DIR", "将每条消息保存到目录",
           "@dir"),
};
static const struct command_option resolve_options[] = {
    FLAG("--take-mine", NULL, "my value is to stand: if it gave way, it is written again",
         "以我的值为准：若未被采用，则重新写入"),
    FLAG("--take-lost", NULL, "the value that gave way is written again", "重新写入未被采用的值"),
    FLAG("--keep", NULL, "leave it as it is (default)", "保持现值（默认）"),
};
static const struct command_option import_options[] = {
    OPTION("--map", NULL, "COL=F,...", "列=字段,...",
           "which column is which field; COLUMN=- leaves one out",
           "列与字段的对应；列=- 表示忽略该列", NULL),
    OPTION("--match", NULL, "FIELD", "字段",
           "the field that tells which row it is: found rows are updated",
           "用哪个字段查找已有记录：找到则更新", "@field"),
    FLAG("--create-only", NULL, "only new rows; those that exist are left alone",
         "只新建，不改已有记录"),
    FLAG("--update-only", NULL, "only rows that exist", "只更新已有记录"),
    FLAG("--dry-run", NULL, "check everything, write nothing", "只检查，不写入"),
    OPTION("--encoding", NULL, "NAME", "编码", "utf-8 or gb18030 (default: found out)",
           "utf-8 或 gb18030（默认自动识别）", "utf-8 gb18030"),
    OPTION("--report", NULL, "FILE", "文件", "write what became of each row to a CSV file",
           "将每行的结果写入 CSV 文件", "@file"),
};
static const struct command_option export_options[] = {
    OPTION("--format", NULL, "FORM", "格式", "csv (default) or jsonl (one object a line)",
           "csv（默认）或 jsonl（每行一个对象）", "csv jsonl"),
    FLAG("--bom", NULL, "with the mark by which Excel knows UTF-8",
         "带 UTF-8 标记，便于 Excel 打开"),
    OPTION("--output", "-o", "FILE", "文件", "write to FILE (default: standard output)",
           "写入文件（默认为标准输出）", "@file"),
};
static const struct command_option form_options[] = {
    OPTION("--format", NULL, "FORM", "格式", "text (default), json or markdown",
           "text（默认）、json 或 markdown", "text json markdown"),
};

/* ------------------------------------------------------------------ longer help */

#define ROW_EN                                                                                     \
    "A row is named by its short id (3-1Z7K), its number, its natural key, or the beginning of "   \
    "its name\nif only one row begins so.\n"
#define ROW_ZH "记录可用短编号（3-1Z7K）、数字编号、自然键，或能唯一确定它的名称开头来指明。\n"
#define CONDITIONS_EN                                                                              \
    "Conditions (all must hold):\n"                                                                \
    "  FIELD=VALUE   equal; for sets: has the element; FIELD= empty\n"                             \
    "  FIELD!=VALUE  not equal\n"                                                                  \
    "  FIELD~TEXT    contains the text\n"                                                          \
    "  FIELD>=VALUE, FIELD<=VALUE, FIELD>VALUE, FIELD<VALUE\n"                                     \
    "Quote them in the shell: 'business_date>=2026-01-01'.\n"
#define CONDITIONS_ZH                                                                              \
    "条件（须全部满足）：\n"                                                             \
    "  字段=值    等于；集合：含有该项；字段= 表示为空\n"                      \
    "  字段!=值   不等于\n"                                                                  \
    "  字段~文字  包含该文字\n"                                                           \
    "  字段>=值、字段<=值、字段>值、字段<值\n"                                      \
    "在命令行中请加引号：'business_date>=2026-01-01'。\n"
#define EDITS_EN                                                                                   \
    "FIELD=VALUE sets a field, FIELD= empties it. Sets and counters: tags+=a tags-=b points+=3 "   \
    "points-=1.\n"                                                                                 \
    "References take a name or an id: account=Acme. Fields: roadbook fields ENTITY.\n"
#define EDITS_ZH                                                                                                  \
    "字段=值 表示填写，字段= 表示清空。集合与计数：tags+=a tags-=b points+=3 points-=1。\n" \
    "引用字段可写名称或编号：account=Acme。各字段见：roadbook fields 类别。\n"

/* ------------------------------------------------------------------ commands */

static const struct command commands[] = {
    {.name = "enroll",
     .usage = {"LINK", "链接"},
     .run = cli_sync_enroll,
     .flags = CLI_NEEDS_HOME,
     WORDS(1, 1, NULL),
     OPTIONS(enroll_options),
     .summary = {"make this laptop a device of your organisation", "将本机登记为公司的一台设备"},
     .details = {"Head office gives the link; it works once. The book is fetched at once if the "
                 "server can be reached.\n",
                 "登记链接由总部提供，只能使用一次。若能连上服务器，会立即取回账本内容。\n"}},
    {.name = "add",
     .usage = {"ENTITY FIELD=VALUE...", "类别 字段=值..."},
     .run = cli_edit_add,
     .flags = CLI_NEEDS_BOOK,
     WORDS(2, COMMAND_WORDS_MAX, "@entity @assign"),
     .summary = {"make a new row; prints its id", "新建一条记录，输出其编号"},
     .details = {EDITS_EN, EDITS_ZH}},
    {.name = "set",
     .usage = {"ENTITY ROW FIELD=VALUE...", "类别 记录 字段=值..."},
     .run = cli_edit_set,
     .flags = CLI_NEEDS_BOOK,
     WORDS(3, COMMAND_WORDS_MAX, "@entity - @assign"),
     .summary = {"edit a row", "修改一条记录"},
     .details = {ROW_EN EDITS_EN, ROW_ZH EDITS_ZH}},
    {.name = "rm",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_edit_rm,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 2, "@entity"),
     OPTIONS(rm_options),
     .summary = {"delete a row with the rows of its own", "删除一条记录及其名下记录"},
     .details = {ROW_EN, ROW_ZH}},
    {.name = "get",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_show_get,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 2, "@entity"),
     .summary = {"show a row", "显示一条记录"},
     .details = {ROW_EN, ROW_ZH}},
    {.name = "list",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     .run = cli_show_list,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     OPTIONS(list_options),
     .summary = {"list rows", "列出记录"},
     .details = {CONDITIONS_EN "A star behind the id: not all of it has reached the server yet.\n",
                 CONDITIONS_ZH "编号后的星号：尚有内容未到达服务器。\n"}},
    {.name = "find",
     .usage = {"TEXT...", "文字..."},
     .run = cli_show_find,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, COMMAND_WORDS_MAX, NULL),
     OPTIONS(limit_options),
     .summary = {"search all text of the book", "在全部内容中查找"}},
    {.name = "history",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_show_history,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 2, "@entity"),
     .summary = {"what happened to a row, as far as this laptop knows",
                 "一条记录的经过（就本机所知）"},
     .details = {ROW_EN, ROW_ZH}},
    {.name = "pending",
     .usage = {"", ""},
     .run = cli_outbox_pending,
     .flags = CLI_NEEDS_BOOK,
     OPTIONS(all_options),
     .summary = {"what the server has not confirmed yet", "服务器尚未确认的修改"}},
    {.name = "undo",
     .usage = {"[BATCH]", "[批号]"},
     .run = cli_outbox_undo,
     .flags = CLI_NEEDS_BOOK,
     WORDS(0, 1, NULL),
     .summary = {"take back the latest save, or a certain one", "撤销最近一次（或指定批号的）保存"},
     .details = {"What was not sent yet disappears. What was sent is taken back by a new edit.\n",
                 "尚未发送的会直接取消；已发送的由一次新的修改予以撤回。\n"}},
    {.name = "sync",
     .usage = {"", ""},
     .run = cli_sync_run,
     .flags = CLI_NEEDS_BOOK,
     OPTIONS(sync_options),
     .summary = {"exchange with the server now", "立即与服务器同步"}},
    {.name = "status",
     .usage = {"", ""},
     .run = cli_sync_status,
     .flags = CLI_NEEDS_BOOK,
     .summary = {"who, how much, how old, what is still to be sent",
                 "用户、数量、数据时间、待发送内容"}},
    {.name = "conflicts",
     .usage = {"", ""},
     .run = cli_conflict_list,
     .flags = CLI_NEEDS_BOOK,
     OPTIONS(all_options),
     .summary = {"values that gave way to another", "未被采用的值"}},
    {.name = "resolve",
     .usage = {"NO... [--take-mine|--take-lost|--keep]",
               "编号... [--take-mine|--take-lost|--keep]"},
     .run = cli_conflict_resolve,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, COMMAND_WORDS_MAX, NULL),
     OPTIONS(resolve_options),
     .summary = {"settle a conflict", "处理冲突"}},
    {.name = "held",
     .usage = {"", ""},
     .run = cli_held_list,
     .flags = CLI_NEEDS_BOOK,
     OPTIONS(all_options),
     WORDS(0, 0, "@held"),
     .summary = {"own edits that the server refused, or that wait",
                 "被服务器拒绝或等待处理的修改"}},
    {.name = "held retry",
     .usage = {"NO [FIELD=VALUE...]", "编号 [字段=值...]"},
     .run = cli_held_retry,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, COMMAND_WORDS_MAX, NULL),
     .summary = {"send a held edit again, as it is or changed", "重新提交（可先更改内容）"}},
    {.name = "held drop",
     .usage = {"NO", "编号"},
     .run = cli_held_drop,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 1, NULL),
     .summary = {"give a held edit up", "放弃一项待处理的修改"}},
    {.name = "receipts",
     .usage = {"", ""},
     .run = cli_outbox_receipts,
     .flags = CLI_NEEDS_BOOK,
     OPTIONS(limit_options),
     .summary = {"the server's answers to what was sent", "服务器对已发送内容的回执"}},
    {.name = "import",
     .usage = {"ENTITY FILE.csv", "类别 文件.csv"},
     .run = cli_file_import,
     .flags = CLI_NEEDS_BOOK,
     WORDS(2, 2, "@entity @file"),
     OPTIONS(import_options),
     .summary = {"take rows from a CSV file", "从 CSV 文件导入"},
     .details = {"Columns are known by field name or label in either language. A row that cannot "
                 "be taken is refused with its\n"
                 "line and reason, the others go on; the exit code tells when none could be taken. "
                 "Without --match the\n"
                 "natural key finds rows that exist.\n",
                 "列名可为字段名或中英文名称。不能导入的行会注明行号和原因，其余照常导入；若无一行"
                 "可导入，退出码会反映出来。\n"
                 "未给 --match 时，按自然键查找已有记录。\n"}},
    {.name = "imports",
     .usage = {"", ""},
     .run = cli_file_imports,
     .flags = CLI_NEEDS_BOOK,
     .summary = {"the imports made here", "本机做过的导入"}},
    {.name = "revert",
     .usage = {"IMPORT", "导入编号"},
     .run = cli_file_revert,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 1, NULL),
     .summary = {"take back a whole import", "撤回一次导入"},
     .details = {"What somebody has edited since is kept.\n", "此后被修改过的内容予以保留。\n"}},
    {.name = "export",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     .run = cli_file_export,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     OPTIONS(export_options),
     .summary = {"write rows as CSV or JSON lines", "导出为 CSV 或 JSON 行"},
     .details = {CONDITIONS_EN, CONDITIONS_ZH}},
    {.name = "verify",
     .usage = {"", ""},
     .run = cli_about_verify,
     .flags = CLI_NEEDS_BOOK,
     .summary = {"check the book on this laptop", "检查本机账本"}},
    {.name = "sql",
     .usage = {"\"SELECT ...\"", "\"SELECT ...\""},
     .run = cli_about_sql,
     .flags = CLI_NEEDS_BOOK,
     WORDS(1, 1, NULL),
     .summary = {"ask the book in SQL, read-only", "用 SQL 查询账本（只读）"}},
    {.name = "entities",
     .usage = {"", ""},
     .run = cli_about_entities,
     OPTIONS(form_options),
     .summary = {"the kinds of rows", "记录的类别"}},
    {.name = "fields",
     .usage = {"ENTITY", "类别"},
     .run = cli_about_fields,
     WORDS(1, 1, "@entity"),
     OPTIONS(form_options),
     .summary = {"the fields of a kind of row", "某类记录的字段"}},
    {.name = "completion",
     .usage = {"bash", "bash"},
     .run = cli_about_completion,
     WORDS(1, 1, "bash"),
     .summary = {"a script that lets bash complete commands", "供 bash 补全命令的脚本"},
     .details = {"Put it to use with: source <(roadbook completion bash)\n",
                 "启用：source <(roadbook completion bash)\n"}},
    {.name = "help",
     .usage = {"[COMMAND]", "[命令]"},
     .run = cli_about_help,
     WORDS(0, 2, "@command"),
     .summary = {"help", "帮助"}},
    {.name = "version",
     .usage = {"", ""},
     .run = cli_about_version,
     .summary = {"the version", "版本"}},
};

const struct command_set cli_commands = {
    .program = "roadbook",
    .about = {"roadbook: a key-account book for people who travel. It works with the network off.",
              "roadbook：大客户经理的随身账本，断网也能用。"},
    .commands = commands,
    .count = ARRAY_COUNT(commands),
    .options = every,
    .option_count = ARRAY_COUNT(every),
};
