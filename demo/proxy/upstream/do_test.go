package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDo(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Saw", strings.Join([]string{r.Method, r.Host, r.RequestURI, r.UserAgent(), r.Header.Get("X-Own"), string(b)}, "|"))
			w.WriteHeader(http.StatusTeapot)
			write(w, "tea")
		})
		c, _ := n.run(t, simple("", hostA))
		<-c.Warm()
		r := httptest.NewRequest(http.MethodPost, "http://a.test/p%2Fq?y=1", strings.NewReader("leaves"))
		r.Header.Set("X-Own", "kept")
		before := r.Clone(r.Context())
		a, body, err := send(t, c, r, Call{})
		if err != nil || a.Failure != nil || a.Response.StatusCode != http.StatusTeapot || body != "tea" || a.Endpoint != hostA || a.Attempts != 1 {
			t.Fatalf("%+v %q %v", a, body, err)
		}
		if got, want := a.Response.Header.Get("X-Saw"), "POST|a.test|/p%2Fq?y=1||kept|leaves"; got != want {
			t.Errorf("upstream saw %s, want %s", got, want)
		}
		if d := cmp.Diff(before.Header, r.Header); d != "" || r.URL.String() != before.URL.String() {
			t.Errorf("the client's request was changed: %s", d)
		}
		s := c.Snapshot()
		for name, want := range map[string]uint64{
			"upstream_rq_total": 1, "upstream_rq_418": 1, "upstream_rq_4xx": 1, "upstream_rq_completed": 1, "upstream_rq_active": 0,
			"upstream_cx_total": 1, "upstream_cx_active": 1, "upstream_cx_http1_total": 1, "upstream_rq_pending_total": 1,
			"upstream_rq_pending_active": 0, "membership_total": 1, "membership_healthy": 1, "lb_healthy_panic": 0,
		} {
			if s.Stats[name] != want {
				t.Errorf("%s is %d, want %d", name, s.Stats[name], want)
			}
		}
		h := s.Hosts[0]
		if h.Requests != 1 || h.Success != 1 || h.Errors != 0 || h.Connections != 1 || h.ActiveConnections != 1 || h.ActiveRequests != 0 {
			t.Errorf("%+v", h)
		}
	})
}

func expectFailure(t *testing.T, a Answer, status int, flags, details string) {
	t.Helper()
	if a.Failure == nil || a.Failure.Status != status || a.Failure.Flags != flags || a.Failure.Details != details {
		t.Errorf("%+v, want %d %s %s", a.Failure, status, flags, details)
	}
}

func TestTimeouts(t *testing.T) {
	for name, tc := range map[string]struct {
		call     Call
		after    time.Duration
		status   int
		flags    string
		details  string
		attempts int
	}{
		"whole":          {Call{Timeout: 3 * time.Second}, 3 * time.Second, 504, "UT", "response_timeout", 1},
		"idle":           {Call{Idle: 2 * time.Second}, 2 * time.Second, 504, "SI", "stream_idle_timeout", 1},
		"one try":        {Call{Retry: retryOf(t, "retry_on: connect-failure\nper_try_timeout: 1s")}, time.Second, 504, "UT", "upstream_per_try_timeout", 1},
		"every try":      {Call{Retry: retryOf(t, "retry_on: reset\nnum_retries: 2\nper_try_timeout: 1s\nretry_back_off: {base_interval: 0.001s, max_interval: 0.001s}")}, 3 * time.Second, 504, "URX,UT", "upstream_per_try_timeout", 3},
		"whole, retried": {Call{Timeout: 2500 * time.Millisecond, Retry: retryOf(t, "retry_on: reset\nnum_retries: 9\nper_try_timeout: 1s\nretry_back_off: {base_interval: 0.001s, max_interval: 0.001s}")}, 2500 * time.Millisecond, 504, "UT", "response_timeout", 3},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				n.parked(t, hostA)
				c, _ := n.run(t, simple("", hostA))
				begin := time.Now()
				a, _, _ := get(t, c, tc.call)
				if d := time.Since(begin); d < tc.after || d > tc.after+3*time.Millisecond {
					t.Errorf("after %s, want %s", d, tc.after)
				}
				expectFailure(t, a, tc.status, tc.flags, tc.details)
				if a.Attempts != tc.attempts || a.Endpoint != hostA {
					t.Errorf("%+v", a)
				}
				later(time.Second)
				if s := c.Snapshot().Stats; s["upstream_rq_active"] != 0 || s["circuit_breakers.default.rq_retry_open"] != 0 || s["upstream_cx_active"] != 0 {
					t.Errorf("something is still under way: %v", s)
				}
			})
		})
	}
}

// The time until a backend is connected to is no part of a try's.
func TestConnectTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.hear(t, hostA)
		n.mu.Lock()
		n.silent[hostA] = true
		n.mu.Unlock()
		c, _ := n.run(t, simple("", hostA))
		begin := time.Now()
		a, _, _ := get(t, c, Call{Retry: retryOf(t, "retry_on: reset\nnum_retries: 0\nper_try_timeout: 0.1s")})
		if d := time.Since(begin); d != time.Second {
			t.Errorf("after %s, want the connect_timeout of 1s", d)
		}
		expectFailure(t, a, 503, "URX,UF", "upstream_reset_before_response_started{connection_timeout}")
		if h := c.Snapshot().Hosts[0]; h.ConnectFailures != 1 || h.Requests != 0 || h.Errors != 1 || stat(c, "upstream_cx_connect_timeout") != 1 {
			t.Errorf("%+v", h)
		}
	})
}

// What says that there is no body goes out as Envoy writes it.
func TestRequestsWithoutABody(t *testing.T) {
	for method, want := range map[string]string{"GET": "", "HEAD": "", "DELETE": "", "OPTIONS": "", "POST": "0", "PUT": "0", "PATCH": "0", "PROPFIND": "0"} {
		bubble(t, func(t *testing.T, n *network) {
			accept := n.hear(t, hostA)
			head := make(chan string, 1)
			go func() {
				conn := <-accept
				defer conn.Close()
				b := make([]byte, 4096)
				k, _ := conn.Read(b)
				head <- string(b[:k])
				write(conn, response(204, ""))
			}()
			c, _ := n.run(t, simple("", hostA))
			send(t, c, httptest.NewRequest(method, "http://a.test/", nil), Call{}) //nolint:errcheck // the request is looked at
			got := ""
			for line := range strings.Lines(strings.ToLower(<-head)) {
				if value, is := strings.CutPrefix(strings.TrimSpace(line), "content-length: "); is {
					got = value
				} else if strings.HasPrefix(line, "transfer-encoding") {
					got = line
				}
			}
			if got != want {
				t.Errorf("%s goes out with length %q, want %q", method, got, want)
			}
		})
	}
}

// slowly is a body of which a byte comes each second.
type slowly struct {
	left int
	ctx  context.Context
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if !sleep(s.ctx, time.Second) {
		return 0, s.ctx.Err()
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

// A whole timeout begins when the request has come in full; an idle one is put
// off by every byte of it.
func TestSlowUpload(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(_ http.ResponseWriter, r *http.Request) {
			drain(r.Body)
			<-r.Context().Done()
		})
		c, _ := n.run(t, simple("", hostA))
		for _, tc := range []struct {
			call  Call
			after time.Duration
			flags string
		}{
			{Call{Timeout: 2 * time.Second}, 7 * time.Second, "UT"},
			{Call{Idle: 3 * time.Second}, 8 * time.Second, "SI"},
			{Call{Idle: 500 * time.Millisecond}, 500 * time.Millisecond, "SI"},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			begin := time.Now()
			a, _, _ := send(t, c, httptest.NewRequestWithContext(ctx, http.MethodPost, "http://a.test/", &slowly{5, ctx}), tc.call)
			if d := time.Since(begin); d != tc.after || a.Failure == nil || a.Failure.Flags != tc.flags {
				t.Errorf("%+v after %s, want %s after %s", a.Failure, d, tc.flags, tc.after)
			}
			cancel()
		}
	})
}

// A backend that answers, or closes, before it has the whole request is heard at
// once, however silent the client is.
func TestAnswerBeforeTheEndOfTheRequest(t *testing.T) {
	for answer, want := range map[string]string{"HTTP/1.1 413 x\r\ncontent-length: 0\r\n\r\n": "413", "": "UC"} {
		bubble(t, func(t *testing.T, n *network) {
			accept := n.hear(t, hostA)
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn := <-accept
				defer conn.Close()
				_, _ = http.ReadRequest(bufio.NewReader(conn)) // its headers
				if write(conn, answer); answer != "" {
					drain(conn)
				}
			}()
			c, _ := n.run(t, simple("", hostA))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			begin := time.Now()
			a, _, _ := send(t, c, httptest.NewRequestWithContext(ctx, http.MethodPost, "http://a.test/", &slowly{500, ctx}), Call{})
			got := ""
			if a.Failure != nil {
				got = a.Failure.Flags
			} else {
				got = fmt.Sprint(a.Response.StatusCode)
			}
			if d := time.Since(begin); got != want || d > 2*time.Second {
				t.Errorf("%s after %s, want %s at once", got, d, want)
			}
			<-done
		})
	}
}

func TestClientLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.parked(t, hostA)
		c, _ := n.run(t, simple("", hostA))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := c.Do(httptest.NewRequestWithContext(ctx, http.MethodGet, "http://a.test/", nil), Call{Timeout: time.Minute, Retry: retryOf(t, "retry_on: '5xx,reset'")})
		expectFailure(t, a, 0, "DC", "downstream_remote_disconnect")
		if s := c.Snapshot().Stats; s["upstream_rq_completed"] != 0 || s["upstream_rq_5xx"] != 0 {
			t.Errorf("an answer is counted: %v", s)
		}
	})
}

func TestAnswerThatIsCut(t *testing.T) {
	for name, tc := range map[string]struct {
		call    Call
		then    func(c net.Conn)
		flags   string
		details string
	}{
		"by the timeout":      {Call{Timeout: time.Second}, func(c net.Conn) { drain(c) }, "UT", "response_timeout"},
		"by the idle timeout": {Call{Idle: time.Second}, func(c net.Conn) { drain(c) }, "SI", "stream_idle_timeout"},
		"by the backend":      {Call{}, func(net.Conn) {}, "UPE", "upstream_reset_after_response_started{protocol_error}"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				accept := n.hear(t, hostA)
				done := make(chan struct{})
				go func() {
					defer close(done)
					conn := <-accept
					defer conn.Close()
					_ = readHead(conn)
					write(conn, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")
					tc.then(conn)
				}()
				c, _ := n.run(t, simple("", hostA))
				a, body, err := get(t, c, tc.call)
				var cut *CutError
				if !errors.As(err, &cut) || cut.Flags != tc.flags || cut.Details != tc.details || body != "ab" || a.Response.StatusCode != 200 {
					t.Errorf("%v %q %+v", err, body, a)
				}
				<-done
				if got := stat(c, "upstream_rq_active"); got != 0 {
					t.Errorf("%d requests are still under way", got)
				}
			})
		})
	}
}

func TestRetrySendsTheBodyAgain(t *testing.T) {
	for _, size := range []int{1, 70_000, 1 << 20, 1<<20 + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network) {
				var bodies []int
				n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					bodies = append(bodies, len(b))
					if len(bodies) < 3 {
						w.WriteHeader(503)
					}
				})
				c, _ := n.run(t, simple("", hostA))
				body := strings.Repeat("x", size)
				a, _, _ := send(t, c, httptest.NewRequest(http.MethodPost, "http://a.test/", strings.NewReader(body)), Call{Retry: retryOf(t, "retry_on: 5xx\nnum_retries: 5")})
				want, status := []int{size, size, size}, 200
				if size > 1<<20 {
					want, status = []int{size}, 503
				}
				if d := cmp.Diff(want, bodies); d != "" || a.Response.StatusCode != status || a.Attempts != len(want) {
					t.Errorf("%d %s", a.Attempts, d)
				}
			})
		})
	}
}

func TestPreviousHostsAreAvoided(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.answering(t, hostB, 200) // nobody at A and C
		c, _ := n.run(t, simple("", hostA, hostB, hostC))
		policy := retryOf(t, `retry_on: connect-failure
num_retries: 2
host_selection_retry_max_attempts: 50
retry_host_predicate: [{name: p, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]`)
		for i := range 30 {
			if a, _, _ := get(t, c, Call{Retry: policy}); a.Response == nil || a.Endpoint != hostB {
				t.Fatalf("request %d: %+v", i, a)
			}
		}
	})
}

func TestHostAndAttemptHeaders(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Saw", r.Host+"|"+r.Header.Get("X-Envoy-Attempt-Count"))
			w.WriteHeader(500)
		})
		c, _ := n.run(t, strings.Replace(simple("", hostA), "address: {socket", "hostname: real.test, address: {socket", 1))
		for want, call := range map[string]Call{
			"a.test|":     {},
			"real.test|":  {AutoHost: true},
			"a.test|1":    {CountAttempts: true},
			"real.test|2": {AutoHost: true, CountAttempts: true, Retry: retryOf(t, "retry_on: 5xx")},
		} {
			if a, _, _ := get(t, c, call); a.Response.Header.Get("X-Saw") != want {
				t.Errorf("the backend saw %q, want %q", a.Response.Header.Get("X-Saw"), want)
			}
		}
	})
}
