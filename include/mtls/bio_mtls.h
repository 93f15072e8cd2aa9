/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Multiplexed TLS (draft-badra-hajjeh-mtls-05) as two BIO types.
 *
 * BIO_f_mtls() is a filter above an SSL BIO (or any other reliable BIO); it
 * carries many channels. BIO_s_mtls_channel() is one channel, a source/sink
 * BIO that is read and written like a socket BIO. Pushing the filter and
 * using it as before moves one channel, the default channel, so that
 *
 *     bio = BIO_push(BIO_new(BIO_f_mtls()), bio);
 *
 * is all an existing program needs. All lengths are in octets.
 *
 * Threads: one session may be used by any number of threads at a time, on
 * different channels or two on one channel (one reads, one writes). A single
 * BIO's settings are not to be changed while it is in use, as for any BIO.
 *
 * Ownership: each channel keeps the session below it alive; the filter and its
 * channels may be freed in any order, which does not block. The last of them
 * frees the BIO below; if the session blocks and the peer does not read, that
 * waits for it for a second at most.
 *
 * BIO_nwrite() lends room in a record: it must be filled before the next call
 * on that channel, and before BIO_flush() or BIO_mtls_process() on the filter,
 * which send what it holds. BIO_nwrite() of 0 octets gives it back.
 *
 * Errors: a call that fails returns 0 or -1 without BIO_should_retry() and
 * leaves an MTLS_R_ reason (mtls_err.h) on the error queue.
 */
#ifndef MTLS_BIO_MTLS_H
#define MTLS_BIO_MTLS_H

#include <mtls/mtls_err.h>
#include <openssl/bio.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The application protocol name (ALPN) of MTLS, in the wire form. */
#define MTLS_ALPN "\4mtls"

/* --- the two types ------------------------------------------------------ */

const BIO_METHOD *BIO_f_mtls(void);
const BIO_METHOD *BIO_s_mtls_channel(void);

/*
 * BIO_new_mtls_channel returns a channel of the session of |mtls|, not yet
 * open, to |host_port|: "host:port", "[v6]:port", "unix:/path", "default", or
 * NULL to set it later with BIO_set_conn_hostname(). BIO_do_connect() opens
 * it, and so does the first I/O (MTLS-05 2.1.1). NULL on error.
 */
BIO *BIO_new_mtls_channel(BIO *mtls, const char *host_port);

/*
 * BIO_mtls_accept_channel returns the next channel that the peer asked for.
 * BIO_get_conn_hostname() and BIO_get_conn_port() tell what it wants,
 * BIO_mtls_get_source() where it comes from. BIO_do_handshake() or any I/O
 * accepts it, BIO_mtls_reject_channel() refuses it, BIO_free() too.
 * If none waits it blocks as the filter does, or returns NULL with
 * BIO_should_retry(mtls) and the reason BIO_RR_ACCEPT. NULL without retry
 * means that the session ended.
 */
BIO *BIO_mtls_accept_channel(BIO *mtls);

/* --- one descriptor, many channels -------------------------------------- */

#define MTLS_EVENT_READABLE 0x01   /* octets, end-of-file or an error wait */
#define MTLS_EVENT_WRITABLE 0x02   /* a write that was refused would go now */
#define MTLS_EVENT_OPEN 0x04       /* the peer answered with Success */
#define MTLS_EVENT_CLOSED 0x08     /* refused, closed by the peer, or failed */
#define MTLS_EVENT_ACCEPTABLE 0x10 /* on the filter: a Request waits */

/*
 * BIO_mtls_next_ready returns a BIO on which something became possible and
 * says in |*events| what: a channel, or |mtls| itself for ACCEPTABLE. NULL
 * when there is none left in this round; BIO_mtls_process() begins a round.
 * READABLE is told again in each round until what waits has been read (down
 * to the end-of-file or error); ACCEPTABLE until all are accepted; WRITABLE
 * only after a refused write; OPEN and CLOSED once. The BIO is lent.
 */
BIO *BIO_mtls_next_ready(BIO *mtls, int *events);

/*
 * The ready callback is called when BIO_mtls_next_ready() has something to
 * tell, in whatever thread made it so: once, until that has returned NULL. The
 * session is locked meanwhile: the callback may wake a poll, and no more.
 */
typedef void (*MTLS_ready_cb)(BIO *mtls, void *arg);
int BIO_mtls_set_ready_callback(BIO *mtls, MTLS_ready_cb cb, void *arg);

/* --- controls ------------------------------------------------------------ */

/* clang-format off */
#define BIO_CTRL_MTLS_BASE 0x4d00
#define BIO_CTRL_MTLS_PROCESS             (BIO_CTRL_MTLS_BASE + 0)
#define BIO_CTRL_MTLS_SET_WINDOW          (BIO_CTRL_MTLS_BASE + 1)
#define BIO_CTRL_MTLS_SET_MAX_WINDOW      (BIO_CTRL_MTLS_BASE + 2)
#define BIO_CTRL_MTLS_SET_MAX_PACKET      (BIO_CTRL_MTLS_BASE + 3)
#define BIO_CTRL_MTLS_SET_SESSION_MEMORY  (BIO_CTRL_MTLS_BASE + 4)
#define BIO_CTRL_MTLS_SET_MAX_CHANNELS    (BIO_CTRL_MTLS_BASE + 5)
#define BIO_CTRL_MTLS_SET_MAX_OPENING     (BIO_CTRL_MTLS_BASE + 6)
#define BIO_CTRL_MTLS_SET_BACKLOG         (BIO_CTRL_MTLS_BASE + 7)
#define BIO_CTRL_MTLS_SET_DEFAULT_CHANNEL (BIO_CTRL_MTLS_BASE + 8)
#define BIO_CTRL_MTLS_SET_CORK            (BIO_CTRL_MTLS_BASE + 9)
#define BIO_CTRL_MTLS_SET_ROLE            (BIO_CTRL_MTLS_BASE + 10)
#define BIO_CTRL_MTLS_SET_EVENTS          (BIO_CTRL_MTLS_BASE + 11)
#define BIO_CTRL_MTLS_END                 (BIO_CTRL_MTLS_BASE + 12)
#define BIO_CTRL_MTLS_GET_COUNTERS        (BIO_CTRL_MTLS_BASE + 13)
#define BIO_CTRL_MTLS_SET_SESSION         (BIO_CTRL_MTLS_BASE + 14)
#define BIO_CTRL_MTLS_REJECT              (BIO_CTRL_MTLS_BASE + 15)
#define BIO_CTRL_MTLS_RESET               (BIO_CTRL_MTLS_BASE + 16)
#define BIO_CTRL_MTLS_WAS_RESET           (BIO_CTRL_MTLS_BASE + 17)
#define BIO_CTRL_MTLS_GET_CHANNEL_ID      (BIO_CTRL_MTLS_BASE + 18)
#define BIO_CTRL_MTLS_SET_SOURCE          (BIO_CTRL_MTLS_BASE + 19)
#define BIO_CTRL_MTLS_GET_SOURCE          (BIO_CTRL_MTLS_BASE + 20)
#define BIO_CTRL_MTLS_GET_ERROR_TEXT      (BIO_CTRL_MTLS_BASE + 21)
#define BIO_CTRL_MTLS_GET_LIMITS          (BIO_CTRL_MTLS_BASE + 22)
#define BIO_CTRL_MTLS_GET_ADDRESS         (BIO_CTRL_MTLS_BASE + 23)
#define BIO_CTRL_MTLS_NREAD0V             (BIO_CTRL_MTLS_BASE + 24)
#define BIO_CTRL_MTLS_SET_VERSION         (BIO_CTRL_MTLS_BASE + 25)
#define BIO_CTRL_MTLS_GET_VERSION         (BIO_CTRL_MTLS_BASE + 26)
/* clang-format on */

/*
 * BIO_mtls_process moves what the transport takes and gives, without
 * blocking: returns 1 when no more can be moved now (BIO_should_read() and
 * BIO_should_write() on |m| then say what to wait for), 2 when more may be
 * waiting and it should be called again without waiting, 0 when the peer
 * ended the session, -1 when the session failed.
 */
#define BIO_mtls_process(m) BIO_ctrl((m), BIO_CTRL_MTLS_PROCESS, 0, NULL)

/* BIO_mtls_process_some: likewise, but takes hardly more than |n| octets. */
#define BIO_mtls_process_some(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_PROCESS, (n), NULL)

/*
 * BIO_mtls_nread0v lends what waits on |channel|, in up to |n| pieces, as
 * BIO_nread0() lends the first: for writev(). Returns how many; 0 where nothing
 * waits. It looks no further than the channel's buffer. BIO_nread() then says
 * what was used, a piece at a time.
 */
#define BIO_mtls_nread0v(channel, v, n) \
    (int)BIO_ctrl((channel), BIO_CTRL_MTLS_NREAD0V, (n), (v))

/*
 * BIO_mtls_end ends the session in good order, as SSL_shutdown() does: every
 * channel is closed, close_notify is sent. 1 done, 0 with retry: call again.
 */
#define BIO_mtls_end(m) BIO_ctrl((m), BIO_CTRL_MTLS_END, 0, NULL)

/*
 * Limits of a session, set on the filter before its first channel; each
 * returns 1, or 0 when the value is out of range.
 *   window          credit that a new channel grants at first
 *                   (1 .. 2^31-1; default 65,536; wire format: D4)
 *   max_window      what self-tuning may raise it to (default 16 MiB); set
 *                   alike, window is fixed
 *   max_packet      MTLSPlaintext.length that is announced (1 .. 2^31-1;
 *                   default 16,375: one TLS record), kept below the window
 *   session_memory  sum of all channels' windows (default 64 MiB); as it runs
 *                   short, new channels begin with smaller windows, and then
 *                   get Echec "resource-shortage"
 *   max_channels    channels with an id, both directions (1 .. 65,536;
 *                   default 65,536)
 *   max_opening     the peer's Requests that are not yet answered (default
 *                   4,096)
 *   backlog         of those, not yet accepted by the program (default 4,096)
 */
#define BIO_mtls_set_window(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_WINDOW, (long)(n), NULL)
#define BIO_mtls_set_max_window(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_MAX_WINDOW, (long)(n), NULL)
#define BIO_mtls_set_max_packet(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_MAX_PACKET, (long)(n), NULL)
#define BIO_mtls_set_session_memory(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_SESSION_MEMORY, (long)(n), NULL)
#define BIO_mtls_set_max_channels(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_MAX_CHANNELS, (long)(n), NULL)
#define BIO_mtls_set_max_opening(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_MAX_OPENING, (long)(n), NULL)
#define BIO_mtls_set_backlog(m, n) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_BACKLOG, (long)(n), NULL)

/*
 * AUTO (the default): I/O on the filter uses the default channel, which a
 * client opens to "default" and a server takes from what arrives first. It
 * turns OFF by itself when the program makes or accepts a channel first.
 */
#define MTLS_DEFAULT_CHANNEL_AUTO 0
#define MTLS_DEFAULT_CHANNEL_OFF 1
#define BIO_mtls_set_default_channel_mode(m, mode) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_DEFAULT_CHANNEL, (mode), NULL)

/*
 * Corked, small writes gather in records that leave when they are full or on
 * BIO_flush(), BIO_mtls_process() or a wait. 0 uncorks and sends.
 */
#define BIO_mtls_set_cork(m, on) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_CORK, (on), NULL)

/* Needed only where the BIO below holds no SSL to tell it (D3). */
#define MTLS_ROLE_CLIENT 1
#define MTLS_ROLE_SERVER 2
#define BIO_mtls_set_role(m, role) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_ROLE, (role), NULL)

/*
 * A session speaks draft 05 where ALPN chose "mtls", mtls-00 where the
 * extension data_multiplexing was agreed on (mtls_ext.h), and else what is set
 * here: MTLS_VERSION_05 is the default; in MTLS_VERSION_00 any port may then
 * be used. BIO_mtls_get_version() tells which it is; -1 before the handshake.
 * Right above a DTLS session it is mtls-00, whose channels carry datagrams
 * then, as in mtls_dtls.h; or the handshake fails.
 */
#define MTLS_VERSION_00 0
#define MTLS_VERSION_05 5
#define BIO_mtls_set_version(m, version) \
    BIO_ctrl((m), BIO_CTRL_MTLS_SET_VERSION, (version), NULL)
#define BIO_mtls_get_version(m) \
    BIO_ctrl((m), BIO_CTRL_MTLS_GET_VERSION, 0, NULL)

/* --- a channel ----------------------------------------------------------- */

/* Puts a BIO made by BIO_new(BIO_s_mtls_channel()) on the session of |m|. */
#define BIO_mtls_set_session(c, m) \
    BIO_ctrl((c), BIO_CTRL_MTLS_SET_SESSION, 0, (m))

/*
 * BIO_mtls_set_events chooses what BIO_mtls_next_ready() tells of the channel
 * (all, unless set), as the events of poll() do.
 */
#define BIO_mtls_set_events(c, mask) \
    BIO_ctrl((c), BIO_CTRL_MTLS_SET_EVENTS, (mask), NULL)

/*
 * BIO_mtls_reject_channel answers a Request with Echec. |reason| should start
 * with a word of D13 and a colon ("prohibited: ..."). The BIO is still the
 * caller's to free.
 */
#define BIO_mtls_reject_channel(c, reason) \
    BIO_ctrl((c), BIO_CTRL_MTLS_REJECT, 0, (void *)(reason))

/* Gives up: CloseRequest without half-close (D8), unread data dropped. */
#define BIO_mtls_reset_channel(c) BIO_ctrl((c), BIO_CTRL_MTLS_RESET, 0, NULL)

/* 1 when the peer closed the channel without ending its data first (D8). */
#define BIO_mtls_was_reset(c) BIO_ctrl((c), BIO_CTRL_MTLS_WAS_RESET, 0, NULL)

/* The four octets of channel_id as a number (D2); -1 until it is complete. */
#define BIO_mtls_get_channel_id(c) \
    BIO_ctrl((c), BIO_CTRL_MTLS_GET_CHANNEL_ID, 0, NULL)

/*
 * The source that a Request names, "host:port" (D15). Set it before opening
 * to name a client behind this program; else it is the session's own address.
 */
#define BIO_mtls_set_source(c, host_port) \
    BIO_ctrl((c), BIO_CTRL_MTLS_SET_SOURCE, 0, (void *)(host_port))
#define BIO_mtls_get_source(c) \
    ((const char *)BIO_ptr_ctrl((c), BIO_CTRL_MTLS_GET_SOURCE, 0))

/*
 * The text of the Echec that refused the channel, at most 1,000 octets, with
 * anything that is not printable ASCII escaped as \xHH; NULL if none. Lent.
 */
#define BIO_mtls_get_error_text(c) \
    ((const char *)BIO_ptr_ctrl((c), BIO_CTRL_MTLS_GET_ERROR_TEXT, 0))

/* --- facts --------------------------------------------------------------- */

/* Of a channel: the first four. Of the filter: all, for the session. */
typedef struct mtls_counters_st {
    uint64_t data_in;         /* octets of MTLSPlaintext.data received */
    uint64_t data_out;        /* and queued for sending */
    uint64_t packets_in;      /* MTLSPlaintext packets; session: all types */
    uint64_t packets_out;     /* the same, sent */
    uint64_t octets_in;       /* read from the BIO below */
    uint64_t octets_out;      /* written to it */
    uint64_t ignored;         /* unknown types, ids that name nothing (D9) */
    uint64_t malformed;       /* packets dropped for their content (D10) */
    uint64_t refused;         /* Requests answered with Echec */
    uint64_t channels_opened; /* Requests of ours answered with Success */
    uint64_t channels_accepted;
    uint64_t channels_reset;    /* closed for an error of the peer's (D10) */
    uint64_t channels;          /* now: those with an id in use */
    uint64_t closing;           /* of those, waiting for Confirmation */
    uint64_t window_memory;     /* now: the sum of the windows */
    uint64_t datagrams_dropped; /* received, and of no use (mtls_dtls.h) */
} MTLS_COUNTERS;

#define BIO_mtls_get_counters(b, counters)                                 \
    BIO_ctrl((b), BIO_CTRL_MTLS_GET_COUNTERS, (long)sizeof(MTLS_COUNTERS), \
             (counters))

/* The limits of a session, as set or by default; of the filter. */
typedef struct mtls_limits_st {
    uint64_t window, max_window, max_packet, session_memory;
    uint64_t max_channels, max_opening, backlog;
} MTLS_LIMITS;

#define BIO_mtls_get_limits(m, limits) \
    BIO_ctrl((m), BIO_CTRL_MTLS_GET_LIMITS, (long)sizeof(MTLS_LIMITS), (limits))

/*
 * The two ends of the session's socket, "host:port", of the filter or any
 * channel; NULL where there is no socket, or none with such a name. Lent.
 */
#define BIO_mtls_get_own_address(b) \
    ((const char *)BIO_ptr_ctrl((b), BIO_CTRL_MTLS_GET_ADDRESS, 0))
#define BIO_mtls_get_peer_address(b) \
    ((const char *)BIO_ptr_ctrl((b), BIO_CTRL_MTLS_GET_ADDRESS, 1))

/*
 * The message callback, in the manner of SSL_set_msg_callback(): |write_p| is
 * 1 for what is sent; |type| the packet type 1..255 and |buf| the packet; for
 * MTLSPlaintext |buf| is its header alone, and the data follows as
 * MTLS_MSG_DATA, in one piece or more. The header of an mtls-00 frame, which
 * has no type, is MTLS_MSG_FRAME. Called with the session locked: it must not
 * use it.
 */
#define MTLS_MSG_DATA 0x100
#define MTLS_MSG_FRAME 0x101
typedef void (*MTLS_msg_cb)(int write_p, int type, const void *buf, size_t len,
                            BIO *mtls, void *arg);
int BIO_mtls_set_msg_callback(BIO *mtls, MTLS_msg_cb cb, void *arg);

/*
 * BIO_set_info_callback() on the filter is told of each packet but data's
 * octets: |cmd| is the packet's type, with MTLS_INFO_SENT for what is sent,
 * and |ret| how many octets of it are at hand.
 */
#define MTLS_INFO_SENT 0x1000

/*
 * A ready-made message callback, as SSL_trace() is: prints each packet decoded
 * on one line to the BIO that is its |arg|; data is not shown.
 */
void BIO_mtls_trace(int write_p, int type, const void *buf, size_t len,
                    BIO *mtls, void *arg);

#ifdef __cplusplus
}
#endif
#endif
