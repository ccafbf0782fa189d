/* SPDX-License-Identifier: Apache-2.0
 * A C99 program: two files, two replicas, TCP on loopback; then everything that can be wrong. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mycelial.h"

static int failures = 0;

#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      fprintf(stderr, "line %d: %s is false\n", __LINE__, #condition); \
      ++failures;                                                      \
    }                                                                  \
  } while (0)

static mycelial_error error;

#define OK(call)                                                                                \
  do {                                                                                          \
    memset(&error, 0, sizeof error);                                                            \
    if ((call) != MYCELIAL_OK) {                                                                \
      fprintf(stderr, "line %d: %s: %s: %s\n", __LINE__, #call, mycelial_code_name(error.code), \
              error.message);                                                                   \
      exit(1);                                                                                  \
    }                                                                                           \
  } while (0)

#define FAILS(expected, call)                                                         \
  do {                                                                                \
    mycelial_code got_;                                                               \
    memset(&error, 0, sizeof error);                                                  \
    got_ = (call);                                                                    \
    if (got_ != (expected) || error.code != got_ || error.message[0] == '\0') {       \
      fprintf(stderr, "line %d: %s gave %s (%s), not %s\n", __LINE__, #call,          \
              mycelial_code_name(got_), error.message, mycelial_code_name(expected)); \
      ++failures;                                                                     \
    }                                                                                 \
  } while (0)

static char path_a[512], path_b[512];

static void fresh(char* path, size_t size, const char* folder, const char* name) {
  char command[1200];
  snprintf(path, size, "%s/%s", folder, name);
  snprintf(command, sizeof command, "rm -rf '%s' '%s'-*", path, path);
  if (system(command) != 0) exit(1);
}

static void sql(const char* path, const char* statement) {
  sqlite3* db = NULL;
  char* message = NULL;
  if (sqlite3_open(path, &db) != SQLITE_OK) exit(1);
  sqlite3_busy_timeout(db, 10000);
  if (sqlite3_exec(db, statement, NULL, NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "%s: %s: %s\n", path, statement, message);
    exit(1);
  }
  sqlite3_close(db);
}

static long ask(const char* path, const char* query) {
  sqlite3* db = NULL;
  sqlite3_stmt* statement = NULL;
  long out = -1;
  if (sqlite3_open(path, &db) != SQLITE_OK) exit(1);
  sqlite3_busy_timeout(db, 10000);
  if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    out = (long)sqlite3_column_int64(statement, 0);
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return out;
}

/* What callbacks counted. Calls come from a thread of the replica. */
typedef struct {
  pthread_mutex_t mutex;
  int calls, destroyed;
  unsigned long rows;
} counter;

static void changed(void* context, const mycelial_change* change) {
  counter* to = context;
  pthread_mutex_lock(&to->mutex);
  ++to->calls;
  to->rows += (unsigned long)change->rows;
  CHECK(change->struct_size >= sizeof(mycelial_change));
  CHECK(change->table_count == 1 && strcmp(change->tables[0], "t") == 0);
  pthread_mutex_unlock(&to->mutex);
}

static void progressed(void* context, uint64_t here, uint64_t there) {
  counter* to = context;
  (void)here;
  (void)there;
  pthread_mutex_lock(&to->mutex);
  ++to->calls;
  pthread_mutex_unlock(&to->mutex);
}

static void destroyed(void* context) {
  counter* to = context;
  pthread_mutex_lock(&to->mutex);
  ++to->destroyed;
  pthread_mutex_unlock(&to->mutex);
}

static void reports(mycelial_replica* a, mycelial_replica* b) {
  mycelial_status* status = NULL;
  mycelial_conflicts* conflicts = NULL;
  mycelial_text* wrong = NULL;
  mycelial_counters counters;
  mycelial_conflict conflict;
  OK(mycelial_get_status(b, &status, &error));
  CHECK(strlen(mycelial_status_site(status)) == 32);
  CHECK(strcmp(mycelial_status_last_error(status), "") == 0);
  CHECK(mycelial_tables_count(mycelial_status_tables(status)) == 1);
  CHECK(mycelial_status_json(status)[0] == '{');
  counters.struct_size = sizeof counters;
  CHECK(mycelial_status_counters(status, &counters) == MYCELIAL_OK);
  CHECK(counters.sets_held >= 2 && counters.journal_entries == 0);
  mycelial_status_free(status);
  OK(mycelial_get_conflicts(b, &conflicts, &error));
  conflict.struct_size = sizeof conflict;
  CHECK(mycelial_conflicts_next(conflicts, &conflict) == 0);
  mycelial_conflicts_free(conflicts);
  OK(mycelial_check(a, &wrong, &error));
  CHECK(mycelial_text_size(wrong) == 0);
  mycelial_text_free(wrong);
}

static void main_path(void) {
  mycelial_replica *a = NULL, *b = NULL;
  mycelial_text *bound = NULL, *digest_a = NULL, *digest_b = NULL;
  mycelial_tables* tables = NULL;
  mycelial_options options;
  counter changes = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0};
  counter progress = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0};

  sql(path_a, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
  sql(path_b, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
  mycelial_options_init(&options, sizeof options);
  CHECK(options.exclusive == 1 && options.create == 0 && options.busy_timeout_ms == 10000);
  OK(mycelial_open(path_a, &options, &a, &error));
  OK(mycelial_open(path_b, NULL, &b, &error));
  FAILS(MYCELIAL_BUSY, mycelial_open(path_a, NULL, &b, &error));
  OK(mycelial_track(a, "t", &error));
  OK(mycelial_track_all(b, &tables, &error));
  CHECK(mycelial_tables_count(tables) == 1 && mycelial_tables_tracked(tables, 0));
  CHECK(strcmp(mycelial_tables_name(tables, 0), "t") == 0);
  CHECK(mycelial_tables_name(tables, 1) == NULL);
  mycelial_tables_free(tables);
  OK(mycelial_on_change(b, changed, &changes, destroyed, &error));

  sql(path_a, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  sql(path_b, "INSERT INTO t VALUES (3, 'three')");
  OK(mycelial_seal(a, &error));
  OK(mycelial_listen(a, "tcp://127.0.0.1:0", &bound, &error));
  CHECK(strlen(mycelial_text_data(bound)) == mycelial_text_size(bound));
  OK(mycelial_sync(b, mycelial_text_data(bound), 30000, progressed, &progress, destroyed, &error));
  CHECK(progress.destroyed == 1);
  CHECK(ask(path_a, "SELECT count(*) FROM t") == 3);
  CHECK(ask(path_b, "SELECT count(*) FROM t") == 3);
  CHECK(changes.calls >= 1 && changes.rows == 2);
  OK(mycelial_digest(a, &digest_a, &error));
  OK(mycelial_digest(b, &digest_b, &error));
  CHECK(strcmp(mycelial_text_data(digest_a), mycelial_text_data(digest_b)) == 0);

  OK(mycelial_connect(b, mycelial_text_data(bound), &error));
  reports(a, b);

  OK(mycelial_on_change(b, NULL, NULL, NULL, &error));
  CHECK(changes.destroyed == 1);
  OK(mycelial_untrack(a, "t", &error));
  OK(mycelial_untrack_all(b, &error));
  mycelial_shutdown(a);
  FAILS(MYCELIAL_CLOSED, mycelial_seal(a, &error));
  mycelial_close(a);
  mycelial_close(b);
  mycelial_text_free(bound);
  mycelial_text_free(digest_a);
  mycelial_text_free(digest_b);
  CHECK(changes.destroyed == 1);
}

/* Decides a conflict, and drops a column. */
static void decisions(void) {
  mycelial_replica *a = NULL, *b = NULL;
  mycelial_text* bound = NULL;
  mycelial_conflicts* conflicts = NULL;
  mycelial_conflict conflict;
  sql(path_a, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
  sql(path_b, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
  OK(mycelial_open(path_a, NULL, &a, &error));
  OK(mycelial_open(path_b, NULL, &b, &error));
  OK(mycelial_track(a, "t", &error));
  OK(mycelial_track(b, "t", &error));
  sql(path_a, "INSERT INTO t VALUES(7, 'of a')");
  sql(path_b, "INSERT INTO t VALUES(7, 'of b')");
  OK(mycelial_listen(a, "tcp://127.0.0.1:0", &bound, &error));
  OK(mycelial_sync(b, mycelial_text_data(bound), 30000, NULL, NULL, NULL, &error));
  OK(mycelial_get_conflicts(b, &conflicts, &error));
  conflict.struct_size = sizeof conflict;
  CHECK(mycelial_conflicts_next(conflicts, &conflict) == 1);
  CHECK(strcmp(conflict.kind, "superseded") == 0 && strlen(conflict.id) == 10);
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_resolve(b, conflict.id, 9, NULL, NULL, &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_resolve(b, NULL, 1, NULL, NULL, &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT,
        mycelial_resolve(b, conflict.id, MYCELIAL_CHANGE, "v", NULL, &error));
  FAILS(MYCELIAL_NOT_FOUND, mycelial_resolve(b, "none", MYCELIAL_DISMISS, NULL, NULL, &error));
  OK(mycelial_resolve(b, conflict.id, MYCELIAL_RESTORE, NULL, NULL, &error));
  CHECK(ask(path_b, "SELECT v = 'of a' FROM t") + ask(path_b, "SELECT v = 'of b' FROM t") == 1);
  mycelial_conflicts_free(conflicts);
  OK(mycelial_get_conflicts(b, &conflicts, &error));
  CHECK(mycelial_conflicts_next(conflicts, &conflict) == 0);
  mycelial_conflicts_free(conflicts);
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_alter(b, "DROP TABLE t", &error));
  OK(mycelial_alter(b, "ALTER TABLE t DROP COLUMN v", &error));
  CHECK(ask(path_b, "SELECT count(*) FROM pragma_table_info('t')") == 1);
  mycelial_close(a);
  mycelial_close(b);
  mycelial_text_free(bound);
}

static void nulls(void) {
  mycelial_replica* out = NULL;
  counter count = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0};
  mycelial_close(NULL);
  mycelial_shutdown(NULL);
  mycelial_text_free(NULL);
  mycelial_tables_free(NULL);
  mycelial_status_free(NULL);
  mycelial_conflicts_free(NULL);
  mycelial_options_init(NULL, 0);
  mycelial_link_caps_init(NULL, 0);
  mycelial_link_message(NULL, "x", 1);
  mycelial_link_writable(NULL);
  mycelial_link_closed(NULL, 0, NULL);
  mycelial_acceptor_dial_failed(NULL, NULL, 0, NULL);
  CHECK(mycelial_text_size(NULL) == 0 && strcmp(mycelial_text_data(NULL), "") == 0);
  CHECK(mycelial_tables_count(NULL) == 0 && mycelial_tables_name(NULL, 0) == NULL);
  CHECK(mycelial_status_peer(NULL, 0, NULL) == MYCELIAL_INVALID_ARGUMENT);
  CHECK(mycelial_conflicts_next(NULL, NULL) == 0);
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_open(NULL, NULL, &out, &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_open(path_a, NULL, NULL, &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_track(NULL, "t", &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_seal(NULL, &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT,
        mycelial_sync(NULL, "tcp://x:1", 1, progressed, &count, destroyed, &error));
  CHECK(count.destroyed == 1);
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_on_change(NULL, changed, &count, destroyed, &error));
  CHECK(count.destroyed == 2);
  CHECK(mycelial_seal(NULL, NULL) == MYCELIAL_INVALID_ARGUMENT);
}

static mycelial_code never_listen(void* context, const char* endpoint, mycelial_acceptor* acceptor,
                                  char* bound, size_t bound_size, mycelial_error* out) {
  (void)context, (void)endpoint, (void)acceptor, (void)bound, (void)bound_size;
  snprintf(out->message, sizeof out->message, "no ears");
  return MYCELIAL_UNSUPPORTED;
}

static mycelial_code never_dial(void* context, const char* endpoint, mycelial_acceptor* acceptor,
                                mycelial_error* out) {
  (void)context, (void)out;
  mycelial_acceptor_dial_failed(acceptor, endpoint, MYCELIAL_IO, "no mouth");
  return MYCELIAL_OK;
}

static void never_stop(void* context) {
  (void)context;
}

static void errors(const char* folder) {
  char absent[600];
  mycelial_replica* a = NULL;
  mycelial_options options;
  mycelial_transport_ops ops;
  counter count = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0};
  struct {
    mycelial_options known;
    uint64_t unknown;
  } newer;

  snprintf(absent, sizeof absent, "%s/absent.db", folder);
  FAILS(MYCELIAL_NOT_FOUND, mycelial_open(absent, NULL, &a, &error));
  memset(&options, 0xff, sizeof options);
  options.struct_size = 0;
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_open(path_a, &options, &a, &error));
  memset(&newer, 0, sizeof newer);
  mycelial_options_init(&newer.known, sizeof newer);
  newer.unknown = 1;
  FAILS(MYCELIAL_UNSUPPORTED, mycelial_open(path_a, &newer.known, &a, &error));
  newer.unknown = 0;
  OK(mycelial_open(path_a, &newer.known, &a, &error));

  FAILS(MYCELIAL_NOT_FOUND, mycelial_track(a, "no such table", &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_listen(a, "nonsense", NULL, &error));
  FAILS(MYCELIAL_UNSUPPORTED, mycelial_connect(a, "odd://peer", &error));
  CHECK(mycelial_sync(a, "tcp://127.0.0.1:1", 5000, NULL, NULL, NULL, &error) != MYCELIAL_OK);

  memset(&ops, 0, sizeof ops);
  ops.struct_size = sizeof ops;
  ops.destroy = destroyed;
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_add_transport(a, &ops, &count, &error));
  CHECK(count.destroyed == 1);
  ops.scheme = "odd";
  ops.listen = never_listen;
  ops.dial = never_dial;
  ops.stop = never_stop;
  OK(mycelial_add_transport(a, &ops, &count, &error));
  FAILS(MYCELIAL_BUSY, mycelial_add_transport(a, &ops, &count, &error));
  CHECK(count.destroyed == 2);
  FAILS(MYCELIAL_UNSUPPORTED, mycelial_listen(a, "odd://x", NULL, &error));
  CHECK(strstr(error.message, "no ears") != NULL);
  FAILS(MYCELIAL_IO, mycelial_sync(a, "odd://peer", 5000, NULL, NULL, NULL, &error));
  CHECK(strstr(error.message, "no mouth") != NULL);
  mycelial_close(a);
  CHECK(count.destroyed == 3);
}

/* The longer text; of equally long ones the first. Counts its calls. */
static mycelial_code longer(void* context, const mycelial_policy_version* a,
                            const mycelial_policy_version* b, mycelial_merged* out,
                            mycelial_error* why) {
  ++*(int*)context;
  if (a->value.type != MYCELIAL_TEXT || strlen(a->site) != 32) {
    snprintf(why->message, sizeof why->message, "only texts, please");
    return MYCELIAL_SCHEMA;
  }
  mycelial_merged_set(out, a->value.size < b->value.size ? &b->value : &a->value);
  return MYCELIAL_OK;
}

static void let_go(void* context) {
  *(int*)context += 1000;
}

static void policies(const char* folder) {
  char path[1024];
  mycelial_replica* a = NULL;
  mycelial_policy* policy = NULL;
  mycelial_policies* chosen = NULL;
  mycelial_options options;
  mycelial_policy_info info;
  int calls = 0;

  fresh(path, sizeof path, folder, "capi_policy.db");
  sql(path, "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)");
  FAILS(MYCELIAL_INVALID_ARGUMENT,
        mycelial_policy_new(NULL, longer, &calls, let_go, &policy, &error));
  CHECK(calls == 1000);
  calls = 0;
  OK(mycelial_policy_new("longer", longer, &calls, let_go, &policy, &error));
  mycelial_options_init(&options, sizeof options);
  options.policies = &policy;
  options.policy_count = 1;
  OK(mycelial_open(path, &options, &a, &error));
  mycelial_policy_free(policy);
  CHECK(calls == 0);
  OK(mycelial_track(a, "t", &error));
  OK(mycelial_set_policy(a, "t", "v", "longer", &error));
  FAILS(MYCELIAL_INVALID_ARGUMENT, mycelial_set_policy(a, "t", "id", "max", &error));
  FAILS(MYCELIAL_NOT_FOUND, mycelial_set_policy(a, "nope", NULL, "max", &error));
  sql(path, "INSERT INTO t VALUES(1, 'long')");
  OK(mycelial_seal(a, &error));
  sql(path, "UPDATE t SET v = 'no'");
  OK(mycelial_seal(a, &error));
  CHECK(calls > 0);
  OK(mycelial_get_policies(a, &chosen, &error));
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  CHECK(mycelial_policies_next(chosen, &info) == 1);
  CHECK(strcmp(info.table, "t") == 0 && strcmp(info.column, "v") == 0 && info.known == 1);
  CHECK(strcmp(info.policy, "longer") == 0);
  CHECK(mycelial_policies_next(chosen, &info) == 0);
  mycelial_policies_free(chosen);
  mycelial_close(a);
  CHECK(calls > 1000);
}

int main(int argc, char** argv) {
  const char* folder = argc > 1 ? argv[1] : ".";
  fresh(path_a, sizeof path_a, folder, "capi_a.db");
  fresh(path_b, sizeof path_b, folder, "capi_b.db");
  CHECK(mycelial_abi_version() == MYCELIAL_ABI_VERSION);
  CHECK(strlen(mycelial_version()) > 0);
  CHECK(strcmp(mycelial_code_name(MYCELIAL_BUSY), "busy") == 0);
  CHECK(strcmp(mycelial_code_name(-77), "unknown") == 0);
  nulls();
  main_path();
  fresh(path_a, sizeof path_a, folder, "capi_a.db");
  fresh(path_b, sizeof path_b, folder, "capi_b.db");
  decisions();
  errors(folder);
  policies(folder);
  if (failures == 0) puts("ok");
  return failures == 0 ? 0 : 1;
}
