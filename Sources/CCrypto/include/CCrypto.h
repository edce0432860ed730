/* The seam to OpenSSL's libcrypto (3.0 and later): what a signed token needs, without its headers.
 * A secret that is NULL makes a public key. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CCRYPTO_SHA256_SIZE 32
/* The longest signature: an RSA key of 8192 bits. */
#define CCRYPTO_SIGNATURE_MAX 1024

enum ccrypto_algorithm {
        CCRYPTO_RS256,
        CCRYPTO_ES256,
        CCRYPTO_EDDSA,
};

/* Keys, freed with ccrypto_key_free(). NULL when the parameters are no key, for example a point that is not on the
 * curve. The numbers of an RSA key and the secret of P-256 are in the host's byte order; nothing is written to. */
struct ccrypto_key;
struct ccrypto_key *ccrypto_rsa_key(
        uint8_t *modulus, size_t modulus_size, uint8_t *exponent, size_t exponent_size, uint8_t *secret,
        size_t secret_size);
/* The curve P-256: a point of 65 bytes (4, x, y; SEC 1, 2.3.3), a secret of 32. */
struct ccrypto_key *ccrypto_p256_key(uint8_t *point, uint8_t *secret);
/* 32 bytes: the public key, or the secret, of which the public key follows. */
struct ccrypto_key *ccrypto_ed25519_key(const uint8_t *public, const uint8_t *secret);
void ccrypto_key_free(struct ccrypto_key *key);

/* 1 when the signature is good, else 0. The signature is in the form of RFC 7518, 3: for ES256 it is r and s. */
int ccrypto_verify(
        enum ccrypto_algorithm algorithm, struct ccrypto_key *key, const void *message, size_t size,
        const uint8_t *signature, size_t signature_size);
/* The signature's size, at most CCRYPTO_SIGNATURE_MAX, or 0 when the key cannot sign. */
size_t ccrypto_sign(
        enum ccrypto_algorithm algorithm, struct ccrypto_key *key, const void *message, size_t size,
        uint8_t *signature);

/* When the first certificate in a PEM file expires, in seconds since the epoch; -1 when there is none. */
int64_t ccrypto_certificate_end(const void *pem, size_t size);

/* The names for which the first certificate in a PEM file is valid, with blanks between them: DNS names and addresses, or
 * the common name where it has none of these. Its length; 0 when there is none, or not enough room. Names with other
 * characters than names have are left out. */
size_t ccrypto_certificate_names(const void *pem, size_t size, char *names, size_t room);
/* Whether a private key belongs to the first certificate: 1 or 0; -1 when one of them is none, or needs a password. */
int ccrypto_certificate_has_key(const void *pem, size_t size, const void *key, size_t key_size);

/* 1, or 0 when libcrypto fails (no memory). */
int ccrypto_sha256(const void *message, size_t size, uint8_t *digest);
int ccrypto_hmac_sha256(const void *key, size_t key_size, const void *message, size_t size, uint8_t *code);
/* 1 when both have the same bytes; takes as long whatever they are. */
int ccrypto_equal(const void *left, const void *right, size_t size);
