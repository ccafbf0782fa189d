/* SPDX-License-Identifier: Apache-2.0
 *
 * The C interface of mycelial: SQLite files that stay in sync, peer to peer, over any network.
 *
 * Rules that hold everywhere:
 *  - A function that can fail gives a mycelial_code, 0 for success, and fills `error` if that is
 * not NULL. `error` is the caller's memory; nothing in it needs freeing.
 *  - Outputs are written only on success. Handles are opaque; their free functions accept NULL.
 *  - Texts are UTF-8 and end in NUL. A text that a handle gives lives as long as the handle.
 *  - Structs that the caller fills begin with struct_size and are prepared by their _init function,
 *    so that a program built today works with a library of tomorrow.
 *  - A callback comes as (function, context, destroy). `destroy` (may be NULL) is called exactly
 * once when the callback is no longer needed, also when registering it fails.
 *  - Threads: a replica may be used from any thread, but not from inside its own callbacks: such a
 *    call fails with MYCELIAL_INVALID_ARGUMENT. Other handles belong to one thread at a time.
 *
 * Stability: until 1.0 anything may change; MYCELIAL_ABI_VERSION grows when it does.
 */
#ifndef MYCELIAL_H
#define MYCELIAL_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MYCELIAL_CAPI __attribute__((visibility("default")))
#else
#define MYCELIAL_CAPI
#endif

#ifdef __cplusplus
#define MYCELIAL_NOEXCEPT noexcept
extern "C" {
#else
#define MYCELIAL_NOEXCEPT
#endif

#define MYCELIAL_ABI_VERSION 1u

/* ---- results ---- */

typedef int32_t mycelial_code;

enum {
  MYCELIAL_OK = 0,
  MYCELIAL_INVALID_ARGUMENT = 1, /* the call is wrong; fix the program */
  MYCELIAL_NOT_FOUND = 2,        /* the file, table or peer does not exist */
  MYCELIAL_BUSY = 3,             /* somebody else holds it; may succeed later */
  MYCELIAL_CORRUPT = 4,          /* bytes that are not what they should be */
  MYCELIAL_IO = 5,               /* the disk or the network failed */
  MYCELIAL_SCHEMA = 6,           /* the table cannot be tracked; the message says why */
  MYCELIAL_UNSUPPORTED = 7,      /* known, but not offered here */
  MYCELIAL_VERSION = 8,          /* written by a newer major version */
  MYCELIAL_CLOSED = 9,           /* the object was closed */
  MYCELIAL_CANCELED = 10,        /* given up at a deadline or on request */
  MYCELIAL_OUT_OF_MEMORY = 11,
  MYCELIAL_INTERNAL = 12 /* a bug in mycelial; the replica stops syncing */
};

#define MYCELIAL_MESSAGE_BYTES 512

/* Caller's memory. May be left uninitialised before a call; meaningful only after a failure. */
typedef struct mycelial_error {
  mycelial_code code;
  uint32_t retryable;                   /* 1: the same call may succeed later */
  char message[MYCELIAL_MESSAGE_BYTES]; /* what was tried on what; cut off if longer */
} mycelial_error;

/* The MYCELIAL_ABI_VERSION that the library was built with. */
MYCELIAL_CAPI uint32_t mycelial_abi_version(void) MYCELIAL_NOEXCEPT;
/* "0.1.0"; static. */
MYCELIAL_CAPI const char* mycelial_version(void) MYCELIAL_NOEXCEPT;
/* "not_found"; static, never NULL. */
MYCELIAL_CAPI const char* mycelial_code_name(mycelial_code code) MYCELIAL_NOEXCEPT;

/* A text of the library's, such as an endpoint or a digest. */
typedef struct mycelial_text mycelial_text;
MYCELIAL_CAPI const char* mycelial_text_data(const mycelial_text* text) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI size_t mycelial_text_size(const mycelial_text* text) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_text_free(mycelial_text* text) MYCELIAL_NOEXCEPT;

/* ---- a replica ---- */

typedef struct mycelial_replica mycelial_replica;

typedef struct mycelial_policy mycelial_policy; /* a merge policy of the host's: see below */

typedef struct mycelial_options {
  uint32_t struct_size;
  uint32_t create;      /* 1: make the file if it is absent. Default 0 */
  uint32_t exclusive;   /* 1: take the links of this file; one replica at a time may. Default 1 */
  uint32_t watch;       /* 1: watch the file for commits by others. Default 1 */
  uint32_t debounce_ms; /* let writes gather for so long before they are sent. Default 3 */
  uint32_t busy_timeout_ms; /* how long to wait for a lock of the application's. Default 10000 */
  uint64_t tail_bytes_max;  /* change sets kept for peers that are behind. 0: automatic */
  mycelial_policy* const* policies; /* may be freed once the replica is open. Default NULL */
  size_t policy_count;
  uint32_t
      conflicts_max; /* overruled values that stay listed. 0: as the file says, 10000 at first */
  uint32_t reserved;
  uint64_t retention_s; /* a member that is silent for longer is not waited for. 0: as the file
                         * says, 30 days at first */
  uint64_t receive_bytes_per_second_max; /* what one link may bring in the long run. 0: no limit */
} mycelial_options;

/* Fills in the defaults. `struct_size` is sizeof(mycelial_options) in the calling program. */
MYCELIAL_CAPI void mycelial_options_init(mycelial_options* options,
                                         uint32_t struct_size) MYCELIAL_NOEXCEPT;

/* Opens an SQLite file for syncing; `options` may be NULL. The application goes on using the file
 * with SQLite. Errors: NOT_FOUND, CORRUPT, BUSY (another process serves it), IO, VERSION,
 * UNSUPPORTED (this process holds two copies of SQLite, or options that this library does not
 * know). */
MYCELIAL_CAPI mycelial_code mycelial_open(const char* path, const mycelial_options* options,
                                          mycelial_replica** out,
                                          mycelial_error* error) MYCELIAL_NOEXCEPT;
/* Stops links and closes the file; calls that wait in other threads end, later ones fail with
 * MYCELIAL_CLOSED. Within 2 s, idempotent, from any thread. The handle stays to be freed. */
MYCELIAL_CAPI void mycelial_shutdown(mycelial_replica* replica) MYCELIAL_NOEXCEPT;
/* Stops links, closes and frees. Returns within 2 s. No other call may be running or follow.
 * NULL is allowed. */
MYCELIAL_CAPI void mycelial_close(mycelial_replica* replica) MYCELIAL_NOEXCEPT;

/* Starts capturing a table. Idempotent. Errors: NOT_FOUND, SCHEMA, BUSY. */
MYCELIAL_CAPI mycelial_code mycelial_track(mycelial_replica* replica, const char* table,
                                           mycelial_error* error) MYCELIAL_NOEXCEPT;
/* Leaves the table as if it had never been tracked. Deletes no rows anywhere. */
MYCELIAL_CAPI mycelial_code mycelial_untrack(mycelial_replica* replica, const char* table,
                                             mycelial_error* error) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI mycelial_code mycelial_untrack_all(mycelial_replica* replica,
                                                 mycelial_error* error) MYCELIAL_NOEXCEPT;

/* Runs ALTER TABLE statements, all or none. Needed for DROP COLUMN alone, which SQLite refuses to
 * others while triggers name the column; what it held stays known, for peers that have it. Errors:
 * NOT_FOUND, INVALID_ARGUMENT (not ALTER TABLE), SCHEMA (refused; nothing is changed), BUSY. */
MYCELIAL_CAPI mycelial_code mycelial_alter(mycelial_replica* replica, const char* sql,
                                           mycelial_error* error) MYCELIAL_NOEXCEPT;

/* The outcome of mycelial_track_all, table by table. */
typedef struct mycelial_tables mycelial_tables;
/* Tracks every ordinary table; `out` may be NULL. */
MYCELIAL_CAPI mycelial_code mycelial_track_all(mycelial_replica* replica, mycelial_tables** out,
                                               mycelial_error* error) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI size_t mycelial_tables_count(const mycelial_tables* tables) MYCELIAL_NOEXCEPT;
/* NULL beyond the end. */
MYCELIAL_CAPI const char* mycelial_tables_name(const mycelial_tables* tables,
                                               size_t index) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI uint32_t mycelial_tables_tracked(const mycelial_tables* tables,
                                               size_t index) MYCELIAL_NOEXCEPT;
/* Why not, and what to do; empty for a tracked table, NULL beyond the end. */
MYCELIAL_CAPI const char* mycelial_tables_reason(const mycelial_tables* tables,
                                                 size_t index) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_tables_free(mycelial_tables* tables) MYCELIAL_NOEXCEPT;

/* Accepts peers; `bound` (may be NULL) receives the endpoint really bound, such as
 * "tcp://0.0.0.0:41000" for "tcp://0.0.0.0:0". */
MYCELIAL_CAPI mycelial_code mycelial_listen(mycelial_replica* replica, const char* endpoint,
                                            mycelial_text** bound,
                                            mycelial_error* error) MYCELIAL_NOEXCEPT;
/* Keeps a link to a peer up from now on. An unreachable peer is no error: it is retried. */
MYCELIAL_CAPI mycelial_code mycelial_connect(mycelial_replica* replica, const char* endpoint,
                                             mycelial_error* error) MYCELIAL_NOEXCEPT;

/* Called now and then during mycelial_sync, on a thread of the replica. */
typedef void (*mycelial_progress_fn)(void* context, uint64_t sets_missing_here,
                                     uint64_t sets_missing_there);
/* Connects, waits until both sides hold the union, hangs up. Blocks. `progress` may be NULL.
 * Errors: CANCELED (timeout), IO (unreachable), or what stopped it. */
MYCELIAL_CAPI mycelial_code mycelial_sync(mycelial_replica* replica, const char* endpoint,
                                          uint32_t timeout_ms, mycelial_progress_fn progress,
                                          void* context, void (*destroy)(void* context),
                                          mycelial_error* error) MYCELIAL_NOEXCEPT;
/* Turns captured writes into a change set now. */
MYCELIAL_CAPI mycelial_code mycelial_seal(mycelial_replica* replica,
                                          mycelial_error* error) MYCELIAL_NOEXCEPT;
/* Hexadecimal; equal if and only if tracked tables hold equal rows. */
MYCELIAL_CAPI mycelial_code mycelial_digest(mycelial_replica* replica, mycelial_text** out,
                                            mycelial_error* error) MYCELIAL_NOEXCEPT;

/* ---- being told ---- */

/* Lives during the callback only. */
typedef struct mycelial_change {
  uint32_t struct_size;
  uint32_t table_count;
  const char* const* tables;
  uint64_t rows;
} mycelial_change;
typedef void (*mycelial_change_fn)(void* context, const mycelial_change* change);

/* Called after rows of other sites became visible, on a thread of the replica. One callback at a
 * time; a new one replaces the old; NULL unsubscribes. When this returns, the old one is not
 * running and will not run again. */
MYCELIAL_CAPI mycelial_code mycelial_on_change(mycelial_replica* replica, mycelial_change_fn fn,
                                               void* context, void (*destroy)(void* context),
                                               mycelial_error* error) MYCELIAL_NOEXCEPT;

/* ---- looking ---- */

typedef struct mycelial_status mycelial_status; /* a snapshot */

typedef struct mycelial_counters {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t journal_entries; /* captured, not sealed yet */
  uint64_t sets_held;
  uint64_t streams;
  uint64_t tail_sets;
  uint64_t tail_bytes;
  uint64_t hidden_rows;
  uint64_t parked_rows;
  uint64_t superseded;
  uint64_t collisions;         /* writes of the serving process that overtook an open transaction */
  uint64_t own_sets;           /* sealed here */
  uint64_t own_sets_elsewhere; /* of these, known to be held by some other replica */
  uint64_t own_sets_everywhere; /* and by every member that is not forgotten */
} mycelial_counters;

typedef struct mycelial_peer {
  uint32_t struct_size;
  uint32_t connected;
  uint32_t in_sync;
  uint32_t reserved;
  const char* endpoint;
  const char* site; /* hexadecimal; empty until the peer spoke */
  const char* last_error;
  uint64_t they_lack_sets;
  uint64_t we_lack_sets;
} mycelial_peer;

MYCELIAL_CAPI mycelial_code mycelial_get_status(mycelial_replica* replica, mycelial_status** out,
                                                mycelial_error* error) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI const char* mycelial_status_path(const mycelial_status* status) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI const char* mycelial_status_site(const mycelial_status* status) MYCELIAL_NOEXCEPT;
/* Empty when all is well. */
MYCELIAL_CAPI const char* mycelial_status_last_error(const mycelial_status* status)
    MYCELIAL_NOEXCEPT;
/* `out->struct_size` says how much to fill; so in the other functions that fill structs. */
MYCELIAL_CAPI mycelial_code mycelial_status_counters(const mycelial_status* status,
                                                     mycelial_counters* out) MYCELIAL_NOEXCEPT;
/* The tables; the handle belongs to `status` and must not be freed. */
MYCELIAL_CAPI const mycelial_tables* mycelial_status_tables(const mycelial_status* status)
    MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI size_t mycelial_status_peer_count(const mycelial_status* status) MYCELIAL_NOEXCEPT;
/* Errors: NOT_FOUND beyond the end. Texts live as long as `status`. */
MYCELIAL_CAPI mycelial_code mycelial_status_peer(const mycelial_status* status, size_t index,
                                                 mycelial_peer* out) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI size_t mycelial_status_note_count(const mycelial_status* status) MYCELIAL_NOEXCEPT;
/* NULL beyond the end. */
MYCELIAL_CAPI const char* mycelial_status_note(const mycelial_status* status,
                                               size_t index) MYCELIAL_NOEXCEPT;
/* All of it as one JSON object. */
MYCELIAL_CAPI const char* mycelial_status_json(const mycelial_status* status) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_status_free(mycelial_status* status) MYCELIAL_NOEXCEPT;

typedef struct mycelial_conflict {
  uint32_t struct_size;
  uint32_t reserved;
  const char* table;
  const char* row;
  const char* column; /* empty: the whole row */
  const char* kind;   /* "hidden", "parked", "superseded", "deleted", ... */
  const char* value;  /* what is not shown, as SQL */
  const char* winner;
  const char* rule;
  const char* since; /* UTC, ISO 8601 */
  const char* id;    /* for mycelial_resolve; the same on all replicas */
} mycelial_conflict;

typedef struct mycelial_conflicts mycelial_conflicts; /* a cursor */
MYCELIAL_CAPI mycelial_code mycelial_get_conflicts(mycelial_replica* replica,
                                                   mycelial_conflicts** out,
                                                   mycelial_error* error) MYCELIAL_NOEXCEPT;
/* 1: `out` was filled (its texts live as long as the cursor); 0: the end, or a NULL argument. */
MYCELIAL_CAPI int mycelial_conflicts_next(mycelial_conflicts* cursor,
                                          mycelial_conflict* out) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_conflicts_free(mycelial_conflicts* cursor) MYCELIAL_NOEXCEPT;

enum {
  MYCELIAL_RESTORE = 1, /* what is listed shows from now on; what hid or overruled it gives way */
  MYCELIAL_DISMISS = 2, /* a hidden row is deleted, a value is not listed any more */
  MYCELIAL_CHANGE = 3   /* a hidden row gets another value in a column */
};
/* Decides a conflict, for all replicas. `id`: its id, or the start of it if no other begins like
 * that. `column` and `value` (an SQL literal) are for MYCELIAL_CHANGE, else ignored. Errors:
 * NOT_FOUND, INVALID_ARGUMENT, SCHEMA (a constraint forbids it; nothing is changed), BUSY. */
MYCELIAL_CAPI mycelial_code mycelial_resolve(mycelial_replica* replica, const char* id,
                                             uint32_t how, const char* column, const char* value,
                                             mycelial_error* error) MYCELIAL_NOEXCEPT;

/* Verifies the bookkeeping. `out` lists what is wrong, one line each; empty: sound. */
MYCELIAL_CAPI mycelial_code mycelial_check(mycelial_replica* replica, mycelial_text** out,
                                           mycelial_error* error) MYCELIAL_NOEXCEPT;

/* ---- members ---- */

/* What is known of one replica of the fleet: at first hand, or because others said it. */
typedef struct mycelial_member {
  uint32_t struct_size;
  uint32_t is_self;
  uint32_t holds_back; /* 1: deaths and sets that it lacks are kept for it */
  uint32_t forgotten;  /* 1: nobody here waits for it, until it is heard of again */
  uint64_t silent_s;
  uint64_t lacks_sets;    /* sets held here that it is not known to hold */
  const char* site;       /* hexadecimal */
  const char* last_heard; /* UTC, ISO 8601; empty for this replica */
} mycelial_member;

typedef struct mycelial_members mycelial_members; /* a cursor */
MYCELIAL_CAPI mycelial_code mycelial_get_members(mycelial_replica* replica, mycelial_members** out,
                                                 mycelial_error* error) MYCELIAL_NOEXCEPT;
/* 1: `out` was filled (its texts live as long as the cursor); 0: the end, or a NULL argument. */
MYCELIAL_CAPI int mycelial_members_next(mycelial_members* cursor,
                                        mycelial_member* out) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_members_free(mycelial_members* cursor) MYCELIAL_NOEXCEPT;

/* Does not wait for a member any more, until it is heard of again. `site`: its id, or the start of
 * it if no other begins like that. Errors: NOT_FOUND, INVALID_ARGUMENT, BUSY. */
MYCELIAL_CAPI mycelial_code mycelial_forget(mycelial_replica* replica, const char* site,
                                            mycelial_error* error) MYCELIAL_NOEXCEPT;

/* ---- merge policies ---- */

/* Chooses how concurrent writes of a column merge, or those of a table's columns (`column` NULL or
 * empty): "lww" (the default), "fww", "max", "min", "counter", "set", "json", the name of a policy
 * of the host's, or, for a table, "row". For a column of a foreign key also what becomes of rows
 * whose parent a peer deletes: "keep" (the default), "delete", "restore". The choice travels to all
 * replicas; of several, the last one holds. Errors: NOT_FOUND, INVALID_ARGUMENT, BUSY. */
MYCELIAL_CAPI mycelial_code mycelial_set_policy(mycelial_replica* replica, const char* table,
                                                const char* column, const char* policy,
                                                mycelial_error* error) MYCELIAL_NOEXCEPT;

typedef struct mycelial_policy_info {
  uint32_t struct_size;
  uint32_t known; /* 0: a policy of another program; the last write shows here */
  const char* table;
  const char* column; /* empty: the table */
  const char* policy;
} mycelial_policy_info;

typedef struct mycelial_policies mycelial_policies; /* a cursor over what has been chosen */
MYCELIAL_CAPI mycelial_code mycelial_get_policies(mycelial_replica* replica,
                                                  mycelial_policies** out,
                                                  mycelial_error* error) MYCELIAL_NOEXCEPT;
/* 1: `out` was filled (its texts live as long as the cursor); 0: the end, or a NULL argument. */
MYCELIAL_CAPI int mycelial_policies_next(mycelial_policies* cursor,
                                         mycelial_policy_info* out) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_policies_free(mycelial_policies* cursor) MYCELIAL_NOEXCEPT;

enum {
  MYCELIAL_NULL = 0,
  MYCELIAL_INTEGER = 1,
  MYCELIAL_REAL = 2,
  MYCELIAL_TEXT = 3,
  MYCELIAL_BLOB = 4
};

/* A value as SQLite has it. */
typedef struct mycelial_value {
  uint32_t type; /* MYCELIAL_NULL ... MYCELIAL_BLOB */
  uint32_t reserved;
  int64_t integer;
  double real;
  const char* bytes; /* of text and blob; not NUL-terminated */
  size_t size;
} mycelial_value;

/* What one site has made of a column. */
typedef struct mycelial_policy_version {
  uint32_t struct_size;
  uint32_t reserved;
  mycelial_value value;
  uint64_t time_ms; /* when it was written, milliseconds since 1970 */
  const char* site; /* hexadecimal site id of the writer */
} mycelial_policy_version;

typedef struct mycelial_merged mycelial_merged; /* receives the merge of two values */
/* Copies the value. */
MYCELIAL_CAPI void mycelial_merged_set(mycelial_merged* out,
                                       const mycelial_value* value) MYCELIAL_NOEXCEPT;

/* Makes one value of two, by mycelial_merged_set; NULL if that is not called. Pure: equal arguments
 * give equal values, in every process. See mycelial/merge_policy.hpp for what is expected. Called
 * from any thread, one call at a time for a replica. Anything but OK, with a message in `error`,
 * stops the replica from syncing for good. */
typedef mycelial_code (*mycelial_merge_fn)(void* context, const mycelial_policy_version* a,
                                           const mycelial_policy_version* b, mycelial_merged* out,
                                           mycelial_error* error);

/* A policy of the host's, for mycelial_options.policies. `destroy` is called exactly once, when
 * neither the caller nor a replica has it any more; on failure too. */
MYCELIAL_CAPI mycelial_code mycelial_policy_new(const char* name, mycelial_merge_fn merge,
                                                void* context, void (*destroy)(void* context),
                                                mycelial_policy** out,
                                                mycelial_error* error) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_policy_free(mycelial_policy* policy) MYCELIAL_NOEXCEPT;

/* ---- a network of your own ---- */

/* What a link is; see mycelial/transport.hpp for what is expected of each call. */
typedef struct mycelial_link_caps {
  uint32_t struct_size;
  uint32_t delay_ms;          /* expected one-way delay. Default 20 */
  uint64_t message_bytes_max; /* the largest message the link takes, >= 128. Default 65536 */
  uint64_t bytes_per_second;  /* 0: unknown and fast. Default 0 */
  uint32_t group;             /* 1: every member of a group hears each message. Default 0 */
  uint32_t reserved;
} mycelial_link_caps;
MYCELIAL_CAPI void mycelial_link_caps_init(mycelial_link_caps* caps,
                                           uint32_t struct_size) MYCELIAL_NOEXCEPT;

enum { MYCELIAL_SEND_ACCEPTED = 0, MYCELIAL_SEND_WOULD_BLOCK = 1, MYCELIAL_SEND_CLOSED = 2 };

/* The host's side of a link. Called from any thread; must not block. */
typedef struct mycelial_link_ops {
  uint32_t struct_size;
  uint32_t reserved;
  /* Gives MYCELIAL_SEND_...; after WOULD_BLOCK the host calls mycelial_link_writable. */
  int32_t (*send)(void* context, const void* message, size_t size);
  /* Optional: the receiver is done with so many bytes that it was given. */
  void (*consumed)(void* context, size_t bytes);
  /* Idempotent; mycelial_link_closed follows. */
  void (*close)(void* context);
  /* Optional: nothing of this link is called any more. */
  void (*destroy)(void* context);
} mycelial_link_ops;

typedef struct mycelial_acceptor mycelial_acceptor; /* takes links; valid until stop() returned */
typedef struct mycelial_link mycelial_link;         /* one link, as the host reports on it */

/* The host's network. listen and dial are called from any thread and must not block for long. */
typedef struct mycelial_transport_ops {
  uint32_t struct_size;
  uint32_t reserved;
  const char* scheme; /* the part of endpoints before "://"; copied */
  /* Writes the endpoint really bound to `bound` if it differs. On failure gives a code and may
   * write a message to error->message. */
  mycelial_code (*listen)(void* context, const char* endpoint, mycelial_acceptor* acceptor,
                          char* bound, size_t bound_size, mycelial_error* error);
  /* Keeps a link to the endpoint up until stop(). Unreachable is no error: report it with
   * mycelial_acceptor_dial_failed and try again. */
  mycelial_code (*dial)(void* context, const char* endpoint, mycelial_acceptor* acceptor,
                        mycelial_error* error);
  /* Closes everything; when it returns, the host makes no more calls. Idempotent. */
  void (*stop)(void* context);
  void (*destroy)(void* context); /* optional; after stop */
} mycelial_transport_ops;

/* Adds a network. `ops` is copied. On failure too, destroy is called. */
MYCELIAL_CAPI mycelial_code mycelial_add_transport(mycelial_replica* replica,
                                                   const mycelial_transport_ops* ops, void* context,
                                                   mycelial_error* error) MYCELIAL_NOEXCEPT;
/* A link is up. `remote` says for people where the other end is; `endpoint` is what was dialed or
 * listened on. `out` is used for reporting until mycelial_link_closed. On failure (CLOSED: not
 * wanted) ops->destroy has been called and nothing may be reported. */
MYCELIAL_CAPI mycelial_code mycelial_acceptor_link(mycelial_acceptor* acceptor,
                                                   const mycelial_link_ops* ops, void* context,
                                                   const mycelial_link_caps* caps,
                                                   const char* remote, int dialed,
                                                   const char* endpoint, mycelial_link** out,
                                                   mycelial_error* error) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_acceptor_dial_failed(mycelial_acceptor* acceptor, const char* endpoint,
                                                 mycelial_code code,
                                                 const char* message) MYCELIAL_NOEXCEPT;
/* Reports of one link must not overlap. */
MYCELIAL_CAPI void mycelial_link_message(mycelial_link* link, const void* message,
                                         size_t size) MYCELIAL_NOEXCEPT;
MYCELIAL_CAPI void mycelial_link_writable(mycelial_link* link) MYCELIAL_NOEXCEPT;
/* The last report: frees `link`. */
MYCELIAL_CAPI void mycelial_link_closed(mycelial_link* link, mycelial_code code,
                                        const char* message) MYCELIAL_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
