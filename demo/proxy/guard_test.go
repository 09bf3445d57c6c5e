package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/demo/proxy"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/task"
)

// impatient is a backend that answers 413 before it has read the request, and
// nothing at all below /hang.
func impatient(t *testing.T) int {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(r.URL.Path, "/hang") {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_, _ = io.WriteString(w, "big") // a proxy that has gone misses nothing
			_ = control.Flush()
		}
		_, _ = io.Copy(io.Discard, r.Body) // until the proxy ends it
	}))
	t.Cleanup(b.Close)
	return portOf(t, strings.TrimPrefix(b.URL, "http://"))
}

// An answer does not wait for the end of a request that the client never sends,
// nor does a timeout. The connection ends with it, as with an Envoy.
func TestAnswerBeforeTheRequestsEnd(t *testing.T) {
	n, port := serves(t, manager(t, "web", "r"), impatient(t))
	direct := &routev3.Route{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/direct"}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 201, Body: inlineData("at once")}},
	}
	to := func(prefix, cluster string) *routev3.Route {
		r := route("r", cluster).VirtualHosts[0].Routes[0]
		r.Match.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: prefix}
		return r
	}
	slow := to("/hang/idle", "blue")
	slow.GetRoute().IdleTimeout = durationpb.New(100 * time.Millisecond)
	rc := route("r", "blue")
	rc.VirtualHosts[0].Routes = []*routev3.Route{direct, to("/nowhere", "nowhere"), slow, to("/", "blue")}
	mustSay(t, n.change(mesh.Route, nil, rc), "")
	for path, want := range map[string]string{
		"/direct": "201 at once", "/nowhere": "503 ", "/": "413 big", "/hang/idle": "(408|504) .*timeout",
	} {
		for framing, body := range map[string]string{
			"a length": "Content-Length: 100\r\n\r\nhi",
			"chunks":   "Transfer-Encoding: chunked\r\n\r\n5\r\nhi",
		} {
			t.Run(path+" with "+framing, func(t *testing.T) {
				c := dial(t, port)
				if _, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: a\r\n"+body); err != nil {
					t.Fatal(err)
				}
				from := bufio.NewReader(c)
				resp, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				mustBe(t, fmt.Sprint(resp.StatusCode, " ", string(b)), want)
				if !resp.Close {
					t.Error("it does not say that the connection ends")
				}
				if _, err := io.ReadAll(from); err != nil { // the end, not the deadline
					t.Errorf("the connection is not closed: %v", err)
				}
			})
		}
	}
	hanging := dial(t, port) // open at the end of the test: the node can be stopped all the same
	if _, err := io.WriteString(hanging, "POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhi"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is under way", func() bool { return n.State().Stats["http.web.downstream_rq_active"] == 1 })
}

// A connection on which every request came in full goes on.
func TestConnectionGoesOn(t *testing.T) {
	_, port := serves(t, manager(t, "web", "r"), backend(t, "v1"))
	c := dial(t, port)
	from := bufio.NewReader(c)
	for _, body := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(posted), posted),
		fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(posted), posted),
		"Content-Length: 0\r\n\r\n",
	} {
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+body); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "v1" || resp.Close {
			t.Errorf("%q %v, closes %v", b, err, resp.Close)
		}
		resp.Body.Close()
	}
}

// A panic costs the request that it happens in, and no other: not the one that
// comes next, nor the one under way.
func TestBrokenRequest(t *testing.T) {
	var told atomic.Int64
	arrived, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(proxy.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/before":
			w.Header().Set("X-Odd", "1")
			panic("boom")
		case "/after":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		case "/status":
			w.WriteHeader(99) // of which net/http panics
		case "/abort":
			panic(http.ErrAbortHandler) // nothing broke
		case "/slow":
			close(arrived)
			<-release
		}
		_, _ = io.WriteString(w, "good")
	}), func(err error) {
		var panicked *task.PanicError
		if !errors.As(err, &panicked) || len(panicked.Stack) == 0 {
			t.Errorf("it is told of %v", err)
		}
		told.Add(1)
	}))
	defer s.Close()
	slow := askAside(t, s.URL+"/slow")
	<-arrived
	broke := "500 the built-in proxy broke on this request; its log says how\n"
	for _, tc := range []struct{ path, want string }{
		{"/before", broke}, {"/", "200 good"}, {"/status", broke}, {"/after", "unexpected EOF"}, {"/abort", "EOF"}, {"/", "200 good"},
	} {
		status, body, err := ask(t, s.URL+tc.path)
		got := fmt.Sprint(status, " ", body)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.path, got, tc.want)
		}
	}
	close(release)
	if got := <-slow; got != "200 good" {
		t.Errorf("what was under way: %s", got)
	}
	if n := told.Load(); n != 3 {
		t.Errorf("it is told of %d, want 3", n)
	}
}

// A backend that talks nonsense costs its own requests, not the node.
func TestOddBackend(t *testing.T) {
	b, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving := aside(t, func() error {
		for {
			c, err := b.Accept()
			if err != nil {
				return err
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok")
			}
			c.Close()
		}
	})
	n, port := serves(t, manager(t, "web", "r"), portOf(t, b.Addr().String()))
	for range 3 {
		if status, body, err := ask(t, urlOf(port)); err != nil || status < 500 {
			t.Errorf("%d %q %v", status, body, err)
		}
	}
	n.listeners("web")
	b.Close()
	if err := <-serving; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Of a listener with two addresses that two others follow, one after the other,
// each address is served all the time.
func TestListenerIsSplit(t *testing.T) {
	n, first := serves(t, manager(t, "web", "r"), backend(t, "v1"))
	second := freePort(t)
	both := listener(t, "web", first, "r")
	both.AdditionalAddresses = append(both.AdditionalAddresses, additional(second))
	mustSay(t, n.world(mesh.Listener, both), "")
	for i := range 3 {
		left, right, late := fmt.Sprint("left", i), fmt.Sprint("right", i), fmt.Sprint("late", i)
		mustSay(t, n.world(mesh.Listener, listener(t, left, first, "r"), listener(t, right, second, late)), "")
		answers := func(port int, want int) {
			t.Helper()
			if status, body, err := ask(t, urlOf(port)); err != nil || status != want {
				t.Errorf("%d %q %v, want %d", status, body, err, want)
			}
		}
		answers(first, 200)
		answers(second, 200) // by the one before
		mustSay(t, n.change(mesh.Route, nil, route(late, "nowhere")), "")
		answers(first, 200)
		answers(second, 503)
		both.Name = fmt.Sprint("both", i)
		mustSay(t, n.world(mesh.Listener, both), "")
		answers(first, 200)
		answers(second, 200)
	}
}
