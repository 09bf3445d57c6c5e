package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDo(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Saw", strings.Join([]string{r.Method, r.Host, r.RequestURI, r.UserAgent(), r.Header.Get("X-Own"), string(b)}, "|"))
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "tea")
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
