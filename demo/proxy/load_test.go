package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/meshtui/engine/task"
)

// load is a steady stream of requests of every kind over kept connections, at
// most so many.
type load struct {
	t     testing.TB
	url   string
	group *task.Group
	sent  atomic.Int64
	bad   atomic.Int64

	mu       sync.Mutex
	failures map[string]int
	answers  map[string]int // by body, since the last look
}

const (
	workers     = 8
	maxRequests = 100_000
	gap         = 4 * time.Millisecond // between two requests of one worker
)

// kind is a way to ask. A client of Go's sends a GET again by itself when its
// connection breaks, but not what has a body that cannot be read twice.
type kind struct {
	name   string
	method string
	path   string // below the URL
	http2  bool
}

var (
	overHTTP2 = kind{"POST in HTTP/2", http.MethodPost, "", true}
	kinds     = []kind{
		{"GET", http.MethodGet, "", false}, {"POST", http.MethodPost, "", false},
		{"a long answer", http.MethodPost, "long", false}, overHTTP2,
	}
)

// posted is the body of a request, in which a connection's buffers show.
var posted = bytes.Repeat([]byte("a"), 40_000)

// startLoad asks in these ways, in all there are when none is named.
func startLoad(t testing.TB, url string, ways ...kind) *load {
	t.Helper()
	if len(ways) == 0 {
		ways = kinds
	}
	g, ctx := task.New(context.Background())
	l := &load{t: t, url: url, group: g, failures: map[string]int{}, answers: map[string]int{}}
	shared := clientOf(true) // many requests at a time on one connection
	for i := range workers {
		k := ways[i%len(ways)]
		client := shared
		if !k.http2 {
			client = clientOf(false)
		}
		g.Go("load", func() error { return l.work(ctx, client, k) })
	}
	t.Cleanup(l.stop)
	return l
}

func clientOf(http2 bool) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 1, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// work asks again and again.
func (l *load) work(ctx context.Context, client *http.Client, k kind) error {
	defer client.CloseIdleConnections()
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for l.sent.Add(1) <= maxRequests {
		l.one(ctx, client, k)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (l *load) one(ctx context.Context, client *http.Client, k kind) {
	body, err := k.ask(ctx, client, l.url)
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.bad.Add(1)
		l.failures[k.name+": "+err.Error()]++
		return
	}
	l.answers[body]++
}

func (l *load) stop() {
	l.group.Stop()
	_ = l.group.Wait() // the workers return nil
}

// flow waits until so many more requests were answered, and returns who
// answered them.
func (l *load) flow(n int) map[string]int {
	l.t.Helper()
	l.mu.Lock()
	l.answers = map[string]int{}
	l.mu.Unlock()
	var out map[string]int
	eventually(l.t, "requests flow", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		sum := int(l.bad.Load())
		out = map[string]int{}
		for body, count := range l.answers {
			sum += count
			out[body] = count
		}
		return sum >= n
	})
	return out
}

// flawless fails the test when a request has failed.
func (l *load) flawless(when string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if bad := l.bad.Load(); bad > 0 {
		l.t.Fatalf("%s: %d of %d requests failed: %v", when, bad, l.sent.Load(), l.failures)
	}
}

// once is a body that cannot be read twice, and knows whether it was read.
type once struct {
	from  *bytes.Reader
	begun atomic.Bool
}

func (o *once) Read(p []byte) (int, error) {
	o.begun.Store(true)
	return o.from.Read(p)
}

// ask sends one request and returns the body of its answer, which has to be good.
func (k kind) ask(ctx context.Context, c *http.Client, url string) (string, error) {
	var body io.Reader
	sent := &once{from: bytes.NewReader(posted)}
	if k.method != http.MethodGet {
		body = sent
	}
	req, err := http.NewRequestWithContext(ctx, k.method, url+k.path, body)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		// Go's client gives up a request that waits for a connection of HTTP/2 when
		// that gets notice, though nothing of it was sent.
		if strings.Contains(err.Error(), "cannot rewind body") && !sent.begun.Load() {
			return k.ask(ctx, c, url)
		}
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%d %s", resp.StatusCode, answer)
	}
	return string(answer), nil
}

// saying is what a backend of that name does: it says its name, in pieces
// below /long, to who has sent a body in full.
func saying(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || (n != 0 && n != int64(len(posted))) {
			http.Error(w, "a body of "+strconv.FormatInt(n, 10), http.StatusBadRequest)
			return
		}
		if r.URL.Path != "/long" {
			_, _ = io.WriteString(w, name) // a client that has gone misses nothing
			return
		}
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		for _, letter := range name {
			_, _ = io.WriteString(w, string(letter))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-pause.C:
			case <-r.Context().Done():
				return
			}
		}
	})
}
