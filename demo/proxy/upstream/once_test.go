package upstream

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A connection that was used before and is closed as a request arrives is a
// failure: nothing is sent again but by a retry policy.
func TestNothingIsSentTwiceByItself(t *testing.T) {
	requests := []*http.Request{}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, key := range []string{"X-Other", "Idempotency-Key", "X-Idempotency-Key"} {
			r := httptest.NewRequest(method, "http://a.test/", nil)
			r.Header.Set(key, "7")
			requests = append(requests, r)
		}
	}
	for _, r := range requests {
		bubble(t, func(t *testing.T, n *network) {
			accept := n.hear(t, hostA)
			var count atomic.Int64
			done := make(chan struct{})
			go func() {
				defer close(done)
				for conn := range accept {
					in := bufio.NewReader(conn)
					for range 2 {
						got, err := http.ReadRequest(in)
						if err != nil {
							break
						}
						if d := cmp.Diff(r.Header, got.Header, cmpopts.IgnoreMapEntries(func(name string, _ []string) bool { return name == "Content-Length" })); d != "" {
							t.Errorf("%s: sent (-) and seen (+) differ: %s", r.Method, d)
						}
						if count.Add(1)%2 == 1 {
							write(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
						}
					}
					conn.Close()
				}
			}()
			c, _ := n.run(t, simple("", hostA))
			for i, want := range []string{"", "UC"} {
				a, _, _ := send(t, c, r, Call{})
				got := ""
				if a.Failure != nil {
					got = a.Failure.Flags
				}
				if got != want {
					t.Errorf("%s %v %d: %+v", r.Method, r.Header, i, a)
				}
			}
			if got := count.Load(); got != 2 {
				t.Errorf("%s: the backend saw %d requests, 2 were sent", r.Method, got)
			}
			close(n.servers[hostA])
			<-done
		})
	}
}
