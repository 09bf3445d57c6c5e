package importer_test

import (
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

// behind is what stands before applications: maps that choose headers and
// upstreams, and a balancer that ends TLS.
const behind = `
events {}
http {
  map $http_x_forwarded_proto $proto { default $http_x_forwarded_proto; "" $scheme; }
  map $http_origin $cors { default ""; "~^https://([a-z0-9-]+\.)?example\.com$" $http_origin; }
  map $http_x_canary $by_header { default one; always two; }
  map $cookie_variant $chosen { default $by_header; b two; ~^old- one; }
  map $http_x_request_id $id { default $http_x_request_id; "" $request_id; }
  map $server_port $color { default green; }
  upstream one { server ONE; }
  upstream two { server TWO; }
  server {
    listen LISTEN;
    server_name a.test;
    set $access $scheme;
    if ($http_x_forwarded_proto = "ws") { return 426; }
    location /proto { proxy_pass http://one; proxy_set_header X-Proto $proto; }
    location /own { proxy_pass http://one; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Access $access; }
    location /cors { add_header Access-Control-Allow-Origin $cors always; if ($request_method = OPTIONS) { return 204; } proxy_pass http://one; }
    location /chosen { proxy_pass http://$chosen; proxy_set_header X-Color $color; proxy_set_header X-Id $id; }
    location /gone { root /nowhere; if (!-f $request_filename) { proxy_pass http://two; break; } }
    location /denied { deny 127.0.0.1; proxy_pass http://one; }
  }
}`

// TestCasesAreThoseOfNginx holds that both give the same values of map and set to
// headers and targets, and both pass on the X-Forwarded-Proto that came.
func TestCasesAreThoseOfNginx(t *testing.T) {
	t.Parallel()
	one, two := nginxtest.NewEcho(t, "one"), nginxtest.NewEcho(t, "two")
	b := onBoth(t, strings.NewReplacer("ONE", one.Address, "TWO", two.Address).Replace(behind))
	for _, row := range []struct {
		name, raw string
		status    int
		backend   string
		header    string // of what the upstream sees, and its value
		value     string
	}{
		{"a proxy ended TLS", get("GET", "a.test", "/proto", "X-Forwarded-Proto: https"), 200, "one", "X-Forwarded-Proto", "https"},
		{"the map takes it", get("GET", "a.test", "/proto", "X-Forwarded-Proto: https"), 200, "one", "X-Proto", "https"},
		{"nobody ended TLS", get("GET", "a.test", "/proto"), 200, "one", "X-Proto", "http"},
		{"a condition on it", get("GET", "a.test", "/proto", "X-Forwarded-Proto: ws"), 426, "", "", ""},
		{"its own scheme", get("GET", "a.test", "/own", "X-Forwarded-Proto: https"), 200, "one", "X-Forwarded-Proto", "http"},
		{"the same from a set", get("GET", "a.test", "/own", "X-Forwarded-Proto: https"), 200, "one", "X-Access", "http"},
		{"X-Forwarded-For stays", get("GET", "a.test", "/own", "X-Forwarded-For: 1.2.3.4"), 200, "one", "X-Forwarded-For", "1.2.3.4"},
		{"an origin", get("GET", "a.test", "/cors", "Origin: https://x.example.com"), 200, "one", "", ""},
		{"an origin that may not", get("GET", "a.test", "/cors", "Origin: https://evil.com"), 200, "one", "", ""},
		{"a preflight", get("OPTIONS", "a.test", "/cors", "Origin: https://example.com"), 204, "", "", ""},
		{"no cookie", get("GET", "a.test", "/chosen"), 200, "one", "X-Color", "green"},
		{"a cookie", get("GET", "a.test", "/chosen", "Cookie: a=1; variant=b"), 200, "two", "Host", "two"},
		{"a header", get("GET", "a.test", "/chosen", "X-Canary: always"), 200, "two", "Host", "two"},
		{"a cookie before the header", get("GET", "a.test", "/chosen", "Cookie: variant=old-7", "X-Canary: always"), 200, "one", "Host", "one"},
		{"an id of the client's", get("GET", "a.test", "/chosen", "X-Request-Id: abc"), 200, "one", "X-Id", "abc"},
		{"no file", get("GET", "a.test", "/gone/x"), 200, "two", "", ""},
		{"denied", get("GET", "a.test", "/denied", "X-Forwarded-For: 1.2.3.4"), 403, "", "", ""},
		{"denied to whom says to be many", get("GET", "a.test", "/denied", "X-Forwarded-For: 1.2.3.4, 5.6.7.8, 9.9.9.9"), 403, "", "", ""},
	} {
		n, e := b.ask(row.raw)
		for of, reply := range map[string]nginxtest.Reply{"nginx": n, "Envoy": e} {
			if reply.Status != row.status {
				t.Errorf("%s: %s answers %d, want %d", row.name, of, reply.Status, row.status)
			}
			seen, _ := nginxtest.ParseSeen(reply.Body)
			if row.backend != "" && seen.Backend != row.backend || row.header != "" && seen.Header(row.header) != row.value {
				t.Errorf("%s: %s asks %q with %s: %q, want %q with %q", row.name, of, seen.Backend, row.header, seen.Header(row.header), row.backend, row.value)
			}
		}
		if n, e := n.Headers.Get("Access-Control-Allow-Origin"), e.Headers.Get("Access-Control-Allow-Origin"); n != e {
			t.Errorf("%s: nginx allows the origin %q, Envoy %q", row.name, n, e)
		}
	}
}
