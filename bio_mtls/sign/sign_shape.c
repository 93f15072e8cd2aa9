/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "sign_shape.h"

#include "octets.h"

/* Tags of DER that a SignedData has. */
enum {
    INTEGER = 0x02,
    OCTET_STRING = 0x04,
    OID = 0x06,
    SEQUENCE = 0x30,
    SET = 0x31,
    CONTEXT_0 = 0xa0
};

#define OIDS(literal) literal, sizeof(literal) - 1

/* --- one element of DER --- */

static size_t get_length(struct mtls_reader *r)
{
    size_t n = mtls_get_uint(r, 1), octets = n & 0x7f;

    if (n < 0x80)
        return n;
    if (octets == 0 || octets > 4)
        r->ok = 0;
    n = 0;
    for (size_t i = 0; r->ok && i < octets; i++) {
        n = n << 8 | mtls_get_uint(r, 1);
        if (n == 0)
            r->ok = 0; /* not the shortest */
    }
    if (n < 0x80)
        r->ok = 0;
    return n;
}

/* What is inside the next element, which must have this tag. */
static struct mtls_reader enter(struct mtls_reader *r, uint32_t tag)
{
    struct mtls_reader inside = {NULL, 0, 0};
    size_t n;

    if (mtls_get_uint(r, 1) != tag)
        r->ok = 0;
    n = get_length(r);
    inside.at = mtls_get_octets(r, n);
    inside.left = r->ok ? n : 0;
    inside.ok = r->ok;
    return inside;
}

/* The next element whole, tag and length included. */
static struct mtls_reader whole(struct mtls_reader *r, uint32_t tag)
{
    const unsigned char *from = r->at;
    struct mtls_reader element;

    enter(r, tag);
    element = mtls_reader_of(from, r->ok ? (size_t)(r->at - from) : 0);
    element.ok = r->ok;
    return element;
}

static int has(const struct mtls_reader *r, const void *octets, size_t len)
{
    return r->ok && r->at != NULL && r->left == len &&
           memcmp(r->at, octets, len) == 0;
}

static int ended(const struct mtls_reader *r)
{
    return r->ok && r->left == 0;
}

/* --- algorithms: an AlgorithmIdentifier, octet by octet --- */

#define SHA2 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"

/* Parameters are absent (RFC 5754 2), or NULL, as older programs have them. */
static int digest_of(const struct mtls_reader *algorithm)
{
    const size_t at = 2 + sizeof(SHA2) - 1;
    int bits;

    if (!algorithm->ok || algorithm->at == NULL || algorithm->left <= at ||
        memcmp(algorithm->at + 2, SHA2, sizeof(SHA2) - 1) != 0)
        return 0;
    switch (algorithm->at[at]) {
    case 1:
        bits = 256;
        break;
    case 2:
        bits = 384;
        break;
    case 3:
        bits = 512;
        break;
    default:
        return 0;
    }
    if (algorithm->left == at + 1 ||
        (algorithm->left == at + 3 &&
         memcmp(algorithm->at + at + 1, "\x05\x00", 2) == 0))
        return bits;
    return 0;
}

/* SHA-2 of |bits|: the last octet of its OID. */
static unsigned char digest_octet(int bits)
{
    return (unsigned char)(bits == 256 ? 1 : bits == 384 ? 2 : 3);
}

/* RFC 4055 3.1, with all fields of one digest but the default trailer. */
static int is_pss(const struct mtls_reader *algorithm, int bits, int with_null)
{
    static const char rsassa_pss[] =
        "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
    static const char mgf1[] = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08";
    const unsigned char octet = digest_octet(bits);
    const unsigned char null = with_null ? 2 : 0;
    unsigned char expected[80];
    struct mtls_writer w = mtls_writer_of(expected, sizeof(expected));

    mtls_put_uint(&w, 2, 0x3000u + 11 + 2 + 15 + 28 + 5 + 2u * null);
    mtls_put_octets(&w, OIDS(rsassa_pss));
    mtls_put_uint(&w, 2, 0x3000u + 15 + 28 + 5 + 2u * null);
    mtls_put_uint(&w, 2, 0xa000u + 13 + null);
    mtls_put_uint(&w, 2, 0x3000u + 11 + null);
    mtls_put_octets(&w, OIDS(SHA2));
    mtls_put_uint(&w, 1, octet);
    mtls_put_octets(&w, "\x05\x00", null);
    mtls_put_uint(&w, 2, 0xa100u + 26 + null);
    mtls_put_uint(&w, 2, 0x3000u + 24 + null);
    mtls_put_octets(&w, OIDS(mgf1));
    mtls_put_uint(&w, 2, 0x3000u + 11 + null);
    mtls_put_octets(&w, OIDS(SHA2));
    mtls_put_uint(&w, 1, octet);
    mtls_put_octets(&w, "\x05\x00", null);
    mtls_put_octets(&w, "\xa2\x03\x02\x01", 4);
    mtls_put_uint(&w, 1, (uint32_t)bits / 8);
    return w.ok && has(algorithm, expected, sizeof(expected) - w.left);
}

static int is_ecdsa(const struct mtls_reader *algorithm, int bits)
{
    unsigned char expected[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                0x48, 0xce, 0x3d, 0x04, 0x03, 0};

    expected[11] = (unsigned char)(digest_octet(bits) + 1);
    return has(algorithm, expected, sizeof(expected));
}

static int get_signature_algorithm(const struct mtls_reader *algorithm,
                                   struct mtls_sign_shape *shape)
{
    static const char pkcs1[] =
        "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    static const char ed25519[] = "\x30\x05\x06\x03\x2b\x65\x70";

    if (is_ecdsa(algorithm, shape->digest_bits))
        shape->algorithm = MTLS_SIGN_ECDSA;
    else if (is_pss(algorithm, shape->digest_bits, 0) ||
             is_pss(algorithm, shape->digest_bits, 1))
        shape->algorithm = MTLS_SIGN_RSA_PSS;
    else if (has(algorithm, OIDS(pkcs1)))
        shape->algorithm = MTLS_SIGN_RSA_PKCS1;
    else if (has(algorithm, OIDS(ed25519)) && shape->digest_bits == 512)
        shape->algorithm = MTLS_SIGN_ED25519;
    else
        return 0;
    return 1;
}

/* --- the parts of a SignedData (RFC 5652 5.1) --- */

/* eContentType `data`, and the content inside. */
static const char *content(struct mtls_reader *signed_data)
{
    static const char data[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
    struct mtls_reader encap = enter(signed_data, SEQUENCE);
    struct mtls_reader type = enter(&encap, OID);
    struct mtls_reader outer, octets;

    if (!has(&type, OIDS(data)))
        return "its content is not data";
    if (ended(&encap))
        return "its content is detached";
    outer = enter(&encap, CONTEXT_0);
    octets = enter(&outer, OCTET_STRING);
    return octets.ok && ended(&outer) && ended(&encap)
               ? NULL
               : "its content is malformed";
}

static const char *certificates(struct mtls_reader *signed_data, int *count)
{
    struct mtls_reader set = enter(signed_data, CONTEXT_0);

    for (*count = 0; set.ok && set.left != 0; ++*count)
        whole(&set, SEQUENCE);
    return set.ok && *count != 0 ? NULL : "its certificates are malformed";
}

/* SignerInfo (5.3); |digest| is what the SignedData named. */
static const char *signer(struct mtls_reader *infos,
                          const struct mtls_reader *digest,
                          struct mtls_sign_shape *shape)
{
    struct mtls_reader info = enter(infos, SEQUENCE);
    struct mtls_reader version = enter(&info, INTEGER);
    struct mtls_reader sid = whole(&info, SEQUENCE);
    struct mtls_reader md = whole(&info, SEQUENCE);
    struct mtls_reader algorithm;

    if (!infos->ok)
        return "it has no signer";
    if (!ended(infos))
        return "it has more than one signer";
    if (!has(&version, "\x01", 1) || !sid.ok)
        return "its signer is not named by issuer and serial number";
    if (!md.ok || !has(&md, digest->at, digest->left))
        return "its digest algorithms differ";
    enter(&info, CONTEXT_0);
    if (!info.ok)
        return "it has no signed attributes";
    algorithm = whole(&info, SEQUENCE);
    if (!get_signature_algorithm(&algorithm, shape))
        return "its signature algorithm is not taken";
    enter(&info, OCTET_STRING);
    if (info.ok && info.left != 0)
        return "it has unsigned attributes";
    shape->sid = sid.at;
    shape->sid_len = sid.left;
    return info.ok ? NULL : "its signer is malformed";
}

static const char *signed_data(struct mtls_reader *r,
                               struct mtls_sign_shape *shape)
{
    struct mtls_reader version = enter(r, INTEGER);
    struct mtls_reader digests = enter(r, SET);
    struct mtls_reader digest = whole(&digests, SEQUENCE), infos;
    const char *wrong;

    if (!has(&version, "\x01", 1))
        return "its version is not 1";
    if (!digest.ok)
        return "it has no signer";
    if (!ended(&digests))
        return "it has more than one digest algorithm";
    shape->digest_bits = digest_of(&digest);
    if (shape->digest_bits == 0)
        return "its digest algorithm is not taken";
    wrong = content(r);
    if (wrong == NULL)
        wrong = certificates(r, &shape->certs);
    if (wrong != NULL)
        return wrong;
    infos = enter(r, SET);
    if (!ended(r))
        return "it has more than certificates and a signer";
    return signer(&infos, &digest, shape);
}

const char *mtls_sign_shape_of(const unsigned char *in, size_t len,
                               struct mtls_sign_shape *shape)
{
    static const char type[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    struct mtls_reader r = mtls_reader_of(in, len);
    struct mtls_reader info = enter(&r, SEQUENCE);
    struct mtls_reader oid = enter(&info, OID);
    struct mtls_reader outer = enter(&info, CONTEXT_0);
    struct mtls_reader inside = enter(&outer, SEQUENCE);

    if (!ended(&r) || !has(&oid, OIDS(type)) || !ended(&info) ||
        !ended(&outer) || !inside.ok)
        return "it is not SignedData";
    return signed_data(&inside, shape);
}
