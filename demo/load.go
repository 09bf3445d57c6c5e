package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/meshtui/engine/task"
)

// workers is how many requests may be under way at once. More would let a slow
// backend pile up connections; when all are busy the rate drops, and is shown
// as it is.
const workers = 64

// Host is the name that the demo's mesh answers to and that the load asks for.
const Host = "www.example.com"

// load sends a steady, bounded number of requests a second and counts what
// comes back.
type load struct {
	o      Options
	client *http.Client
	tally  tally
	wakes  task.Wakes
	once   sync.Once
}

func newLoad(o Options) *load {
	return &load{o: o, tally: tally{now: o.Now}, client: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers, DisableCompression: true,
			DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// start begins the load once; further calls do nothing.
func (l *load) start(ctx context.Context, g *task.Group) {
	l.once.Do(func() {
		turns := make(chan int)
		for range workers {
			g.Go("the load", func() error {
				for n := range turns {
					l.one(ctx, n)
				}
				return nil
			})
		}
		g.Go("the load's clock", func() error {
			defer close(turns)
			defer l.client.CloseIdleConnections()
			l.tick(ctx, turns)
			return nil
		})
	})
}

// tick hands out turns at the rate; a turn that nobody is free to take is
// dropped, so that there is never a backlog to catch up with.
func (l *load) tick(ctx context.Context, turns chan<- int) {
	beat := time.NewTicker(time.Second / time.Duration(l.o.Rate))
	defer beat.Stop()
	news := time.NewTicker(500 * time.Millisecond)
	defer news.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-news.C:
			l.wakes.Wake()
		case <-beat.C:
			select {
			case turns <- n:
				n++
			default:
			}
		}
	}
}

// one sends the n-th request: four in five to /foo, the rest to /, in turn to
// each Envoy.
func (l *load) one(ctx context.Context, n int) {
	path := "/foo"
	if n%5 == 4 {
		path = "/"
	}
	port := l.o.Port + n%l.o.Nodes*l.o.Step
	url := "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return // the address is made of a number: it cannot be malformed
	}
	req.Host = Host
	began := l.o.Now()
	resp, err := l.client.Do(req)
	a := Answer{At: began, Path: path, Port: port}
	if err == nil {
		body, rerr := io.ReadAll(io.LimitReader(resp.Body, 4096))
		_ = resp.Body.Close()
		a.Code, a.Backend = resp.StatusCode, resp.Header.Get(backendHeader)
		a.Body = strings.TrimSpace(string(body))
		err = rerr
	}
	a.Took = l.o.Now().Sub(began)
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		a.Err = plain(err)
	}
	a.Flags = flags(a)
	l.tally.count(a, errors.Is(err, syscall.ECONNREFUSED))
}

// plain is a client's error without the URL that everybody knows.
func plain(err error) string {
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return sys.Error()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer in time"
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// flags is what Envoy's response flag must have been, read from an answer that
// came from Envoy itself: its status and body tell these apart.
func flags(a Answer) string {
	if a.Backend != "" || a.Err != "" {
		return ""
	}
	switch {
	case a.Code == http.StatusNotFound && a.Body == "":
		return "NR"
	case a.Code == http.StatusServiceUnavailable && a.Body == "":
		return "NC"
	case a.Code == http.StatusServiceUnavailable && strings.HasPrefix(a.Body, "no healthy upstream"):
		return "UH"
	case a.Code == http.StatusServiceUnavailable && strings.HasPrefix(a.Body, "upstream connect error"):
		return "UF"
	case a.Code == http.StatusGatewayTimeout && strings.HasPrefix(a.Body, "upstream request timeout"):
		return "UT"
	}
	return ""
}

func (l *load) snapshot(backends []Backend) Snapshot {
	s := l.tally.snapshot(backends)
	s.Target = fmt.Sprintf("127.0.0.1:%d", l.o.Port)
	return s
}
