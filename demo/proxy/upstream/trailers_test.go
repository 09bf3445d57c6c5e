package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Trailers pass where the cluster lets them, in either direction: in HTTP/2
// always.
func TestTrailers(t *testing.T) {
	for fields, want := range map[string]string{
		"": "", "http_protocol_options: {enable_trailers: true}": "1", "http2_protocol_options: {}": "1",
		httpOptionsOf("http_protocol_options: {enable_trailers: true}"): "1", httpOptionsOf("http_protocol_options: {}"): "",
	} {
		bubble(t, func(t *testing.T, n *network) {
			n.serve(t, hostA, func(w http.ResponseWriter, r *http.Request) {
				drain(r.Body)
				w.Header().Set("Trailer", "X-Announced")
				w.Header().Set("X-Saw", r.Trailer.Get("X-Sent"))
				write(w, "body")
				w.Header().Set("X-Announced", "1")
				w.Header().Set(http.TrailerPrefix+"X-Late", "1")
			})
			c, _ := n.run(t, simple(fields, hostA))
			r := httptest.NewRequest(http.MethodPost, "http://a.test/", io.NopCloser(strings.NewReader("body")))
			r.ContentLength, r.Trailer = -1, http.Header{"X-Sent": {"1"}}
			a, body, err := send(t, c, r, Call{})
			if err != nil || body != "body" {
				t.Fatalf("%+v %q %v", a, body, err)
			}
			if got := a.Response.Header.Get("X-Saw"); got != want {
				t.Errorf("%q: the backend saw %q, want %q", fields, got, want)
			}
			if got := a.Response.Trailer; got.Get("X-Announced") != want || got.Get("X-Late") != want || want == "" && len(got) > 0 {
				t.Errorf("%q: trailers %v", fields, got)
			}
			if r.Trailer.Get("X-Sent") != "1" {
				t.Error("the client's request was changed")
			}
		})
	}
}
