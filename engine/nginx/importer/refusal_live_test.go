package importer_test

import (
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

// guarded is what a site keeps to itself. Nobody may reach the upstream through
// Envoy whom nginx does not let there.
const guarded = `
events {}
http {
  upstream one { server ONE; }
  server {
    listen LISTEN;
    server_name a.test;
    location /set { proxy_pass http://one; proxy_set_header X-Arg $arg_q; proxy_set_header X-Same $http_x_same;
      proxy_set_header X-Swap $http_x_other; proxy_set_header X-Other $http_x_swap; proxy_set_header X-User $remote_user; }
    location /reading { limit_except GET { auth_basic "x"; auth_basic_user_file /dev/null; } proxy_pass http://one; }
  }
}`

// TestEnvoyRefusesWhatNginxRefuses sends requests that nginx keeps from the
// upstream to both.
func TestEnvoyRefusesWhatNginxRefuses(t *testing.T) {
	t.Parallel()
	one := nginxtest.NewEcho(t, "one")
	b := onBoth(t, strings.ReplaceAll(guarded, "ONE", one.Address))
	t.Run("headers", func(t *testing.T) {
		sameUpstreamFor(t, b, []string{
			get("GET", "a.test", "/set", "X-Arg: forged", "X-Same: mine", "X-User: root"),
			get("GET", "a.test", "/set?q=7", "X-Arg: forged"),
			get("GET", "a.test", "/set", "X-Swap: a"),
			get("GET", "a.test", "/set", "X-Other: b"),
			get("GET", "a.test", "/set", "X-Swap: a", "X-Other: b"),
		})
	})
	t.Run("refused", func(t *testing.T) { refusedAlike(t, b) })
}

// refusedAlike: nobody comes in through Envoy whom nginx refuses. closed is where
// Envoy refuses more, as the report says.
func refusedAlike(t *testing.T, b both) {
	for _, row := range []struct {
		raw    string
		closed bool
	}{
		{get("GET", "a.test", "/reading"), false},
		{get("HEAD", "a.test", "/reading"), false},
		{get("POST", "a.test", "/reading", "Content-Length: 0"), false},
	} {
		n, e := b.ask(row.raw)
		switch {
		case (n.Status == 200) != (e.Status == 200) && !row.closed:
			t.Errorf("%q: nginx %d, Envoy %d", row.raw, n.Status, e.Status)
		case row.closed && e.Status != 403:
			t.Errorf("%q: Envoy answers %d where everybody is to be refused", row.raw, e.Status)
		}
	}
}
