package probe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
)

const patience = 20 * time.Second

// serve answers one connection on loopback and hands over the head that it read.
func serve(t *testing.T, answer string) (address string, head <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var read strings.Builder
		for r := bufio.NewReader(conn); !strings.HasSuffix(read.String(), "\r\n\r\n"); {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			read.WriteString(line)
		}
		got <- read.String()
		_, _ = io.WriteString(conn, answer)
	}()
	return l.Addr().String(), got
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestSendWritesTheRequestAsItIs(t *testing.T) {
	address, head := serve(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 301 Moved\r\nlocation: /a%2Fb\r\nX-B: 2\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc")
	a, err := Send(within(t), address, match.Request{Method: "PATCH", Host: "A.example.com:80", Path: "/a/../%2e/b?q#f",
		Headers: []routes.Header{{Name: "x-twice", Value: "1"}, {Name: "x-Twice", Value: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := "PATCH /a/../%2e/b?q#f HTTP/1.1\r\nHost: A.example.com:80\r\nx-twice: 1\r\nx-Twice: 2\r\n\r\n"
	if got := <-head; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	if a.Status != 301 || a.Location != "/a%2Fb" || a.Body != "abc" || a.Header("x-b") != "2" || a.Proto != "HTTP/1.1" {
		t.Errorf("read %+v", a)
	}
}

func TestSendDefaults(t *testing.T) {
	address, head := serve(t, "HTTP/1.0 200 OK\r\n\r\n")
	if _, err := Send(within(t), address, match.Request{HTTP10: true}); err != nil {
		t.Fatal(err)
	}
	if got := <-head; got != "GET / HTTP/1.0\r\n\r\n" {
		t.Errorf("sent %q", got)
	}
}

// A CONNECT names who is to be connected to, and no path.
func TestSendConnect(t *testing.T) {
	address, head := serve(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	if _, err := Send(within(t), address, match.Request{Method: "CONNECT", Host: "example.com:443"}); err != nil {
		t.Fatal(err)
	}
	if got := <-head; got != "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n" {
		t.Errorf("sent %q", got)
	}
}

func TestSendable(t *testing.T) {
	random := uint64(7)
	all := match.Request{Host: "a", Path: "/b", Port: 1, TLS: true, SNI: "c", Method: "PUT", HTTP2: true, Presented: true, Validated: true,
		Source: netip.MustParseAddrPort("10.0.0.1:1"), Random: &random, Runtime: map[string]float64{"k": 1},
		Metadata: map[string]map[string]string{"f": {"a": "b"}}, FilterState: map[string]string{"k": "v"}}
	want := match.Request{Host: "a", Path: "/b", Port: 1, TLS: true, SNI: "c", Method: "PUT"}
	if d := cmp.Diff(want, Sendable(all), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestWhose(t *testing.T) {
	took := []routes.Header{{Name: "X-Envoy-Upstream-Service-Time", Value: "3"}}
	for _, tt := range []struct {
		a    Answer
		want Whose
	}{
		{Answer{Status: 503, Headers: took, Body: "no healthy upstream"}, Endpoints},
		{Answer{Status: 503, Body: "no healthy upstream"}, Proxys},
		{Answer{Status: 504, Body: "upstream request timeout"}, Proxys},
		{Answer{Status: 503, Body: "the backend's own words, its time removed"}, Unknown},
		{Answer{Status: 503}, Unknown},
		{Answer{Status: 200}, Unknown},
	} {
		if got := tt.a.Whose(); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.a, got, tt.want)
		}
	}
}

func TestSendRefusesASecondRequestInTheFirst(t *testing.T) {
	for _, r := range []match.Request{
		{Path: "/a\r\nX: y"}, {Host: "a\nb"}, {Method: "GET\r"}, {Headers: []routes.Header{{Name: "a", Value: "b\r\n\r\n"}}},
	} {
		if _, err := Send(within(t), "127.0.0.1:1", r); !errors.Is(err, ErrUnsendable) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestSendSaysWhyThereIsNoAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	_ = closed.Close()
	if _, err := Send(within(t), nobody, match.Request{}); err == nil || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("refused: %v", err)
	}
	cut, _ := serve(t, "")
	if _, err := Send(within(t), cut, match.Request{}); err == nil || !strings.Contains(err.Error(), "closed without an answer") {
		t.Errorf("closed: %v", err)
	}
	short, _ := serve(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
	if a, err := Send(within(t), short, match.Request{}); err == nil || a == nil || a.Status != 200 || a.Body != "abc" {
		t.Errorf("cut short: %+v, %v", a, err)
	}
	garbage, _ := serve(t, "hello\r\n\r\n")
	if _, err := Send(within(t), garbage, match.Request{}); err == nil {
		t.Error("garbage was taken for an answer")
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		if c, err := mute.Accept(); err == nil {
			defer c.Close()
			cancel()
			_, _ = io.Copy(io.Discard, c) // ends when the client has gone
		}
	}()
	if _, err := Send(ctx, mute.Addr().String(), match.Request{}); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("mute: %v", err)
	}
}
