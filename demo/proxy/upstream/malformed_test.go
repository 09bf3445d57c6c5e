package upstream

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
)

// An answer that nobody could be sent is a protocol error, and is retried like
// one. The scenarios hold the other malformed answers against an Envoy, which
// sends a status below 200 on.
func TestStatusThatIsNone(t *testing.T) {
	for _, status := range []string{"099", "000", "010"} {
		bubble(t, func(t *testing.T, n *network) {
			accept := n.hear(t, hostA)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 3 {
					conn := <-accept
					if readHead(conn) == nil {
						write(conn, "HTTP/1.1 "+status+" x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
					}
					conn.Close()
				}
			}()
			c, _ := n.run(t, simple("", hostA))
			a, _, _ := get(t, c, Call{})
			expectFailure(t, a, http.StatusBadGateway, "UPE", "upstream_reset_before_response_started{protocol_error}")
			a, _, _ = get(t, c, Call{Retry: retryOf(t, "retry_on: reset")})
			expectFailure(t, a, http.StatusBadGateway, "URX,UPE", "upstream_reset_before_response_started{protocol_error}")
			<-done
			synctest.Wait()
			if h := c.Snapshot().Hosts[0]; h.Requests != 3 || h.Success != 0 || h.Errors != 3 || h.ActiveRequests != 0 || h.ActiveConnections != 0 {
				t.Errorf("%s: %+v", status, h)
			}
		})
	}
}

func TestExamineTakesEveryStatus(t *testing.T) {
	for status := range 1100 {
		err := examine(&http.Response{StatusCode: status, ProtoMajor: 1})
		if want := status == 101 || status >= 200 && status <= 999; (err == nil) != want {
			t.Error(fmt.Errorf("status %d: %w", status, err))
		}
	}
}
