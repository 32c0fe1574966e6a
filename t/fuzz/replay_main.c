/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of a fuzz target without libFuzzer: feeds it every file named on the command line, or below a directory named
 * there. Each input lies in a block of its own, just as large as the input, so that sanitizers and valgrind see a byte
 * too many. The last line says how many there were; none is an error, since an empty corpus tests nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static long inputs;

static int feed_file(const char *path, size_t size)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int ok = in != NULL && data != NULL && fread(data, 1, size, in) == size;

    if (ok) {
        LLVMFuzzerTestOneInput(data, size);
        inputs++;
    } else {
        perror(path);
    }
    free(data);
    if (in != NULL) {
        fclose(in);
    }
    return ok;
}

static int feed(const char *path);

static int feed_entries(const char *path, struct dirent **entries, int n)
{
    int ok = 1;
    int i;

    for (i = 0; i < n; i++) {
        char child[4096];

        if (entries[i]->d_name[0] == '.') {
            continue;
        }
        if (snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name) >= (int)sizeof(child)) {
            fprintf(stderr, "%s/%s: the path is too long\n", path, entries[i]->d_name);
            ok = 0;
            continue;
        }
        ok = feed(child) && ok;
    }
    return ok;
}

/* In the order of names, so that each run is the same. */
static int feed_dir(const char *path)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    int ok;
    int i;

    if (n < 0) {
        perror(path);
        return 0;
    }
    ok = feed_entries(path, entries, n);
    for (i = 0; i < n; i++) {
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static int feed(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        perror(path);
        return 0;
    }
    return S_ISDIR(st.st_mode) ? feed_dir(path) : feed_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    int ok = 1;
    int i;

    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (i = 1; i < argc; i++) {
        ok = feed(argv[i]) && ok;
    }
    printf("%s: %ld inputs\n", argv[0], inputs);
    return ok && inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
