package importer_test

import (
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

const sendsAway = `
events {}
http {
  map $request_method $verb { default reads; POST writes; }
  server {
    listen LISTEN;
    server_name a.test;
    location /plain { proxy_pass http://UP; }
    location /secure { return 301 https://$host$request_uri; }
    location /gone { return 302 https://$host/gone/for/good; }
    location /rewritten { rewrite ^/rewritten/(.*)$ https://$host/x/$1 permanent; }
    location /named/ { server_name_in_redirect on; port_in_redirect off; proxy_pass http://UP/; }
    location /portless/ { port_in_redirect off; proxy_pass http://UP/; }
    location /own/ { proxy_pass http://UP/; }
    location /inner/ { proxy_pass http://UP/; }
    location = /inner/ { internal; return 200; }
    location /reads { add_header X-R $verb always; limit_except GET { deny all; } rewrite ^/reads/none$ /plain break; proxy_pass http://UP; }
    location /no/more { return 410; }
    location / { proxy_pass http://UP; }
  }
}`

// TestRedirectsLeadWhereNginxSends holds the text of Location for a Host as it is
// usually sent. (nginx lower-cases it, Envoy does not.)
func TestRedirectsLeadWhereNginxSends(t *testing.T) {
	t.Parallel()
	b := onBoth(t, strings.ReplaceAll(sendsAway, "UP", nginxtest.NewEcho(t, "up").Address))
	port := map[string]string{}
	for i, of := range []string{"nginx", "envoy"} {
		_, port[of], _ = strings.Cut(b.addresses[i], ":")
	}
	for _, target := range []string{"/secure", "/secure/x?q=1", "/gone", "/gone?q=1", "/rewritten/a?b=c", "/named", "/portless", "/own"} {
		n, e := b.ask(get("GET", "a.test", target))
		want, got := strings.ReplaceAll(n.Location(), ":"+port["nginx"], ":PORT"), strings.ReplaceAll(e.Location(), ":"+port["envoy"], ":PORT")
		if n.Status != e.Status || want != got || want == "" {
			t.Errorf("%s: nginx %d %q, Envoy %d %q", target, n.Status, want, e.Status, got)
		}
	}
	e := b.envoy.Ask(get("GET", "a.test:"+port["envoy"], "/secure"))
	if e.Location() != "https://a.test:443/secure" {
		t.Errorf("a Host with the listener's port is sent to %q", e.Location())
	}
	n, e := b.ask(get("GET", "a.test", "/plain", "Connection: Upgrade", "Upgrade: websocket"))
	if n.Status != 200 || e.Status != 200 {
		t.Errorf("Upgrade where nobody upgrades: nginx %d, Envoy %d", n.Status, e.Status)
	}
	if seen, _ := nginxtest.ParseSeen(e.Body); seen.Header("Upgrade") != "" {
		t.Errorf("the upstream is asked for the upgrade: %q", seen.Headers)
	}
}

// TestRefusalsBesideRedirects holds what nginx looks at before it redirects, and what
// it says to whom it refuses.
func TestRefusalsBesideRedirects(t *testing.T) {
	t.Parallel()
	b := onBoth(t, strings.ReplaceAll(sendsAway, "UP", nginxtest.NewEcho(t, "up").Address))
	for _, row := range []struct {
		raw    string
		status int
		header string // X-R
	}{
		{get("GET", "a.test", "/inner"), 404, ""},
		{get("GET", "a.test", "/inner/"), 404, ""},
		{get("GET", "a.test", "/inner/x"), 200, ""},
		{get("GET", "a.test", "/reads"), 200, "reads"},
		{get("POST", "a.test", "/reads", "Content-Length: 0"), 403, "writes"},
		{get("DELETE", "a.test", "/reads"), 403, "reads"},
		{get("GET", "a.test", "/no/more"), 410, ""},
		{get("GET", "a.test", "/no%2Fmore"), 410, ""},
	} {
		n, e := b.ask(row.raw)
		for who, a := range map[string]nginxtest.Reply{"nginx": n, "Envoy": e} {
			if got := strings.Join(a.Headers.Values("X-R"), ","); a.Status != row.status || got != row.header {
				t.Errorf("%q: %s %d with X-R %q, want %d with %q", row.raw, who, a.Status, got, row.status, row.header)
			}
		}
	}
}
