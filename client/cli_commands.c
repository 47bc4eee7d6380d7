/* The command table of `roadbook`: what may be typed, in both languages. Help, dispatch and
 * completion are derived from it; a command is added by one row here and one function in its
 * family's file.
 */
#include "client/cli.h"
#include "syncd/api/command_rows.h"

/* ------------------------------------------------------------------ options */

static const struct command_option every[] = {
    COMMAND_OPTION("--home", NULL, "DIR", "目录",
                   "the book's folder (default: $ROADBOOK_HOME, else ~/.local/share/roadbook)",
                   "账本所在目录（默认：$ROADBOOK_HOME，否则 ~/.local/share/roadbook）", "@dir"),
    COMMAND_EVERY_OPTIONS,
};
static const struct command_option enroll_options[] = {
    COMMAND_OPTION("--name", NULL, "NAME", "名称",
                   "what head office calls this laptop (default: its host name)",
                   "总部看到的本机名称（默认为主机名）", NULL),
    COMMAND_FLAG("--no-sync", NULL, "do not fetch the book at once", "暂不取回账本内容"),
    COMMAND_FLAG("--again", NULL, "this book is a copy of another laptop's, or was set back",
                 "本账本是另一台笔记本的副本，或曾被还原"),
};
static const struct command_option rm_options[] = {
    COMMAND_FLAG("--yes", "-y", "also the rows that belong to it, without asking",
                 "连同其名下记录一并删除，不再询问"),
};
static const struct command_option list_options[] = {
    COMMAND_LIST_OPTIONS,
};
static const struct command_option limit_options[] = {
    COMMAND_OPTION("--limit", "-n", "N", "数目", "at most N rows (default: 50)",
                   "最多显示 N 条（默认 50）", NULL),
};
static const struct command_option all_options[] = {
    COMMAND_FLAG("--all", "-a", "also what is done or left out otherwise",
                 "包括已处理或通常省略的内容"),
};
static const struct command_option attach_options[] = {
    COMMAND_OPTION("--title", NULL, "TEXT", "文字", "what it is called (default: the file's name)",
                   "标题（默认为文件名）", NULL),
    COMMAND_OPTION("--kind", NULL, "KIND", "类型",
                   "photo, recording, signature or file (default: by the file's name)",
                   "photo 照片、recording 录音、signature 签名、file 文件（默认按文件名判断）",
                   "photo recording signature file"),
    COMMAND_OPTION("--taken", NULL, "TIME", "时间",
                   "when it was taken (default: when the file was written)",
                   "拍摄或录制时间（默认为文件写入时间）", NULL),
};
static const struct command_option move_options[] = {
    COMMAND_OPTION("--account", NULL, "ACCOUNT", "客户", "those of an account", "某客户的附件",
                   NULL),
    COMMAND_FLAG("--all", "-a", "all of them", "全部附件"),
};
static const struct command_option saver_options[] = {
    COMMAND_OPTION("--below", NULL, "KB", "KB",
                   "with data saver on, files up to that still move by themselves (default: 32)",
                   "省流量模式下，不超过此大小的文件仍自动传输（默认 32）", NULL),
    COMMAND_OPTION("--prefetch", NULL, "KB", "KB",
                   "photos and signatures of own accounts up to that come by themselves "
                   "(default: 1024; 0: none)",
                   "自己客户的照片和签名，不超过此大小的自动取回（默认 1024；0 表示不取回）", NULL),
};
static const struct command_option sync_options[] = {
    COMMAND_FLAG("--verify", NULL, "and compare every row with the server's",
                 "并将全部记录与服务器比对"),
    COMMAND_FLAG("--rows-only", NULL, "no files of attachments", "不传输附件文件"),
    COMMAND_OPTION("--trace", NULL, "DIR", "目录", "keep each message in DIR",
                   "将每条消息保存到目录", "@dir"),
};
static const struct command_option resolve_options[] = {
    COMMAND_FLAG("--take-mine", NULL, "my value is to stand: if it gave way, it is written again",
                 "以我的值为准：若未被采用，则重新写入"),
    COMMAND_FLAG("--take-lost", NULL, "the value that gave way is written again",
                 "重新写入未被采用的值"),
    COMMAND_FLAG("--keep", NULL, "leave it as it is (default)", "保持现值（默认）"),
};
static const struct command_option import_options[] = {
    COMMAND_IMPORT_OPTIONS,
};
static const struct command_option export_options[] = {
    COMMAND_EXPORT_OPTIONS,
    COMMAND_OPTION("--output", "-o", "FILE", "文件", "write to FILE (default: standard output)",
                   "写入文件（默认为标准输出）", "@file"),
};
static const struct command_option form_options[] = {
    COMMAND_OPTION("--format", NULL, "FORM", "格式", "text (default), json or markdown",
                   "text（默认）、json 或 markdown", "text json markdown"),
};

/* ------------------------------------------------------------------ longer help */

#define EDITS_EN                                                                                   \
    "FIELD=VALUE sets a field, FIELD= empties it. Sets and counters: tags+=a tags-=b points+=3 "   \
    "points-=1.\n"                                                                                 \
    "References take a name or an id: account=Acme. Fields: roadbook fields ENTITY.\n"
#define EDITS_ZH                                                                                                  \
    "字段=值 表示填写，字段= 表示清空。集合与计数：tags+=a tags-=b points+=3 points-=1。\n" \
    "引用字段可写名称或编号：account=Acme。各字段见：roadbook fields 类别。\n"

/* ------------------------------------------------------------------ commands */

static const struct command_option duplicates_options[] = {
    COMMAND_OPTION("--entity", NULL, "ENTITY", "类别", "account (default) or contact",
                   "account（客户，默认）或 contact（联系人）", "account contact"),
    COMMAND_OPTION("--min", NULL, "SCORE", "分数",
                   "only pairs of at least that score (default: 60)",
                   "仅显示不低于此分数的（默认 60）", NULL),
};

static const struct command commands[] = {
    {.name = "enroll",
     .usage = {"[LINK | -]", "[链接 | -]"},
     .run = cli_sync_enroll,
     .flags = CLI_NEEDS_HOME,
     COMMAND_WORDS(0, 1, NULL),
     COMMAND_OPTIONS(enroll_options),
     .summary = {"make this laptop a device of your organisation", "将本机登记为公司的一台设备"},
     .details =
         {"Head office gives the link; it works once. Whoever sees it can use it: without LINK you "
          "are asked for it, and with -\n"
          "it is read from standard input, so that it does not show in the list of "
          "processes or the shell's history.\n"
          "The book is fetched at once if the server can be reached.\n"
          "A book that is a copy, or was set back, cannot sync: with --again it gets a number of "
          "its own, and what was saved in it is sent. The link\nmust be of the same user.\n",
          "登记链接由总部提供，只能使用一次。看到链接的人就能使用它：不写链接时会提示您输入，写 - "
          "则从标准输入读取，\n"
          "这样链接不会出现在进程列表和命令历史中。若能连上服务器，会立即取回账本内容。\n"
          "账本若是副本或曾被还原，则无法同步：加 --again 可使其获得自己的编号，其中保存的内容随即"
          "发送。链接须属于同一用户。\n"}},
    {.name = "add",
     .usage = {"ENTITY FIELD=VALUE...", "类别 字段=值..."},
     .run = cli_edit_add,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(2, COMMAND_WORDS_MAX, "@entity @assign"),
     .summary = {"make a new row; prints its id", "新建一条记录，输出其编号"},
     .details = {EDITS_EN, EDITS_ZH}},
    {.name = "set",
     .usage = {"ENTITY ROW FIELD=VALUE...", "类别 记录 字段=值..."},
     .run = cli_edit_set,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(3, COMMAND_WORDS_MAX, "@entity - @assign"),
     .summary = {"edit a row", "修改一条记录"},
     .details = {COMMAND_ROW_EN EDITS_EN, COMMAND_ROW_ZH EDITS_ZH}},
    {.name = "rm",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_edit_rm,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 2, "@entity"),
     COMMAND_OPTIONS(rm_options),
     .summary = {"delete a row and the rows that belong to it", "删除一条记录及其名下记录"},
     .details = {COMMAND_ROW_EN "If rows belong to it, you are asked first; where nobody can be "
                                "asked (a script), nothing is\ndeleted without --yes.\n",
                 COMMAND_ROW_ZH
                 "若有名下记录，会先询问；无法询问时（如在脚本中），不加 --yes 就不会删除。\n"}},
    {.name = "get",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_show_get,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 2, "@entity"),
     .summary = {"show a row", "显示一条记录"},
     .details = {COMMAND_ROW_EN, COMMAND_ROW_ZH}},
    {.name = "list",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     .run = cli_show_list,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     COMMAND_OPTIONS(list_options),
     .summary = {"list rows", "列出记录"},
     .details = {COMMAND_CONDITIONS_EN
                 "A star behind the id: not all of it has reached the server yet.\n",
                 COMMAND_CONDITIONS_ZH "编号后的星号：尚有内容未到达服务器。\n"}},
    {.name = "find",
     .usage = {"TEXT...", "文字..."},
     .run = cli_show_find,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(limit_options),
     .summary = {"search all text of the book", "在全部内容中查找"}},
    {.name = "history",
     .usage = {"ENTITY ROW | ID", "类别 记录 | 编号"},
     .run = cli_show_history,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 2, "@entity"),
     .summary = {"what happened to a row, as far as this laptop knows",
                 "一条记录的经过（就本机所知）"},
     .details = {COMMAND_ROW_EN
                 "Shown are your own edits, what came from the server, and what lost. Who else did "
                 "what, and all of\nlonger ago, is at the server.\n",
                 COMMAND_ROW_ZH "显示您自己的修改、来自服务器的更改以及未采用的值。其他人的修改明细"
                                "及更早的记录在服务器上。\n"}},
    {.name = "pending",
     .usage = {"", ""},
     .run = cli_outbox_pending,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     COMMAND_OPTIONS(all_options),
     .summary = {"what the server has not confirmed yet", "服务器尚未确认的修改"}},
    {.name = "undo",
     .usage = {"[BATCH]", "[批号]"},
     .run = cli_outbox_undo,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, 1, NULL),
     .summary = {"take back the latest save, or a certain one", "撤销最近一次（或指定批号的）保存"},
     .details = {"What was not sent yet disappears. What was sent and has no answer yet is taken "
                 "back by a new\n"
                 "edit. What the server has confirmed stays: edit the row.\n",
                 "尚未发送的会直接取消；已发送而未确认的，由一次新的修改予以撤回。\n"
                 "服务器已确认的不能撤销：请直接修改该记录。\n"}},
    {.name = "sync",
     .usage = {"", ""},
     .run = cli_sync_run,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     COMMAND_OPTIONS(sync_options),
     .summary = {"exchange with the server now", "立即与服务器同步"}},
    {.name = "sign",
     .usage = {"[HANDOVER]", "[过户]"},
     .run = cli_handover_sign,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, 1, NULL),
     .summary = {"sign a handover of accounts; without a word: those that wait for you",
                 "在过户单上签字；不带参数则列出待您签字的过户"}},
    {.name = "bundle export",
     .usage = {"FILE", "文件"},
     .run = cli_bundle_export,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     COMMAND_WORDS(1, 1, "@file"),
     .summary = {"write what a sync would send to a file, for a stick",
                 "将待同步内容写入文件，以便用 U 盘带往总部"},
     .details =
         {"Head office imports it with roadbook-server bundle import, and gives back a file "
          "that brings\nthis laptop up to date: roadbook bundle import. Only head office can "
          "read the one, only this\nlaptop the other. Exporting twice, or syncing in "
          "between, does no harm.\n",
          "总部用 roadbook-server bundle import 导入，并返回一个使本机更新到最新的文件：\n"
          "roadbook bundle "
          "import。前者仅总部可读，后者仅本机可读。重复导出或期间联网同步均无妨。\n"}},
    {.name = "bundle import",
     .usage = {"FILE", "文件"},
     .run = cli_bundle_import,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     COMMAND_WORDS(1, 1, "@file"),
     .summary = {"take in the file that head office gave back", "导入总部返回的文件"}},
    {.name = "status",
     .usage = {"", ""},
     .run = cli_sync_status,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     .summary = {"who, how much, how old, what is still to be sent",
                 "用户、数量、数据时间、待发送内容"}},
    {.name = "scope",
     .usage = {"", ""},
     .run = cli_scope_list,
     .flags = CLI_NEEDS_BOOK,
     .summary = {"what this laptop may see, and how much of it is here",
                 "本机可见的范围及各范围的记录数"},
     .details = {"A team is an account with all that belongs to it; a territory, the heads of its "
                 "accounts.\nA row may be in several of them.\n",
                 "团队指某客户及其名下全部内容；区域指该区域各客户的基本资料。一条记录可属于多个范"
                 "围。\n"}},
    {.name = "duplicates",
     .usage = {"", ""},
     .run = cli_duplicates,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_OPTIONS(duplicates_options),
     .summary = {"rows here that may be the same firm or person", "查找本机可能重复的客户或联系人"},
     .details = {"Also said when a row is added. Head office merges them: roadbook-server merge.\n",
                 "新建记录时也会提示。合并由总部进行：roadbook-server merge。\n"}},
    {.name = "conflicts",
     .usage = {"", ""},
     .run = cli_conflict_list,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_OPTIONS(all_options),
     .summary = {"values that gave way to another", "未被采用的值"}},
    {.name = "resolve",
     .usage = {"NO... [--take-mine|--take-lost|--keep]",
               "编号... [--take-mine|--take-lost|--keep]"},
     .run = cli_conflict_resolve,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(resolve_options),
     .summary = {"settle a conflict", "处理冲突"},
     .details =
         {"NO is as roadbook conflicts shows it: all that one change lost or took; 12.city is, of "
          "that,\none field.\n",
          "编号见 roadbook conflicts，指一次修改的全部冲突；12.city 或 12.城市 只指其中一个字段。\n"}},
    {.name = "held",
     .usage = {"", ""},
     .run = cli_held_list,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_OPTIONS(all_options),
     COMMAND_WORDS(0, 0, NULL),
     .summary = {"your edits that the server refused, or that wait; and others', of rows that are "
                 "yours now",
                 "被服务器拒绝或等待处理的修改，以及他人对现归您的记录的修改"}},
    {.name = "held retry",
     .usage = {"NO [FIELD=VALUE...]", "编号 [字段=值...]"},
     .run = cli_held_retry,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, NULL),
     .summary = {"send a held edit again, as it is or changed", "重新提交（可先更改内容）"}},
    {.name = "held drop",
     .usage = {"NO", "编号"},
     .run = cli_held_drop,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"give a held edit up", "放弃一项待处理的修改"}},
    {.name = "held take",
     .usage = {"NO", "编号"},
     .run = cli_held_take,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"take over what another wrote of a row that is yours now",
                 "接手他人对现归您的记录所作的修改"}},
    {.name = "receipts",
     .usage = {"", ""},
     .run = cli_outbox_receipts,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     COMMAND_OPTIONS(limit_options),
     .summary = {"the server's answers to what was sent", "服务器对已发送内容的回执"}},
    {.name = "attach",
     .usage = {"ENTITY ROW FILE", "类别 记录 文件"},
     .run = cli_attach_add,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(3, 3, "@entity - @file"),
     COMMAND_OPTIONS(attach_options),
     .summary = {"attach a photo, a recording or another file", "添加照片、录音等附件"},
     .details = {"ENTITY is account, visit, opportunity or contact. The file is copied; it goes to "
                 "the server after the\nrows, with the next sync.\n",
                 "类别可为 account、visit、opportunity、contact。文件会被复制；下次同步时在记录之后"
                 "发送。\n"}},
    {.name = "attachments",
     .usage = {"[ENTITY ROW | ID]", "[类别 记录 | 编号]"},
     .run = cli_attach_list,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, 2, "@entity -"),
     .summary = {"the attachments, and where their files are", "附件及其文件所在位置"}},
    {.name = "attachments export",
     .usage = {"ID [FILE]", "编号 [文件]"},
     .run = cli_attach_export,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 2, "- @file"),
     .summary = {"write a copy of the file of an attachment", "将附件另存为文件"},
     .details = {"Without FILE it gets its own name, in this folder. Nothing is written over.\n",
                 "不写文件名时以原文件名保存到当前目录。不会覆盖已有文件。\n"}},
    {.name = "fetch",
     .usage = {"[ID...]", "[编号...]"},
     .run = cli_move_fetch,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(move_options),
     .summary = {"fetch files of attachments from the server", "从服务器取回附件文件"},
     .details =
         {"What is not done when the line goes is remembered and comes with the next sync.\n",
          "网络中断时未完成的部分会记下，下次同步时继续。\n"}},
    {.name = "send",
     .usage = {"[ID...]", "[编号...]"},
     .run = cli_move_send,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, COMMAND_WORDS_MAX, NULL),
     COMMAND_OPTIONS(move_options),
     .summary = {"send files of attachments now, also with data saver on",
                 "立即发送附件文件（省流量模式下亦可）"}},
    {.name = "data-saver",
     .usage = {"[on | off]", "[on | off]"},
     .run = cli_attach_saver,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(0, 1, NULL),
     COMMAND_OPTIONS(saver_options),
     .summary = {"whether files move by themselves", "文件是否自动传输"}},
    {.name = "import",
     .usage = {"ENTITY FILE.csv", "类别 文件.csv"},
     .run = cli_file_import,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(2, 2, "@entity @file"),
     COMMAND_OPTIONS(import_options),
     .summary = {"take rows from a CSV file", "从 CSV 文件导入"},
     .details = {COMMAND_IMPORT_EN, COMMAND_IMPORT_ZH}},
    {.name = "imports",
     .usage = {"", ""},
     .run = cli_file_imports,
     .flags = CLI_NEEDS_BOOK,
     .summary = {"the imports made here", "本机做过的导入"}},
    {.name = "revert",
     .usage = {"IMPORT", "导入编号"},
     .run = cli_file_revert,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"take back a whole import", "撤回一次导入"},
     .details = {"What somebody has edited since is kept.\n", "此后被修改过的内容予以保留。\n"}},
    {.name = "export",
     .usage = {"ENTITY [CONDITION...]", "类别 [条件...]"},
     .run = cli_file_export,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, COMMAND_WORDS_MAX, "@entity @assign"),
     COMMAND_OPTIONS(export_options),
     .summary = {"write rows as CSV or JSON lines", "导出为 CSV 或 JSON 行"},
     .details = {COMMAND_CONDITIONS_EN, COMMAND_CONDITIONS_ZH}},
    {.name = "verify",
     .usage = {"", ""},
     .run = cli_about_verify,
     .flags = CLI_NEEDS_BOOK | CLI_ALSO_LOCKED,
     .summary = {"check the book on this laptop", "检查本机账本"}},
    {.name = "sql",
     .usage = {"\"SELECT ...\"", "\"SELECT ...\""},
     .run = cli_about_sql,
     .flags = CLI_NEEDS_BOOK,
     COMMAND_WORDS(1, 1, NULL),
     .summary = {"ask the book in SQL, read-only", "用 SQL 查询账本（只读）"}},
    {.name = "entities",
     .usage = {"", ""},
     .run = cli_about_entities,
     COMMAND_OPTIONS(form_options),
     .summary = {"the kinds of rows", "记录的类别"}},
    {.name = "fields",
     .usage = {"ENTITY", "类别"},
     .run = cli_about_fields,
     COMMAND_WORDS(1, 1, "@entity"),
     COMMAND_OPTIONS(form_options),
     .summary = {"the fields of a kind of row", "某类记录的字段"}},
    {.name = "completion",
     .usage = {"bash", "bash"},
     .run = cli_about_completion,
     COMMAND_WORDS(1, 1, "bash"),
     .summary = {"a script that lets bash complete commands", "供 bash 补全命令的脚本"},
     .details = {"Put it to use with: source <(roadbook completion bash)\n",
                 "启用：source <(roadbook completion bash)\n"}},
    {.name = "help",
     .usage = {"[COMMAND]", "[命令]"},
     .run = cli_about_help,
     COMMAND_WORDS(0, 2, "@command"),
     .summary = {"show help", "显示帮助"}},
    {.name = "version",
     .usage = {"", ""},
     .run = cli_about_version,
     .summary = {"show the version", "显示版本"}},
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
