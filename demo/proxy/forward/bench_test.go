package forward_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkRequest is one request over a connection that is kept, to a backend
// that answers at once: straight to it, through our proxy, and through an Envoy
// with one worker. The ratio of the three is what it tells.
func BenchmarkRequest(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	b.Cleanup(backend.Close)
	_, port, _ := net.SplitHostPort(backend.Listener.Addr().String())
	c := config{oneListener("", failures), twoClusters}
	closed := closedPort(b)
	b.Run("backend", func(b *testing.B) { requests(b, port) })
	b.Run("builtin", func(b *testing.B) { requests(b, serve(b, c, port, closed).port) })
	b.Run("envoy", func(b *testing.B) { requests(b, realEnvoy(b, c, port, closed, "")) })
}

func requests(b *testing.B, port string) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/ok", http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			r.Host = "www.example.com"
			res, err := transport.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				b.Errorf("status %d", res.StatusCode)
			}
		}
	})
}
