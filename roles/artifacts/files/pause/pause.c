/* The process that holds a Pod's network namespace open: it sleeps, and reaps
 * the orphans that a shared process namespace hands to it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal_number) { (void)signal_number; _exit(0); }
static void reap(int signal_number) {
  (void)signal_number;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

int main(int argc, char **argv) {
  /* `kubeadm upgrade` looks so whether a Job can end. */
  if (argc > 1 && strcmp(argv[1], "-v") == 0)
    return 0;
  signal(SIGINT, leave);
  signal(SIGTERM, leave);
  signal(SIGCHLD, reap);
  for (;;)
    pause();
}
