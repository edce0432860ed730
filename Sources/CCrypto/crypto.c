#include <arpa/inet.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "CCrypto.h"

/* A key is an EVP_PKEY; the struct has a name of its own only so that Swift needs no header of OpenSSL. */
static EVP_PKEY *pkey(struct ccrypto_key *key) {
        return (EVP_PKEY *)key;
}

/* The caller has no use for libcrypto's reasons, which would pile up in this thread's queue. */
static struct ccrypto_key *made(EVP_PKEY *key) {
        ERR_clear_error();
        return (struct ccrypto_key *)key;
}

static struct ccrypto_key *from_parameters(const char *type, int has_secret, OSSL_PARAM *parameters) {
        EVP_PKEY *key = NULL;
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
        int selection = has_secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
        if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
            EVP_PKEY_fromdata(context, &key, selection, parameters) != 1)
                key = NULL;
        EVP_PKEY_CTX_free(context);
        return made(key);
}

struct ccrypto_key *ccrypto_rsa_key(
        uint8_t *modulus, size_t modulus_size, uint8_t *exponent, size_t exponent_size, uint8_t *secret,
        size_t secret_size) {
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, modulus, modulus_size),
                OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, exponent, exponent_size),
                secret ? OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_D, secret, secret_size)
                       : OSSL_PARAM_construct_end(),
                OSSL_PARAM_construct_end(),
        };
        return from_parameters("RSA", secret != NULL, parameters);
}

struct ccrypto_key *ccrypto_p256_key(uint8_t *point, uint8_t *secret) {
        char group[] = "P-256";
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 65),
                secret ? OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, secret, 32) : OSSL_PARAM_construct_end(),
                OSSL_PARAM_construct_end(),
        };
        return from_parameters("EC", secret != NULL, parameters);
}

struct ccrypto_key *ccrypto_ed25519_key(const uint8_t *public, const uint8_t *secret) {
        return made(
                secret ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32)
                       : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, 32));
}

void ccrypto_key_free(struct ccrypto_key *key) {
        EVP_PKEY_free(pkey(key));
}

/* r and s, 32 bytes each, as the DER that libcrypto reads: its size, or 0. */
static size_t to_der(const uint8_t *signature, uint8_t *der) {
        ECDSA_SIG *pair = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
        if (!pair || !r || !s || !ECDSA_SIG_set0(pair, r, s)) {
                BN_free(r);
                BN_free(s);
                ECDSA_SIG_free(pair);
                return 0;
        }
        int size = i2d_ECDSA_SIG(pair, &der);
        ECDSA_SIG_free(pair);
        return size > 0 ? (size_t)size : 0;
}

static size_t from_der(const uint8_t *der, size_t size, uint8_t *signature) {
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
        int good = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;
        ECDSA_SIG_free(pair);
        return good ? 64 : 0;
}

/* Ed25519 has its own hash. */
static const EVP_MD *hash(enum ccrypto_algorithm algorithm) {
        return algorithm == CCRYPTO_EDDSA ? NULL : EVP_sha256();
}

int ccrypto_verify(
        enum ccrypto_algorithm algorithm, struct ccrypto_key *key, const void *message, size_t size,
        const uint8_t *signature, size_t signature_size) {
        uint8_t der[80];
        if (algorithm == CCRYPTO_ES256) {
                if (signature_size != 64 || !(signature_size = to_der(signature, der))) return 0;
                signature = der;
        }
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        int good = context && EVP_DigestVerifyInit(context, NULL, hash(algorithm), NULL, pkey(key)) == 1 &&
                EVP_DigestVerify(context, signature, signature_size, message, size) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return good;
}

size_t ccrypto_sign(
        enum ccrypto_algorithm algorithm, struct ccrypto_key *key, const void *message, size_t size,
        uint8_t *signature) {
        uint8_t result[CCRYPTO_SIGNATURE_MAX];
        size_t length = sizeof result;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        int good = context && EVP_DigestSignInit(context, NULL, hash(algorithm), NULL, pkey(key)) == 1 &&
                EVP_DigestSign(context, result, &length, message, size) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        if (!good) return 0;
        if (algorithm == CCRYPTO_ES256) return from_der(result, length, signature);
        memcpy(signature, result, length);
        return length;
}

/* libcrypto would ask at the terminal for the password of an encrypted file. */
static int no_password(char *buffer, int size, int writes, void *data) {
        (void)buffer;
        (void)size;
        (void)writes;
        (void)data;
        return -1;
}

static BIO *input_of(const void *bytes, size_t size) {
        return size > INT_MAX ? NULL : BIO_new_mem_buf(bytes, (int)size);
}

static X509 *first_certificate(const void *pem, size_t size) {
        BIO *input = input_of(pem, size);
        X509 *certificate = input ? PEM_read_bio_X509(input, NULL, no_password, NULL) : NULL;
        BIO_free(input);
        return certificate;
}

int64_t ccrypto_certificate_end(const void *pem, size_t size) {
        X509 *certificate = first_certificate(pem, size);
        struct tm end = { 0 };
        int64_t seconds = -1;
        if (certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) seconds = timegm(&end);
        X509_free(certificate);
        ERR_clear_error();
        return seconds;
}

/* Appends a name and a blank; the length stays as it is when the name is none, or there is no room. */
static size_t add_name(char *names, size_t room, size_t length, const char *name, size_t size) {
        if (size == 0 || size >= room - length) return length;
        for (size_t index = 0; index < size; index++)
                if (name[index] <= ' ' || name[index] > '~') return length;
        memcpy(names + length, name, size);
        names[length + size] = ' ';
        return length + size + 1;
}

static size_t add_general_name(char *names, size_t room, size_t length, const GENERAL_NAME *name) {
        char text[INET6_ADDRSTRLEN] = "";
        if (name->type == GEN_DNS)
                return add_name(
                        names, room, length, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                        (size_t)ASN1_STRING_length(name->d.dNSName));
        if (name->type != GEN_IPADD) return length;
        int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
        if (family == AF_INET6 && ASN1_STRING_length(name->d.iPAddress) != 16) return length;
        inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
        return add_name(names, room, length, text, strlen(text));
}

size_t ccrypto_certificate_names(const void *pem, size_t size, char *names, size_t room) {
        X509 *certificate = first_certificate(pem, size);
        GENERAL_NAMES *all = certificate ? X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL) : NULL;
        size_t length = 0;
        for (int index = 0; index < sk_GENERAL_NAME_num(all); index++)
                length = add_general_name(names, room, length, sk_GENERAL_NAME_value(all, index));
        if (certificate && !all) {
                char name[256];
                int count = X509_NAME_get_text_by_NID(
                        X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
                if (count > 0) length = add_name(names, room, length, name, (size_t)count);
        }
        GENERAL_NAMES_free(all);
        X509_free(certificate);
        ERR_clear_error();
        return length > 0 ? length - 1 : 0;
}

int ccrypto_certificate_has_key(const void *pem, size_t size, const void *key, size_t key_size) {
        X509 *certificate = first_certificate(pem, size);
        BIO *input = input_of(key, key_size);
        EVP_PKEY *private = input ? PEM_read_bio_PrivateKey(input, NULL, no_password, NULL) : NULL;
        int matches = certificate && private ? X509_check_private_key(certificate, private) == 1 : -1;
        EVP_PKEY_free(private);
        BIO_free(input);
        X509_free(certificate);
        ERR_clear_error();
        return matches;
}

int ccrypto_sha256(const void *message, size_t size, uint8_t *digest) {
        return SHA256(message, size, digest) != NULL;
}

int ccrypto_hmac_sha256(const void *key, size_t key_size, const void *message, size_t size, uint8_t *code) {
        return HMAC(EVP_sha256(), key, (int)key_size, message, size, code, NULL) != NULL;
}

int ccrypto_equal(const void *left, const void *right, size_t size) {
        return CRYPTO_memcmp(left, right, size) == 0;
}
