/* Certificates that the server signs itself. Laptops pin the key when they are enrolled, so nobody
 * else needs to vouch for it. */
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "http_private.h"

static void free_key(EVP_PKEY **key) {
    EVP_PKEY_free(*key);
}
static void free_cert(X509 **cert) {
    X509_free(*cert);
}
static void free_bio(BIO **bio) {
    BIO_free(*bio);
}

enum { CERT_NAMES_MAX = 32, CERT_FILE_BYTES_MAX = 1024 * 1024 };

static enum status add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value,
                                 struct err *err) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added ? ST_OK : http_tls_err(ST_INVALID, value, err);
}

static bool is_ip(const char *name) {
    uint8_t bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Names go into a list whose separator is a comma: only what a host name may hold is let through.
 */
static bool is_host_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= 253 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*_") ==
               len;
}

static enum status add_names(X509 *cert, X509V3_CTX *ctx, const char *const *names, size_t count,
                             struct err *err) {
    struct buf list = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < count; i++) {
        bool ip = is_ip(names[i]);
        if (!ip && !is_host_name(names[i])) {
            buf_free(&list);
            return err_set(err, ST_INVALID, "\"%s\" is not a host name", "“%s” 不是主机名",
                           names[i]);
        }
        buf_printf(&list, "%s%s:%s", i > 0 ? "," : "", ip ? "IP" : "DNS", names[i]);
    }
    enum status status = add_extension(cert, ctx, NID_subject_alt_name, buf_text(&list), err);
    buf_free(&list);
    return status;
}

static bool set_subject(X509 *cert, const char *name) {
    char common[65] = {0}; /* a common name has at most 64 characters */
    memcpy(common, name, strnlen(name, sizeof common - 1));
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1;
}

static bool set_serial(X509 *cert) {
    uint64_t serial;
    return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), (serial >> 1) | 1) == 1;
}

static enum status fill_certificate(X509 *cert, EVP_PKEY *key, const char *const *names,
                                    size_t count, unsigned days, struct err *err) {
    enum { DAY_S = 86400 };
    /* From yesterday: a laptop whose clock is a little behind must be able to enrol. */
    bool made = X509_set_version(cert, 2) == 1 && set_serial(cert) &&
                X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) != NULL &&
                X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) != NULL &&
                X509_set_pubkey(cert, key) == 1 && set_subject(cert, names[0]);
    if (!made) return http_tls_err(ST_INTERNAL, "certificate", err);
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    TRY(add_extension(cert, &ctx, NID_basic_constraints, "critical,CA:TRUE,pathlen:0", err));
    TRY(add_extension(cert, &ctx, NID_key_usage, "critical,digitalSignature,keyCertSign", err));
    TRY(add_extension(cert, &ctx, NID_ext_key_usage, "serverAuth", err));
    TRY(add_extension(cert, &ctx, NID_subject_key_identifier, "hash", err));
    TRY(add_names(cert, &ctx, names, count, err));
    if (X509_sign(cert, key, EVP_sha256()) == 0)
        return http_tls_err(ST_INTERNAL, "certificate", err);
    return ST_OK;
}

static enum status write_pem(BIO *pem, const char *path, struct err *err) {
    char *text;
    long len = BIO_get_mem_data(pem, &text);
    if (len <= 0) return http_tls_err(ST_INTERNAL, path, err);
    return platform_write_file_private(path, slice_of(text, (size_t)len), err);
}

enum status http_make_certificate(const char *const *host_names, size_t count, unsigned days,
                                  const char *cert_path, const char *key_path, struct err *err) {
    if (count == 0 || count > CERT_NAMES_MAX || days == 0 || days > 36500)
        return err_set(err, ST_INVALID, "a certificate needs 1 to %d names and 1 to 36500 days",
                       "证书需要 1 至 %d 个名称，有效期 1 至 36500 天", CERT_NAMES_MAX);
    SCOPED(free_key) EVP_PKEY *key = EVP_EC_gen("P-256");
    SCOPED(free_cert) X509 *cert = X509_new();
    SCOPED(free_bio) BIO *key_pem = BIO_new(BIO_s_secmem());
    SCOPED(free_bio) BIO *cert_pem = BIO_new(BIO_s_mem());
    if (key == NULL || cert == NULL || key_pem == NULL || cert_pem == NULL)
        return err_no_memory(err);
    TRY(fill_certificate(cert, key, host_names, count, days, err));
    if (PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(cert_pem, cert) != 1)
        return http_tls_err(ST_INTERNAL, "certificate", err);
    TRY(write_pem(key_pem, key_path, err));
    return write_pem(cert_pem, cert_path, err);
}

static enum status pin_of(X509 *cert, char out[HTTP_PIN_BYTES], struct err *err) {
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (len <= 0) return http_tls_err(ST_INVALID, "public key", err);
    struct hash hash = hash_sha256(slice_of(der, (size_t)len));
    OPENSSL_free(der);
    struct buf pin = buf_new(HTTP_PIN_BYTES);
    buf_put_text(&pin, "sha256//");
    buf_put_base64(&pin, slice_of(hash.bytes, HASH_BYTES), false);
    enum status status = buf_status(&pin, err);
    if (status == ST_OK) {
        memcpy(out, pin.data, pin.len);
        out[pin.len] = 0;
    }
    buf_free(&pin);
    return status;
}

enum status http_certificate_pin(const char *cert_path, char out[HTTP_PIN_BYTES], struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(CERT_FILE_BYTES_MAX + 4096);
    struct slice text;
    TRY(platform_read_file(cert_path, CERT_FILE_BYTES_MAX, &mem, &text, err));
    SCOPED(free_bio) BIO *pem = BIO_new_mem_buf(text.data, (int)text.len);
    if (pem == NULL) return err_no_memory(err);
    SCOPED(free_cert) X509 *cert = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    if (cert == NULL) return http_tls_err(ST_INVALID, cert_path, err);
    return pin_of(cert, out, err);
}
