# Turns dictionary.bin into a C file: cmake -DIN=dictionary.bin -DOUT=dictionary.c -P dictionary.cmake
file(READ "${IN}" bytes HEX)
file(SHA256 "${IN}" hash)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
string(SUBSTRING "${hash}" 0 8 name)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," name "${name}")
file(WRITE "${OUT}" "/* Made from protocol/wire/dictionary.bin by dictionary.cmake. */
#include \"protocol/wire/coder.h\"

static const uint8_t BYTES[] = {
${bytes}
};
static const uint8_t NAME[] = {${name}};

struct slice wire_dictionary(void) {
    return slice_of(BYTES, sizeof BYTES);
}

struct slice dictionary_name(void) {
    return slice_of(NAME, sizeof NAME);
}
")
