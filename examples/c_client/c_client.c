/* SPDX-License-Identifier: Apache-2.0
 * c_client FILE TABLE listen ENDPOINT   serve a file until the end of standard input
 * c_client FILE TABLE sync ENDPOINT     sync a file with a peer, once */
#include <mycelial.h>
#include <stdio.h>
#include <string.h>

static void on_change(void* context, const mycelial_change* change) {
  (void)context;
  printf("%lu rows changed\n", (unsigned long)change->rows);
  fflush(stdout);
}

static mycelial_code serve(mycelial_replica* replica, const char* endpoint, mycelial_error* error) {
  mycelial_text* bound = NULL;
  mycelial_code code = mycelial_on_change(replica, on_change, NULL, NULL, error);
  if (code == MYCELIAL_OK) code = mycelial_listen(replica, endpoint, &bound, error);
  if (code != MYCELIAL_OK) return code;
  printf("listening on %s\n", mycelial_text_data(bound));
  fflush(stdout);
  mycelial_text_free(bound);
  while (getchar() != EOF) {
  }
  return MYCELIAL_OK;
}

int main(int argc, char** argv) {
  mycelial_replica* replica = NULL;
  mycelial_error error;
  mycelial_code code;
  if (argc != 5) {
    fprintf(stderr, "usage: %s FILE TABLE listen|sync ENDPOINT\n", argv[0]);
    return 2;
  }
  code = mycelial_open(argv[1], NULL, &replica, &error);
  if (code == MYCELIAL_OK) code = mycelial_track(replica, argv[2], &error);
  if (code == MYCELIAL_OK) {
    if (strcmp(argv[3], "listen") == 0) {
      code = serve(replica, argv[4], &error);
    } else {
      code = mycelial_sync(replica, argv[4], 30000, NULL, NULL, NULL, &error);
    }
  }
  if (code != MYCELIAL_OK) {
    fprintf(stderr, "%s: %s\n", mycelial_code_name(code), error.message);
  }
  mycelial_close(replica);
  return code == MYCELIAL_OK ? 0 : 1;
}
