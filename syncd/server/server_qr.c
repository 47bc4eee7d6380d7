/* A QR code in the terminal: two rows of dots a line, by half blocks, dark on light as scanners
 * want it. */
#include <qrencode.h>
#include <stdio.h>

#include "syncd/server/server.h"

enum { QUIET_ZONE = 2 };

static bool is_dark(const QRcode *code, int x, int y) {
    if (x < 0 || y < 0 || x >= code->width || y >= code->width) return false;
    return code->data[y * code->width + x] & 1;
}

static void code_print(const QRcode *code) {
    for (int y = -QUIET_ZONE; y < code->width + QUIET_ZONE; y += 2) {
        (void)fputs("\033[30;107m", stdout);
        for (int x = -QUIET_ZONE; x < code->width + QUIET_ZONE; x++) {
            bool upper = is_dark(code, x, y), lower = is_dark(code, x, y + 1);
            (void)fputs(upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ", stdout);
        }
        (void)fputs("\033[0m\n", stdout);
    }
}

enum status server_qr_print(const char *text, struct err *err) {
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code) return err_set(err, ST_INTERNAL, "cannot make the QR code", "无法生成二维码");
    code_print(code);
    QRcode_free(code);
    return ST_OK;
}
