/* The TLS of the listener: 1.2 and later, sessions resumed by tickets, buffers given back while a
 * connection waits (ten thousand waiting laptops would else hold 32 KiB each). */
#include <openssl/err.h>
#include <string.h>

#include "http_private.h"

enum status http_tls_err(enum status status, const char *what, struct err *err) {
    char reason[256];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
    ERR_clear_error();
    return err_set(err, status, "%s: %s", "%s：%s", what, reason);
}

/* Clients offer h2 first; saying http/1.1 is kinder than silence. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *ctx) {
    (void)ssl;
    (void)ctx;
    static const unsigned char mine[] = "http/1.1";
    for (unsigned at = 0; at < in_len && in_len - at > in[at]; at += 1u + in[at]) {
        if (in[at] != sizeof mine - 1 || memcmp(in + at + 1, mine, sizeof mine - 1) != 0) continue;
        *out = in + at + 1;
        *out_len = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static enum status load_pair(SSL_CTX *tls, const char *cert_path, const char *key_path,
                             struct err *err) {
    if (SSL_CTX_use_certificate_chain_file(tls, cert_path) != 1)
        return http_tls_err(ST_INVALID, cert_path, err);
    if (SSL_CTX_use_PrivateKey_file(tls, key_path, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls) != 1)
        return http_tls_err(ST_INVALID, key_path, err);
    return ST_OK;
}

enum status http_tls_open(const char *cert_path, const char *key_path, SSL_CTX **out,
                          struct err *err) {
    static const unsigned char context[] = "roadbook";
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL) return err_no_memory(err);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(tls, 1); /* one read per record instead of two */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF); /* tickets need no memory here */
    SSL_CTX_set_session_id_context(tls, context, sizeof context - 1);
    SSL_CTX_set_num_tickets(tls, 1); /* a laptop keeps one connection */
    SSL_CTX_set_alpn_select_cb(tls, choose_protocol, NULL);
    enum status status = load_pair(tls, cert_path, key_path, err);
    if (status != ST_OK) {
        SSL_CTX_free(tls);
        return status;
    }
    *out = tls;
    return ST_OK;
}
