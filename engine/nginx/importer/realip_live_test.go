package importer_test

import (
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

// TestClientOfALocation holds that both find the same client where only a location
// believes the proxy before it, and nobody else asks.
func TestClientOfALocation(t *testing.T) {
	t.Parallel()
	one := nginxtest.NewEcho(t, "one")
	b := onBoth(t, strings.ReplaceAll(`
events {}
http {
  upstream one { server ONE; }
  server {
    listen LISTEN;
    server_name a.test;
    location / { proxy_pass http://one; }
    location /in { set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on; allow 10.0.0.0/8; deny all; proxy_pass http://one; }
  }
}`, "ONE", one.Address))
	for _, raw := range []string{
		get("GET", "a.test", "/"),
		get("GET", "a.test", "/in"),
		get("GET", "a.test", "/in", "X-Forwarded-For: 10.1.1.1"),
		get("GET", "a.test", "/in", "X-Forwarded-For: 1.1.1.1"),
		get("GET", "a.test", "/in", "X-Forwarded-For: 10.1.1.1, 1.1.1.1"),
		get("GET", "a.test", "/in", "X-Forwarded-For: 1.1.1.1, 10.1.1.1, 127.0.0.1"),
	} {
		if n, e := b.ask(raw); n.Status != e.Status {
			t.Errorf("%q: nginx %d, Envoy %d", raw, n.Status, e.Status)
		}
	}
}
