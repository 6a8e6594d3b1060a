// mockllm: a mock OpenAI-compatible LLM server that is never the bottleneck.
// One thread, epoll, no dependencies.  Build: cc -O2 -o mockllm mockllm.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef int64_t i64;
typedef struct { double ttft_ms, itl_ms, jitter; int tokens; } Opt; // jitter: 0..1, uniform +-share of each delay
typedef struct {
  i64 arr, first, last, end;   // monotonic ns: request read whole; first/last content write; final byte handed to the kernel
  i64 late, gap;               // worst lateness against its own schedule; worst inter-token gap
  int conn, tok, stream, in_bytes;
  char id[40];
} Rec;
typedef struct {
  int fd, gen, busy, stream, usage, keep, closing, want_out, chat;
  char *in; size_t in_len, in_cap;
  char *out; size_t out_off, out_len, out_cap;
  int idx; i64 due, prev; Opt o; int rec; int ptok;
  char model[64]; char answer[64]; i64 reqno;
} Conn;
typedef struct { i64 due; int c, gen; } Ev;

static Opt D = {0, 0, 0, 16};
static Conn *C[65536];
static Rec *R; static size_t nR, capR;
static Ev *H; static int nH, capH;
static int ep; static i64 reqno; static int burst = 1, number; static const char *truth_file;
static volatile sig_atomic_t quit;
static uint64_t rs = 88172645463325252ULL;
static double rnd(void) { rs ^= rs << 13; rs ^= rs >> 7; rs ^= rs << 17; return (rs >> 11) * (1.0 / 9007199254740992.0); }
static i64 now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000LL + t.tv_nsec; }
static const char *W[] = {" the"," river"," stone"," light"," paper"," green"," house"," music"," water"," night"," table"," cloud"," bread"," train"," field"," glass"};
static i64 dl(double ms, double j) { if (ms <= 0) return 0; if (j > 0) ms *= 1 + j * (2 * rnd() - 1); return (i64)(ms * 1e6); }

static void push(i64 due, int c, int gen) {
  if (nH == capH) H = realloc(H, sizeof(Ev) * (capH = capH ? capH * 2 : 1024));
  int i = nH++;
  while (i && H[(i - 1) / 2].due > due) { H[i] = H[(i - 1) / 2]; i = (i - 1) / 2; }
  H[i] = (Ev){due, c, gen};
}
static Ev pop(void) {
  Ev top = H[0], x = H[--nH]; int i = 0;
  for (;;) { int k = 2 * i + 1; if (k >= nH) break; if (k + 1 < nH && H[k + 1].due < H[k].due) k++;
    if (H[k].due >= x.due) break;
    H[i] = H[k]; i = k; }
  H[i] = x; return top;
}
static void arm(Conn *c, int out) {
  if (c->want_out == out) return;
  c->want_out = out;
  struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.fd = c->fd};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void drop(Conn *c) {
  close(c->fd); c->fd = -1; c->gen++; c->busy = 0; c->in_len = c->out_len = c->out_off = 0; c->want_out = 0; c->closing = 0;
}
static void put(Conn *c, const char *p, size_t n) { // write now, keep the rest
  if (c->out_off == c->out_len) {
    c->out_off = c->out_len = 0;
    ssize_t w = write(c->fd, p, n);
    if (w == (ssize_t)n) return;
    if (w < 0) { if (errno != EAGAIN) { c->closing = 1; return; } w = 0; }
    p += w; n -= w;
  }
  if (c->out_len + n > c->out_cap) c->out = realloc(c->out, c->out_cap = (c->out_len + n) * 2);
  memcpy(c->out + c->out_len, p, n); c->out_len += n; arm(c, 1);
}
static int flush_out(Conn *c) {
  while (c->out_off < c->out_len) {
    ssize_t w = write(c->fd, c->out + c->out_off, c->out_len - c->out_off);
    if (w < 0) { if (errno == EAGAIN) return 0; return -1; }
    c->out_off += w;
  }
  c->out_off = c->out_len = 0; arm(c, 0); return 0;
}
static void reply(Conn *c, int code, const char *ct, const char *b, size_t n) {
  char h[256]; int k = snprintf(h, sizeof h, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", code,
    code == 200 ? "OK" : code == 404 ? "Not Found" : "Bad Request", ct, n, c->keep ? "" : "Connection: close\r\n");
  if (n < 16000) { char b2[16384]; memcpy(b2, h, k); memcpy(b2 + k, b, n); put(c, b2, k + n); }
  else { put(c, h, k); put(c, b, n); }
}
// ---- tiny JSON walk over the top-level keys
static const char *skip(const char *p, const char *e) { // skip one value
  while (p < e && strchr(" \t\r\n", *p)) p++;
  if (p >= e) return e;
  if (*p == '"') { for (p++; p < e && *p != '"'; p++) if (*p == '\\') p++; return p + 1; }
  if (*p == '{' || *p == '[') { int d = 0;
    for (; p < e; p++) {
      if (*p == '"') { for (p++; p < e && *p != '"'; p++) if (*p == '\\') p++; }
      else if (*p == '{' || *p == '[') d++;
      else if (*p == '}' || *p == ']') { if (!--d) return p + 1; } }
    return e; }
  while (p < e && !strchr(",}] \t\r\n", *p)) p++;
  return p;
}
static int has(const char *p, const char *e, const char *s) { return memmem(p, e - p, s, strlen(s)) != NULL; }
static double num(const char *p, const char *e, const char *k, double d) { // "k=" in a query or "k:" in headers
  size_t n = strlen(k);
  for (const char *q = p; q + n < e; q++) if (!strncasecmp(q, k, n) && (q[n] == '=' || q[n] == ':')) return atof(q + n + 1);
  return d;
}
static void stream_end(Conn *c);
static void finish(Conn *c);
static void try_parse(Conn *c);

static void token(Conn *c, i64 t) {   // send one token (or `burst` of them), or the whole non-stream answer
  char b[65536]; int k = 0; Rec *r = &R[c->rec];
  i64 late = t - c->due; if (late > r->late) r->late = late;
  if (!c->stream) {
    static char text[1 << 20]; static int text_n = -1; const char *a = c->answer;
    if (!*a && number) snprintf(c->answer, sizeof c->answer, "answer number %lld", (long long)c->reqno); // no two alike
    if (!*a) { if (text_n != c->o.tokens) { char *q = text; for (int i = 0; i < c->o.tokens && q - text < (1 << 20) - 16; i++) q = stpcpy(q, W[i & 15] + (i == 0)); text_n = c->o.tokens; } a = text; }
    int nt = *c->answer ? 1 : c->o.tokens; size_t need = strlen(a) + 900; char *m = need > sizeof b ? malloc(need) : b;
    k = snprintf(m, need > sizeof b ? need : sizeof b,
      c->chat ? "{\"id\":\"chatcmpl-%lld\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}"
              : "{\"id\":\"cmpl-%lld\",\"object\":\"text_completion\",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"text\":\"%s\",\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}",
      (long long)c->reqno, (long long)time(0), c->model, a, c->ptok, nt, c->ptok + nt);
    r->first = r->last = t; r->tok = nt; reply(c, 200, "application/json", m, k); if (m != b) free(m);
    r->end = now(); finish(c); return;
  }
  int n = c->o.tokens;
  for (int j = 0; j < burst && c->idx < n; j++, c->idx++) {
    char d[512]; int m = c->chat
      ? snprintf(d, sizeof d, "data: {\"id\":\"chatcmpl-%lld\",\"object\":\"chat.completion.chunk\",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
          (long long)c->reqno, (long long)(r->arr / 1000000000), c->model, c->idx ? "" : "\"role\":\"assistant\",", W[c->idx & 15] + (c->idx == 0))
      : snprintf(d, sizeof d, "data: {\"id\":\"cmpl-%lld\",\"object\":\"text_completion\",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,\"text\":\"%s\",\"logprobs\":null,\"finish_reason\":null}]}\n\n",
          (long long)c->reqno, (long long)(r->arr / 1000000000), c->model, W[c->idx & 15] + (c->idx == 0));
    if (c->idx == 0 && k == 0) k = sprintf(b, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n%sTransfer-Encoding: chunked\r\n\r\n", c->keep ? "" : "Connection: close\r\n");
    if (k + m + 32 > (int)sizeof b) break;
    k += sprintf(b + k, "%x\r\n", m); memcpy(b + k, d, m); k += m; b[k++] = '\r'; b[k++] = '\n';
  }
  if (!r->first) r->first = t; else if (t - c->prev > r->gap) r->gap = t - c->prev;
  r->last = c->prev = t; put(c, b, k); r->tok = c->idx;
  if (c->closing) { drop(c); return; }
  if (c->idx >= n) { stream_end(c); return; }
  c->due += dl(c->o.itl_ms, c->o.jitter); if (c->o.itl_ms <= 0) c->due = t;
  push(c->due, c->fd, c->gen);
}
static void stream_end(Conn *c) {
  char d[512], b[2048]; int k = 0, m; const char *ob = c->chat ? "chat.completion.chunk" : "text_completion", *pf = c->chat ? "chatcmpl" : "cmpl"; Rec *r = &R[c->rec];
  m = snprintf(d, sizeof d, "data: {\"id\":\"%s-%lld\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\",\"choices\":[{\"index\":0,%s,\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n", pf, (long long)c->reqno, ob, (long long)(r->arr / 1000000000), c->model, c->chat ? "\"delta\":{}" : "\"text\":\"\"");
  k += sprintf(b + k, "%x\r\n%s\r\n", m, d);
  if (c->usage) {
    m = snprintf(d, sizeof d, "data: {\"id\":\"%s-%lld\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\",\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n", pf, (long long)c->reqno, ob, (long long)(r->arr / 1000000000), c->model, c->ptok, c->o.tokens, c->ptok + c->o.tokens);
    k += sprintf(b + k, "%x\r\n%s\r\n", m, d);
  }
  k += sprintf(b + k, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
  put(c, b, k); r->end = now(); finish(c);
}
static void finish(Conn *c) {
  c->busy = 0;
  if (c->closing || (!c->keep && c->out_off == c->out_len)) { drop(c); return; }
  if (c->in_len) try_parse(c);
}
static void handle(Conn *c, const char *h, const char *he, const char *b, const char *be) {
  const char *le = memchr(h, '\r', he - h), *u = memchr(h, ' ', le - h); if (!u) { c->closing = 1; return; } u++;
  c->keep = !has(h, he, "onnection: close") && !has(h, he, " HTTP/1.0\r");
  if (!strncmp(u, "/truth", 6)) {
    size_t cap = nR * 260 + 16, k = 0; char *o = malloc(cap);
    for (size_t i = 0; i < nR; i++) { Rec *r = &R[i];
      k += snprintf(o + k, cap - k, "{\"seq\":%zu,\"id\":\"%s\",\"conn\":%d,\"stream\":%d,\"in\":%d,\"tok\":%d,\"arr\":%lld,\"first\":%lld,\"last\":%lld,\"end\":%lld,\"late_us\":%lld,\"gap_us\":%lld}\n",
        i, r->id, r->conn, r->stream, r->in_bytes, r->tok, (long long)r->arr, (long long)r->first, (long long)r->last, (long long)r->end, (long long)r->late / 1000, (long long)r->gap / 1000); }
    reply(c, 200, "application/x-ndjson", o, k); free(o);
    if (has(u, le, "reset")) nR = 0;
    finish(c); return;
  }
  if (!strncmp(u, "/stats", 6)) {
    struct rusage ru; getrusage(RUSAGE_SELF, &ru); char o[256];
    int k = snprintf(o, sizeof o, "{\"requests\":%lld,\"recorded\":%zu,\"cpu_s\":%.3f}", (long long)reqno, nR, ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + 1e-6 * (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec));
    reply(c, 200, "application/json", o, k); finish(c); return;
  }
  int post = h[0] == 'P';
  if (!post) {
    const char *m = "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\",\"max_model_len\":32768}]}";
    if (has(u, le, "/models") || has(u, le, "/health")) reply(c, 200, "application/json", m, strlen(m));
    else reply(c, 404, "application/json", "{\"error\":{\"message\":\"not found\"}}", 33);
    finish(c); return;
  }
  c->chat = has(u, le, "/chat/completions");
  if (!c->chat && !has(u, le, "/completions")) { reply(c, 404, "application/json", "{\"error\":{\"message\":\"not found\"}}", 33); finish(c); return; }
  c->stream = c->usage = 0; c->answer[0] = 0; strcpy(c->model, "mock"); c->ptok = 1; c->o = D;
  const char *p = memchr(b, '{', be - b); if (!p) { reply(c, 400, "application/json", "{\"error\":{\"message\":\"bad json\"}}", 32); finish(c); return; }
  for (p++; p < be;) {
    while (p < be && strchr(" \t\r\n,", *p)) p++;
    if (p >= be || *p != '"') break;
    const char *k = p + 1; p = skip(p, be); size_t kl = p - 1 - k;
    while (p < be && *p != ':') p++;
    p++;
    while (p < be && strchr(" \t\r\n", *p)) p++;
    const char *v = p; p = skip(p, be);
    if (kl == 6 && !memcmp(k, "stream", 6)) c->stream = *v == 't';
    else if (kl == 14 && !memcmp(k, "stream_options", 14)) { const char *q = memmem(v, p - v, "include_usage\"", 14); c->usage = q && has(q, p, "true"); }
    else if (kl == 5 && !memcmp(k, "model", 5) && p - v < 60) { memcpy(c->model, v + 1, p - v - 2); c->model[p - v - 2] = 0; }
    else if ((kl == 8 && !memcmp(k, "messages", 8)) || (kl == 6 && !memcmp(k, "prompt", 6))) {
      c->ptok = (int)(p - v) / 4;
      const char *q = v, *f = 0; while ((q = memmem(q, p - q, "ANSWER_KEY=", 11))) { q += 11; f = q; }
      if (f) { int i = 0; while (f < p && i < 63 && (isalnum((unsigned char)*f) || *f == '_')) c->answer[i++] = *f++; c->answer[i] = 0; }
    }
  }
  if (has(u, le, "?") || has(h, he, "-mock-") || has(h, he, "-Mock-")) {
    c->o.ttft_ms = num(u, le, "ttft_ms", num(h, he, "x-mock-ttft-ms", D.ttft_ms)); c->o.itl_ms = num(u, le, "itl_ms", num(h, he, "x-mock-itl-ms", D.itl_ms));
    c->o.tokens = (int)num(u, le, "tokens", num(h, he, "x-mock-tokens", D.tokens)); if (c->o.tokens < 1) c->o.tokens = 1;
  }
  if (nR == capR) R = realloc(R, sizeof(Rec) * (capR = capR ? capR * 2 : 16384));
  Rec *r = &R[nR]; memset(r, 0, sizeof *r); c->rec = (int)nR++; c->reqno = ++reqno;
  r->arr = now(); r->conn = c->fd; r->stream = c->stream; r->in_bytes = (int)(be - b);
  const char *x = 0; for (const char *q = h; q + 14 < he; q++) if ((*q | 32) == 'x' && !strncasecmp(q, "x-request-id:", 13)) { x = q + 13; break; }
  if (x) { while (*x == ' ') x++; int i = 0; while (x < he && *x > ' ' && *x != '"' && *x != '\\' && i < 39) r->id[i++] = *x++; }
  c->busy = 1; c->idx = 0; c->due = r->arr + dl(c->o.ttft_ms, c->o.jitter);
  if (!c->stream) for (int i = 1; i < c->o.tokens && c->o.itl_ms > 0; i++) c->due += dl(c->o.itl_ms, c->o.jitter);
  if (c->due == r->arr && !c->stream) token(c, r->arr); else push(c->due, c->fd, c->gen);
}

static void try_parse(Conn *c) {
  if (c->busy || !c->in_len || c->fd < 0) return;
  char *he = memmem(c->in, c->in_len, "\r\n\r\n", 4); if (!he) return; he += 4;
  size_t cl = 0; for (char *q = c->in; q < he; q++) if (*q == '\n' && (q[1] | 32) == 'c' && !strncasecmp(q + 1, "content-length:", 15)) { cl = strtoul(q + 16, 0, 10); break; }
  size_t tot = (he - c->in) + cl; if (c->in_len < tot) return;
  static char *tmp; static size_t tc; if (tc < tot + 1) tmp = realloc(tmp, tc = tot * 2 + 1); // copy, so that the buffer can move on
  memcpy(tmp, c->in, tot); tmp[tot] = 0; size_t hl = he - c->in; memmove(c->in, c->in + tot, c->in_len - tot); c->in_len -= tot;
  handle(c, tmp, tmp + hl, tmp + hl, tmp + tot);
}
static void on_sig(int s) { (void)s; quit = 1; }
int main(int ac, char **av) {
  int port = 8000;
  for (int i = 1; i < ac; i += 2) {
    if (i + 1 >= ac) { fprintf(stderr, "usage: mockllm [--port P] [--ttft-ms X] [--itl-ms X] [--tokens N] [--jitter 0..1] [--burst K] [--number 1] [--truth FILE]\n"); return 2; }
    const char *k = av[i], *v = av[i + 1];
    if (!strcmp(k, "--port")) port = atoi(v); else if (!strcmp(k, "--ttft-ms")) D.ttft_ms = atof(v); else if (!strcmp(k, "--itl-ms")) D.itl_ms = atof(v);
    else if (!strcmp(k, "--tokens")) D.tokens = atoi(v); else if (!strcmp(k, "--jitter")) D.jitter = atof(v); else if (!strcmp(k, "--burst")) burst = atoi(v); else if (!strcmp(k, "--number")) number = atoi(v);
    else if (!strcmp(k, "--truth")) truth_file = v; else { fprintf(stderr, "unknown flag %s\n", k); return 2; }
  }
  signal(SIGPIPE, SIG_IGN); signal(SIGTERM, on_sig); signal(SIGINT, on_sig); prctl(PR_SET_TIMERSLACK, 1UL);
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1; setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("bind"); return 1; }
  ep = epoll_create1(0); struct epoll_event e = {.events = EPOLLIN, .data.fd = ls}; epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
  struct epoll_event ev[256];
  while (!quit) {
    struct timespec ts = {3600, 0};
    if (nH) { i64 d = H[0].due - now(); if (d < 0) d = 0; ts.tv_sec = d / 1000000000; ts.tv_nsec = d % 1000000000; }
    int n = epoll_pwait2(ep, ev, 256, &ts, NULL);
    for (int i = 0; i < n; i++) {
      int fd = ev[i].data.fd;
      if (fd == ls) { int f; while ((f = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0) { if (f >= 65536) { close(f); continue; }
          setsockopt(f, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); if (!C[f]) C[f] = calloc(1, sizeof(Conn)); C[f]->fd = f; C[f]->gen++;
          struct epoll_event x = {.events = EPOLLIN, .data.fd = f}; epoll_ctl(ep, EPOLL_CTL_ADD, f, &x); } continue; }
      Conn *c = C[fd]; if (!c || c->fd != fd) continue;
      if (ev[i].events & EPOLLOUT) { if (flush_out(c) < 0) { drop(c); continue; } if (!c->keep && !c->busy && c->out_off == c->out_len) { drop(c); continue; } }
      if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (c->in_cap - c->in_len < 16384) c->in = realloc(c->in, c->in_cap = c->in_cap * 2 + 32768);
        ssize_t k = read(fd, c->in + c->in_len, c->in_cap - c->in_len);
        if (k == 0 || (k < 0 && errno != EAGAIN)) { drop(c); continue; }
        if (k > 0) { c->in_len += k; try_parse(c); }
      }
    }
    i64 t = now();
    for (int lim = 128; nH && lim && H[0].due <= t; lim--) { Ev x = pop(); Conn *c = C[x.c]; if (c && c->fd >= 0 && c->gen == x.gen && c->busy) { token(c, t); t = now(); } }
  }
  if (truth_file) { FILE *f = fopen(truth_file, "w"); for (size_t i = 0; f && i < nR; i++) { Rec *r = &R[i];
      fprintf(f, "{\"seq\":%zu,\"id\":\"%s\",\"conn\":%d,\"stream\":%d,\"in\":%d,\"tok\":%d,\"arr\":%lld,\"first\":%lld,\"last\":%lld,\"end\":%lld,\"late_us\":%lld,\"gap_us\":%lld}\n", i, r->id, r->conn, r->stream, r->in_bytes, r->tok, (long long)r->arr, (long long)r->first, (long long)r->last, (long long)r->end, (long long)r->late / 1000, (long long)r->gap / 1000); } if (f) fclose(f); }
  return 0;
}
