/* Rows that the command tables of several programs have: what every command takes, how rows are
 * named and chosen, how files are read and written. */
#ifndef ROADBOOK_COMMAND_ROWS_H
#define ROADBOOK_COMMAND_ROWS_H

#include "syncd/api/command.h"

#define COMMAND_EVERY_OPTIONS                                                                      \
    COMMAND_OPTION("--lang", NULL, "LANG", "语言", "en or zh (default: by locale)",                \
                   "en 或 zh（默认按系统语言）", "en zh"),                                         \
        COMMAND_FLAG("--json", NULL, "results and errors as JSON", "以 JSON 输出结果和错误"),      \
        COMMAND_FLAG("--help", "-h", "this help", "显示本帮助"),                                   \
        COMMAND_FLAG("--version", NULL, "the version", "显示版本")
#define COMMAND_LIST_OPTIONS                                                                       \
    COMMAND_OPTION("--sort", "-s", "FIELD", "字段",                                                \
                   "order by a field; -FIELD: the greatest first", "按字段排序；-字段：从大到小",  \
                   "@field"),                                                                      \
        COMMAND_OPTION("--limit", "-n", "N", "数目", "at most N rows", "最多显示 N 条", NULL),     \
        COMMAND_OPTION("--offset", NULL, "N", "数目", "leave out the first N", "跳过前 N 条",      \
                       NULL),                                                                      \
        COMMAND_OPTION("--columns", "-c", "A,B,...", "字段,...", "which fields to show",           \
                       "显示哪些字段", "@field")
#define COMMAND_IMPORT_OPTIONS                                                                     \
    COMMAND_OPTION("--map", NULL, "COL=F,...", "列=字段,...",                                      \
                   "which column is which field; COLUMN=- leaves one out",                         \
                   "列与字段的对应；列=- 表示忽略该列", NULL),                                     \
        COMMAND_OPTION("--match", NULL, "FIELD", "字段",                                           \
                       "the field that tells which row it is, or id: found rows are updated",      \
                       "用哪个字段（或 id）查找已有记录：找到则更新", "@field"),                   \
        COMMAND_FLAG("--create-only", NULL, "only new rows; those that exist are left alone",      \
                     "只新建，不改已有记录"),                                                      \
        COMMAND_FLAG("--update-only", NULL, "only rows that exist", "只更新已有记录"),             \
        COMMAND_FLAG("--dry-run", NULL, "check everything, write nothing", "只检查，不写入"),      \
        COMMAND_OPTION("--encoding", NULL, "NAME", "编码",                                         \
                       "utf-8 or gb18030 (default: found out)",                                    \
                       "utf-8 或 gb18030（默认自动识别）", "utf-8 gb18030"),                       \
        COMMAND_OPTION("--report", NULL, "FILE", "文件",                                           \
                       "write what became of each row to a CSV file", "将每行的结果写入 CSV 文件", \
                       "@file")
#define COMMAND_EXPORT_OPTIONS                                                                     \
    COMMAND_OPTION("--format", NULL, "FORM", "格式", "csv (default) or jsonl (one object a line)", \
                   "csv（默认）或 jsonl（每行一个对象）", "csv jsonl"),                            \
        COMMAND_FLAG("--bom", NULL, "for Excel: it shall know UTF-8, and take no id for a date",   \
                     "供 Excel 打开：带 UTF-8 标记，且编号不会被当作日期")

#define COMMAND_ROW_EN                                                                             \
    "A row is named by its short id (3-1Z7K), its number, its own code (such as an item's), or "   \
    "its name,\n"                                                                                  \
    "of which the beginning is enough if no other row begins so.\n"
#define COMMAND_ROW_ZH                                                                                            \
    "记录可用短编号（3-1Z7K）、数字编号、自身代码（如产品编码）或名称来指明；\n" \
    "名称只写开头也可以，只要不与其他记录混淆。\n"
#define COMMAND_CONDITIONS_EN                                                                      \
    "Conditions (all must hold):\n"                                                                \
    "  FIELD=VALUE   equal; for sets: has the element; FIELD= empty\n"                             \
    "  FIELD!=VALUE  not equal\n"                                                                  \
    "  FIELD~TEXT    contains the text\n"                                                          \
    "  FIELD>=VALUE, FIELD<=VALUE, FIELD>VALUE, FIELD<VALUE\n"                                     \
    "Quote them in the shell: 'business_date>=2026-01-01'.\n"
#define COMMAND_CONDITIONS_ZH                                                                      \
    "条件（须全部满足）：\n"                                                             \
    "  字段=值    等于；集合：含有该项；字段= 表示为空\n"                      \
    "  字段!=值   不等于\n"                                                                  \
    "  字段~文字  包含该文字\n"                                                           \
    "  字段>=值、字段<=值、字段>值、字段<值\n"                                      \
    "在命令行中请加引号：'business_date>=2026-01-01'。\n"
#define COMMAND_IMPORT_EN                                                                          \
    "The head of the file names fields, by name or by label in either language. A row that "       \
    "cannot be taken\n"                                                                            \
    "is refused with its line and the reason, and the others go on; the exit code tells when "     \
    "none could be\n"                                                                              \
    "taken. Without --match, rows that exist are found by their own code, where they have one.\n"  \
    "An empty cell changes nothing.\n"                                                             \
    "To edit rows in a spreadsheet: export ENTITY --bom > FILE.csv; edit and save it as CSV;\n"    \
    "import ENTITY FILE.csv --match id. A line without an id becomes a new row.\n"
#define COMMAND_IMPORT_ZH                                                                                                                 \
    "文件首行写字段，可用字段名或中英文名称。不能导入的行会注明行号和原因，其余照常导入；\n"    \
    "若无一行可导入，退出码会反映出来。未给 --match 时，按记录自身的代码（如有）查找已有记录。\n" \
    "空单元格不改变原值。\n"                                                                                                    \
    "用表格软件修改：先 export 类别 --bom > 文件.csv，修改后存为 CSV，再 import 类别 文件.csv "                  \
    "--match id。\n"                                                                                                                     \
    "没有编号的行视为新记录。\n"

#endif
