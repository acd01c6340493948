/* A driver library of NVIDIA's that answers what the environment says, and knows no GPU. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int number(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

int cuInit(unsigned flags)
{
    return number("STUB_INIT", 0);
}

int cuDriverGetVersion(int *version)
{
    *version = number("STUB_VERSION", 13000);
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = 0;
    return 0;
}

int cuGetProcAddress_v2(const char *symbol, void **function, int version, unsigned long flags, int *status)
{
    Dl_info self;
    dladdr((void *)&cuInit, &self);
    if (strcmp(symbol, "cuGetProcAddress") == 0)
        symbol = "cuGetProcAddress_v2";
    *function = dlsym(dlopen(self.dli_fname, RTLD_NOW), symbol);
    if (status)
        *status = *function ? 0 : 1;
    return *function ? 0 : 500;
}

int cuGetProcAddress(const char *symbol, void **function, int version, unsigned long flags)
{
    return cuGetProcAddress_v2(symbol, function, version, flags, 0);
}
