package upstream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// scenario is a failure made to happen, in a real Envoy and here.
type scenario struct {
	name    string
	cluster string        // more fields of the cluster, lines of YAML
	hosts   []behave      // nil entries refuse connections
	route   string        // fields of the RouteAction, a line each
	body    string        // of a POST; "" is a GET
	leaves  time.Duration // after which the client goes away
	upgrade bool          // to a WebSocket
	halved  bool          // a POST whose end does not come
	at      int           // how many requests at the same time; 0 is one
	times   int           // how often; 0 is once
	without []string      // counters that need not agree
	loose   bool          // what depends on where a round robin begins need not agree
}

func (s scenario) clusterYAML(w world) string {
	y := "name: " + s.name + "\ntype: STATIC\n" + s.cluster
	if !strings.Contains(s.cluster, "connect_timeout") {
		y += "\nconnect_timeout: 1s"
	}
	if len(w) > 0 {
		y += "\nload_assignment:\n  cluster_name: " + s.name + "\n" + endpointsYAML("  ", w...)
	}
	return y
}

func (s scenario) request(ctx context.Context, url string) *http.Request {
	method, body := http.MethodGet, io.Reader(nil)
	if s.body != "" {
		method, body = http.MethodPost, strings.NewReader(s.body)
	}
	if s.halved {
		from, to := io.Pipe() // which the transport closes, or who asks us
		go write(to, "half")
		method, body = http.MethodPost, from
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		panic(err)
	}
	if s.halved {
		r.ContentLength = -1
	}
	r.Host = s.name + ".test"
	if s.upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
	}
	return r
}

// deafPort stands for a port where a connection is neither accepted nor refused.
func deafPort(net.Conn, int) {}

// listen serves an endpoint of the scenario.
func (s scenario) listen(t *testing.T, b behave) string {
	t.Helper()
	if strings.HasPrefix(s.name, "blackhole") {
		return stuffed(t)
	}
	return listen(t, b)
}

// readHead reads a request's headers.
func readHead(c net.Conn) error {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	return err
}

// says answers every request of a connection with this text.
func says(text string) behave {
	return func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

func response(status int, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%s", status, len(body), body)
}

// thenCloses answers with text and closes.
func thenCloses(text string) behave {
	return func(c net.Conn, _ int) {
		if readHead(c) == nil {
			write(c, text)
		}
	}
}

// silent reads and says no more than text.
func silent(text string) behave {
	return func(c net.Conn, _ int) {
		if readHead(c) == nil {
			write(c, text)
			drain(c)
		}
	}
}

// onceThenCloses answers one request and closes at the second.
func onceThenCloses(c net.Conn, _ int) {
	in := bufio.NewReader(c)
	for _, text := range []string{response(200, "ok"), ""} {
		if _, err := http.ReadRequest(in); err == nil {
			write(c, text)
		}
	}
}

// h2reads takes a request in HTTP/2, up to its headers.
func h2reads(c net.Conn) error {
	const preface, settings, headers = 24, "\x00\x00\x00\x04\x00\x00\x00\x00\x00", 1
	if _, err := io.ReadFull(c, make([]byte, preface)); err != nil {
		return err
	}
	write(c, settings)
	for head := make([]byte, 9); head[3] != headers; {
		if _, err := io.ReadFull(c, head); err != nil {
			return err
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, length); err != nil {
			return err
		}
	}
	return nil
}

// h2closes takes a request in HTTP/2 and closes.
func h2closes(c net.Conn, _ int) { _ = h2reads(c) }

// h2answers answers a request in HTTP/2 with these headers, in HPACK.
func h2answers(headers string) behave {
	return func(c net.Conn, _ int) {
		if h2reads(c) == nil {
			const kind, endOfAll = 1, 5
			write(c, string([]byte{0, 0, byte(len(headers)), kind, endOfAll, 0, 0, 0, 1})+headers)
			drain(c)
		}
	}
}

// manyHeaders answers with n headers, all in all.
func manyHeaders(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Date"], h["Content-Length"] = nil, []string{"0"}
		for range n - 1 {
			h.Add("x-a", "b")
		}
	}
}

// h2 speaks HTTP/2 in clear text.
func h2(h http.HandlerFunc) behave {
	return func(c net.Conn, _ int) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		one := make(chan net.Conn, 1)
		one <- c
		l := &pipeListener{accept: one, done: make(chan struct{})}
		closed := make(chan struct{})
		s := &http.Server{Handler: h, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0)}
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(closed)
			}
		}
		go func() {
			<-closed
			_ = s.Close() // its listener is ours
		}()
		_ = s.Serve(l) // ErrServerClosed
	}
}

// turnsOf answers the requests of a connection with these texts, in turn.
func turnsOf(all ...string) behave {
	return func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		for _, text := range all {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			drain(r.Body)
			write(c, text)
		}
	}
}

// turns takes another behaviour for each connection, the last one for ever.
func turns(all ...behave) behave {
	return func(c net.Conn, n int) { all[min(n, len(all)-1)](c, n) }
}

var (
	ok     = says(response(200, "ok"))
	sick   = says(response(503, "sick"))
	closes = thenCloses("")
	resets = func(c net.Conn, _ int) {
		if readHead(c) == nil {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
	}
	mute    = silent("")
	garbage = thenCloses("this is no HTTP\r\n\r\n")
)

// Of what Envoy does not count while it reads ahead or closes, and we do.
var whenClosed = []string{"upstream_cx_active", "upstream_cx_destroy"}

func scenarios() []scenario {
	few := "circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 1, max_requests: 10}]}"
	return []scenario{
		{name: "fine", hosts: []behave{ok}, times: 3},
		{name: "post", hosts: []behave{ok}, body: "hello"},
		{name: "none"},
		{name: "refused", hosts: []behave{nil}},
		{name: "refusedretried", hosts: []behave{nil}, route: "retry_policy: {retry_on: connect-failure, num_retries: 2}"},
		{name: "refusednotretried", hosts: []behave{nil}, route: "retry_policy: {retry_on: retriable-4xx, num_retries: 2}"},
		{name: "closes", hosts: []behave{closes}},
		{name: "closespost", hosts: []behave{closes}, body: "hello"},
		{name: "resets", hosts: []behave{resets}},
		{name: "closesretried", hosts: []behave{closes}, route: "retry_policy: {retry_on: reset, num_retries: 1}"},
		{name: "closesheld", hosts: []behave{onceThenCloses}, times: 2},
		{name: "garbage", hosts: []behave{garbage}},
		{name: "status999", hosts: []behave{says("HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n")}},
		{name: "lengthof204", hosts: []behave{thenCloses("HTTP/1.1 204 x\r\ncontent-length: 2\r\n\r\n")}},
		{name: "zeroof204", hosts: []behave{says("HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n")}},
		{name: "chunksof204", hosts: []behave{thenCloses("HTTP/1.1 204 x\r\ntransfer-encoding: chunked\r\n\r\n")}},
		{name: "lengthof304", hosts: []behave{says("HTTP/1.1 304 x\r\ncontent-length: 20\r\n\r\n")}},
		{name: "blankinname", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\nx y: 1\r\ncontent-length: 0\r\n\r\n")}},
		{name: "headers100", hosts: []behave{says("HTTP/1.1 200 x\r\n" + strings.Repeat("x-a: b\r\n", 99) + "content-length: 0\r\n\r\n")}},
		{name: "headers101", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\n" + strings.Repeat("x-a: b\r\n", 100) + "content-length: 0\r\n\r\n")}},
		{name: "headers101chunked", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\n" + strings.Repeat("x-a: b\r\n", 100) + "transfer-encoding: chunked\r\n\r\n0\r\n\r\n")}},
		{name: "lengthandchunks", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")}},
		{name: "twolengths", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi")}},
		{name: "twolengthsheld", hosts: []behave{turnsOf(response(200, "HTTP/1.1 200 x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n"), "HTTP/1.1 200 x\r\nContent-Length: 2\r\nCONTENT-LENGTH: 2\r\n\r\nhi")}, times: 2},
		{name: "wrongprotocol", hosts: []behave{says("HTTP/1.1 400 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")}, cluster: "http2_protocol_options: {}"},
		{name: "timeout", hosts: []behave{mute}, route: "timeout: 0.2s"},
		{name: "timeoutafterheaders", hosts: []behave{silent("HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nab")}, route: "timeout: 0.2s"},
		{name: "short", hosts: []behave{thenCloses("HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nab")}},
		{name: "idle", hosts: []behave{mute}, route: "idle_timeout: 0.2s\ntimeout: 0s"},
		{name: "idleafterheaders", hosts: []behave{silent("HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nab")}, route: "idle_timeout: 0.2s\ntimeout: 0s"},
		{name: "idlehalved", hosts: []behave{mute}, halved: true, route: "idle_timeout: 0.2s\ntimeout: 0s"},
		{name: "tryhalved", hosts: []behave{silent("")}, halved: true, route: "idle_timeout: 1s\ntimeout: 0s\nretry_policy: {retry_on: 5xx, num_retries: 0, per_try_timeout: 0.1s}"},
		{name: "try", hosts: []behave{mute}, route: "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.1s}"},
		{name: "tryonce", hosts: []behave{mute}, route: "retry_policy: {retry_on: 5xx, num_retries: 0, per_try_timeout: 0.1s}"},
		{name: "trythenok", hosts: []behave{turns(mute, ok)}, route: "retry_policy: {retry_on: 5xx, num_retries: 1, per_try_timeout: 0.1s}"},
		{name: "tryunwanted", hosts: []behave{mute}, route: "retry_policy: {retry_on: connect-failure, num_retries: 1, per_try_timeout: 0.1s}"},
		{name: "sick", hosts: []behave{sick}},
		{name: "sickretried", hosts: []behave{sick}, route: "retry_policy: {retry_on: 5xx, num_retries: 2}"},
		{name: "sickpost", hosts: []behave{sick}, body: "hello", route: "retry_policy: {retry_on: gateway-error, num_retries: 2}"},
		{name: "sickunwanted", hosts: []behave{sick}, route: "retry_policy: {retry_on: connect-failure, num_retries: 2}"},
		{name: "bycode", hosts: []behave{says(response(409, ""))}, route: "retry_policy: {retry_on: \"retriable-status-codes,retriable-4xx\", retriable_status_codes: [404]}"},
		{name: "byheader", hosts: []behave{says("HTTP/1.1 200 x\r\nx-again: yes\r\ncontent-length: 0\r\n\r\n")}, route: "retry_policy: {retry_on: retriable-headers, retriable_headers: [{name: x-again, string_match: {exact: \"yes\"}}]}"},
		{name: "bysecondheader", hosts: []behave{says("HTTP/1.1 200 x\r\nx-again: no\r\nx-again: yes\r\ncontent-length: 0\r\n\r\n")}, route: "retry_policy: {retry_on: retriable-headers, retriable_headers: [{name: x-again, string_match: {exact: \"yes\"}}]}"},
		{name: "ratelimited", hosts: []behave{says("HTTP/1.1 503 x\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n")}, route: "retry_policy: {retry_on: 5xx, num_retries: 2}"},
		{name: "recovers", hosts: []behave{turns(thenCloses(response(503, "sick")), thenCloses(response(503, "sick")), ok)}, route: "retry_policy: {retry_on: 5xx, num_retries: 3}"},
		{name: "noretriesleft", hosts: []behave{sick}, cluster: "circuit_breakers: {thresholds: [{max_retries: 0}]}", route: "retry_policy: {retry_on: 5xx, num_retries: 2}"},
		{name: "noretriesleftrefused", hosts: []behave{nil}, cluster: "circuit_breakers: {thresholds: [{max_retries: 0}]}", route: "retry_policy: {retry_on: 5xx, num_retries: 2}"},
		{name: "previous", hosts: []behave{sick, ok}, route: "retry_policy: {retry_on: 5xx, num_retries: 3, retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}], host_selection_retry_max_attempts: 10}", times: 4, loose: true},
		{name: "overflow", hosts: []behave{mute}, cluster: few, route: "timeout: 1s", at: 4},
		{name: "nopending", hosts: []behave{ok}, cluster: "circuit_breakers: {thresholds: [{max_pending_requests: 0}]}"},
		{name: "norequests", hosts: []behave{ok}, cluster: "circuit_breakers: {thresholds: [{max_requests: 0}]}",
			without: []string{"upstream_cx_total", "upstream_cx_http1_total", "upstream_rq_pending_total"}}, // for which Envoy connects first
		{name: "remains", hosts: []behave{ok}, cluster: "circuit_breakers: {thresholds: [{max_connections: 7, max_requests: 8, max_pending_requests: 9, max_retries: 5, track_remaining: true}, {priority: HIGH, track_remaining: true}]}",
			without: []string{"circuit_breakers.default.remaining_cx"}}, // Envoy's connection is closed, ours not yet
		{name: "big", hosts: []behave{sick}, body: strings.Repeat("x", 3<<20), route: "retry_policy: {retry_on: 5xx, num_retries: 2}"},
		{name: "h2", hosts: []behave{h2(func(w http.ResponseWriter, _ *http.Request) { write(w, "two") })}, cluster: "http2_protocol_options: {}", times: 2},
		{name: "h2post", hosts: []behave{h2(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}, cluster: "http2_protocol_options: {}", body: "hello"},
		{name: "h2resets", hosts: []behave{h2(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })}, cluster: "http2_protocol_options: {}"},
		{name: "h2headers99", hosts: []behave{h2(manyHeaders(99))}, cluster: "http2_protocol_options: {}"},
		{name: "h2headers100", hosts: []behave{h2(manyHeaders(100))}, cluster: "http2_protocol_options: {}"},
		{name: "h2headers101", hosts: []behave{h2(manyHeaders(101))}, cluster: "http2_protocol_options: {}"},
		{name: "h2status1000", hosts: []behave{h2answers("\x08\x041000")}, cluster: "http2_protocol_options: {}"},
		{name: "h2lengthof204", hosts: []behave{h2answers("\x08\x03204\x0f\x0d\x012")}, cluster: "http2_protocol_options: {}"},
		{name: "h2timeout", hosts: []behave{h2(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}, cluster: "http2_protocol_options: {}", route: "timeout: 0.2s"},
		{name: "h2refused", hosts: []behave{nil}, cluster: "http2_protocol_options: {}"},
		{name: "h2closes", hosts: []behave{h2closes}, cluster: "http2_protocol_options: {}"},
		{name: "upgradesilent", hosts: []behave{mute}, upgrade: true, route: "timeout: 0.2s"},
		{name: "upgraderefused", hosts: []behave{says(response(403, "no"))}, upgrade: true},
		{name: "leaves", hosts: []behave{mute}, leaves: time.Second},
		{name: "blackhole", hosts: []behave{deafPort}, cluster: "connect_timeout: 0.2s"},
		{name: "blackholeretried", hosts: []behave{deafPort}, cluster: "connect_timeout: 0.2s", route: "retry_policy: {retry_on: connect-failure, num_retries: 1}"},
		{name: "panics", hosts: []behave{nil}, cluster: "health_checks: [{timeout: 1s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]"},
		{name: "unpanicked", hosts: []behave{nil}, cluster: "common_lb_config: {healthy_panic_threshold: {value: 0}}\nhealth_checks: [{timeout: 1s, interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]"},
		{name: "ejects", hosts: []behave{sick}, cluster: "common_lb_config: {healthy_panic_threshold: {value: 0}}\noutlier_detection: {consecutive_5xx: 2, max_ejection_percent: 100}", times: 4},
		{name: "ejectsnone", hosts: []behave{sick, sick}, cluster: "outlier_detection: {consecutive_5xx: 2}", times: 8},
		{name: "ejectsone", hosts: []behave{sick}, cluster: "common_lb_config: {healthy_panic_threshold: {value: 0}}\noutlier_detection: {consecutive_5xx: 2, always_eject_one_host: true}", times: 4},
		{name: "ejectsrefused", hosts: []behave{nil}, cluster: "common_lb_config: {healthy_panic_threshold: {value: 0}}\noutlier_detection: {split_external_local_origin_errors: true, consecutive_local_origin_failure: 2, max_ejection_percent: 100}", times: 4},
		{name: "ejectsgateway", hosts: []behave{mute}, route: "timeout: 0.05s", cluster: "common_lb_config: {healthy_panic_threshold: {value: 0}}\noutlier_detection: {consecutive_5xx: 9, consecutive_gateway_failure: 2, enforcing_consecutive_gateway_failure: 100, max_ejection_percent: 100}", times: 4},
	}
}
