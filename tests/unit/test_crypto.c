/* Cryptography against the vectors of the RFCs, and the encodings. */
#include <string.h>

#include "tests/unit/check.h"

enum { VECTOR_BYTES_MAX = 256 };

struct bytes {
    uint8_t data[VECTOR_BYTES_MAX];
    size_t len;
};

static struct bytes from_hex(const char *hex) {
    struct bytes bytes = {0};
    struct buf buf = buf_new(VECTOR_BYTES_MAX);
    CHECK(hex_decode(slice_from(hex), &buf));
    CHECK(!buf.failed);
    bytes.len = buf.len;
    if (buf.len) memcpy(bytes.data, buf.data, buf.len);
    buf_free(&buf);
    return bytes;
}

static struct slice slice_of_bytes(const struct bytes *bytes) {
    return slice_of(bytes->data, bytes->len);
}

static void check_hex(const char *name, const void *data, size_t len, const char *expected) {
    struct buf buf = buf_new(BUF_MAX_LINE);
    buf_put_hex(&buf, slice_of(data, len));
    check_text(CHECK_HERE, name, buf_text(&buf), expected);
    buf_free(&buf);
}

TEST(sha256_agrees_with_fips_180) {
    static const struct {
        const char *name, *message, *digest;
    } rows[] = {
        {"empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for
        EACH (row, rows) {
            struct hash hash = hash_sha256(slice_from(row->message));
            check_hex(row->name, hash.bytes, sizeof hash.bytes, row->digest);
        }
}

TEST(the_hash_of_two_is_the_hash_of_both_in_a_row) {
    struct hash two = hash_sha256_two(SLICE("a"), SLICE("bc"));
    struct hash one = hash_sha256(SLICE("abc"));
    CHECK(memcmp(two.bytes, one.bytes, HASH_BYTES) == 0);
}

TEST(hmac_agrees_with_rfc_4231) {
    static const char key_of_131[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct hmac_row {
        const char *name, *key, *message, *mac;
    };
    static const struct hmac_row rows[] = {
        {"case 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"case 2", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"case 6", key_of_131,
         "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368"
         "204b6579204669727374",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    CHECK_INT(strlen(key_of_131), 2 * 131);
    for
        EACH (row, rows) {
            struct bytes key = from_hex(row->key), message = from_hex(row->message);
            uint8_t mac[MAC_BYTES];
            mac_sha256(slice_of_bytes(&key), slice_of_bytes(&message), mac);
            check_hex(row->name, mac, sizeof mac, row->mac);
        }
}

TEST(hmac_takes_an_empty_key_and_an_empty_message) {
    uint8_t mac[MAC_BYTES];
    mac_sha256((struct slice){0}, (struct slice){0}, mac);
    check_hex("empty", mac, sizeof mac,
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(ed25519_agrees_with_rfc_8032) {
    static const struct {
        const char *name, *seed, *public_key, *message, *signature;
    } rows[] = {
        {"test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9b"
         "46bd25bf5f0595bbe24655141438e7a100b"},
        {"test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f11"
         "d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "84dc"
         "6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    struct err err;
    CHECK_OK(crypto_start(&err));
    for
        EACH (row, rows) {
            struct bytes seed = from_hex(row->seed), message = from_hex(row->message);
            struct sign_key key = sign_key_from_seed(seed.data);
            uint8_t public_key[SIGN_PUBLIC_BYTES], signature[SIGN_BYTES];
            sign_public(&key, public_key);
            check_hex(row->name, public_key, sizeof public_key, row->public_key);
            sign_make(&key, slice_of_bytes(&message), signature);
            check_hex(row->name, signature, sizeof signature, row->signature);
            CHECK_ROW(row, sign_check(public_key, slice_of_bytes(&message), signature));
            CHECK_ROW(row, !sign_check(public_key, SLICE("another message"), signature));
            signature[0] ^= 1;
            CHECK_ROW(row, !sign_check(public_key, slice_of_bytes(&message), signature));
        }
}

TEST(x25519_agrees_with_rfc_7748) {
    struct bytes scalar =
        from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    struct bytes point =
        from_hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    uint8_t shared[HASH_BYTES];
    CHECK(box_shared(scalar.data, point.data, shared));
    check_hex("section 5.2", shared, sizeof shared,
              "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(both_ends_of_an_x25519_agree) {
    struct bytes alice =
        from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    struct bytes bob = from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    uint8_t alice_public[BOX_PUBLIC_BYTES], bob_public[BOX_PUBLIC_BYTES];
    uint8_t here[HASH_BYTES], there[HASH_BYTES];
    box_public(alice.data, alice_public);
    box_public(bob.data, bob_public);
    check_hex("alice", alice_public, sizeof alice_public,
              "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    check_hex("bob", bob_public, sizeof bob_public,
              "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    CHECK(box_shared(alice.data, bob_public, here));
    CHECK(box_shared(bob.data, alice_public, there));
    CHECK(bytes_equal_secret(here, there, sizeof here));
    check_hex("shared", here, sizeof here,
              "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(a_public_key_of_low_order_is_refused) {
    struct bytes secret =
        from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    uint8_t zero[BOX_PUBLIC_BYTES] = {0}, shared[HASH_BYTES] = {7};
    CHECK(!box_shared(secret.data, zero, shared));
    CHECK_INT(shared[0], 7);
}

TEST(a_chain_value_is_the_first_half_of_the_hash_over_the_last_and_the_bytes) {
    struct chain start = {
        {'a', 'b', 'c', 'd', 'b', 'c', 'd', 'e', 'c', 'd', 'e', 'f', 'd', 'e', 'f', 'g'}};
    struct chain next = chain_next(&start, SLICE("efghfghighijhijkijkljklmklmnlmnomnopnopq"));
    check_hex("chain", next.bytes, sizeof next.bytes, "248d6a61d20638b8e5c026930c3e6039");
}

TEST(secret_bytes_are_compared_and_wiped) {
    uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};
    CHECK(!bytes_equal_secret(a, b, 4));
    CHECK(bytes_equal_secret(a, b, 3));
    bytes_wipe(a, sizeof a);
    CHECK_INT(a[0] + a[1] + a[2] + a[3], 0);
}

/* ------------------------------------------------------------------ encodings */

TEST(base64_agrees_with_rfc_4648_and_comes_back) {
    static const struct {
        const char *name;
        struct slice bytes;
        const char *standard, *url_safe;
    } rows[] = {
        {"nothing", {0}, "", ""},
        {"one", {(const uint8_t *)"f", 1}, "Zg==", "Zg"},
        {"two", {(const uint8_t *)"fo", 2}, "Zm8=", "Zm8"},
        {"three", {(const uint8_t *)"foo", 3}, "Zm9v", "Zm9v"},
        {"four", {(const uint8_t *)"foob", 4}, "Zm9vYg==", "Zm9vYg"},
        {"five", {(const uint8_t *)"fooba", 5}, "Zm9vYmE=", "Zm9vYmE"},
        {"six", {(const uint8_t *)"foobar", 6}, "Zm9vYmFy", "Zm9vYmFy"},
        {"62 and 63", {(const uint8_t *)"\xfb\xff", 2}, "+/8=", "-_8"},
        {"a zero", {(const uint8_t *)"\0", 1}, "AA==", "AA"},
    };
    for
        EACH (row, rows) {
            for (int url_safe = 0; url_safe < 2; url_safe++) {
                struct buf text = buf_new(BUF_MAX_LINE), back = buf_new(BUF_MAX_LINE);
                buf_put_base64(&text, row->bytes, url_safe);
                CHECK_ROW_TEXT(row, buf_text(&text), url_safe ? row->url_safe : row->standard);
                CHECK_ROW(row, base64_decode(buf_slice(&text), url_safe, &back));
                CHECK_ROW_SLICE(row, buf_slice(&back), row->bytes);
                buf_free(&text);
                buf_free(&back);
            }
        }
}

TEST(what_is_not_base64_is_refused_and_leaves_the_buffer_alone) {
    static const struct {
        const char *name, *text;
        bool url_safe;
    } rows[] = {
        {"no padding", "Zg", false},
        {"half the padding", "Zg=", false},
        {"only padding", "====", false},
        {"padding in the middle", "Zg==Zm9v", false},
        {"too much padding", "Z===", false},
        {"padding where none belongs", "Zg==", true},
        {"one character", "Z", true},
        {"five characters", "Zm9vY", true},
        {"stray bits after one", "Zh==", false},
        {"stray bits after two", "Zm9=", false},
        {"blank", "Zm 9", false},
        {"line end", "Zm9v\n", true},
        {"url alphabet", "-_8=", false},
        {"standard alphabet", "+/8", true},
        {"late fault", "Zm9vZm9vZm9!", false},
    };
    for
        EACH (row, rows) {
            struct buf out = buf_new(BUF_MAX_LINE);
            buf_put_text(&out, "kept");
            CHECK_ROW(row, !base64_decode(slice_from(row->text), row->url_safe, &out));
            CHECK_ROW_TEXT(row, buf_text(&out), "kept");
            buf_free(&out);
        }
}

TEST(hex_comes_back_in_either_case) {
    struct buf out = buf_new(BUF_MAX_LINE);
    buf_put_hex(&out, SLICE("\x00\x9f\xA0\xff"));
    CHECK_TEXT(buf_text(&out), "009fa0ff");
    buf_reset(&out);
    CHECK(hex_decode(SLICE("009fa0FF"), &out));
    CHECK_SLICE(buf_slice(&out), "\x00\x9f\xA0\xff");
    CHECK(hex_decode(SLICE(""), &out));
    CHECK_INT(out.len, 4);
    buf_free(&out);
}

TEST(what_is_not_hex_is_refused_and_leaves_the_buffer_alone) {
    static const struct {
        const char *name, *text;
    } rows[] = {{"odd", "abc"},
                {"letter", "0g"},
                {"blank", "00 0"},
                {"late", "0011x1"},
                {"prefix", "0x00"}};
    for
        EACH (row, rows) {
            struct buf out = buf_new(BUF_MAX_LINE);
            buf_put_text(&out, "kept");
            CHECK_ROW(row, !hex_decode(slice_from(row->text), &out));
            CHECK_ROW_TEXT(row, buf_text(&out), "kept");
            buf_free(&out);
        }
}

TEST(base64_that_does_not_fit_fails_the_buffer) {
    struct err err;
    struct buf out = buf_new(4);
    CHECK(!base64_decode(SLICE("AAAAAAAA!!!!"), false, &out));
    CHECK_STATUS(buf_status(&out, &err), ST_TOO_LARGE);
    buf_free(&out);
    out = buf_new(64);
    CHECK(!base64_decode(SLICE("AA{A"), false, &out));
    CHECK(!base64_decode(SLICE("AA[A"), false, &out));
    CHECK_INT(out.len, 0);
    buf_free(&out);
}

/* ------------------------------------------------------------------ sealing */

static struct sign_key key_of(uint8_t first) {
    uint8_t seed[SIGN_SEED_BYTES] = {first};
    return sign_key_from_seed(seed);
}

TEST(what_is_sealed_is_read_by_its_reader_only) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key reader = key_of(1), other = key_of(2);
    uint8_t to[SIGN_PUBLIC_BYTES], ephemeral[BOX_SECRET_BYTES] = {9};
    struct slice sealed, opened;
    sign_public(&reader, to);
    CHECK(seal_make(to, ephemeral, SLICE("远大集团"), &mem, &sealed));
    CHECK_INT((int)sealed.len, SEAL_BYTES + (int)strlen("远大集团"));
    CHECK(seal_open(&reader, sealed, &mem, &opened));
    CHECK(slice_equal(opened, SLICE("远大集团")));
    CHECK(!seal_open(&other, sealed, &mem, &opened));
    arena_clear(&mem);
}

TEST(a_sealed_message_that_was_changed_or_cut_does_not_open) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key reader = key_of(1);
    uint8_t to[SIGN_PUBLIC_BYTES], ephemeral[BOX_SECRET_BYTES] = {9};
    struct slice sealed, opened;
    sign_public(&reader, to);
    CHECK(seal_make(to, ephemeral, SLICE("abc"), &mem, &sealed));
    for (size_t at = 0; at < sealed.len; at++) {
        uint8_t *bad = arena_alloc(&mem, sealed.len);
        memcpy(bad, sealed.data, sealed.len);
        bad[at] ^= 1;
        CHECK(!seal_open(&reader, slice_of(bad, sealed.len), &mem, &opened));
        CHECK(!seal_open(&reader, slice_of(sealed.data, at), &mem, &opened));
    }
    arena_clear(&mem);
}

TEST(nothing_can_be_sealed_too) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key reader = key_of(1);
    uint8_t to[SIGN_PUBLIC_BYTES], ephemeral[BOX_SECRET_BYTES] = {9};
    struct slice sealed, opened = SLICE("x");
    sign_public(&reader, to);
    CHECK(seal_make(to, ephemeral, (struct slice){0}, &mem, &sealed));
    CHECK(seal_open(&reader, sealed, &mem, &opened));
    CHECK_INT((int)opened.len, 0);
    arena_clear(&mem);
}
