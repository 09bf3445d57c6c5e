package importer

import (
	"strings"
	"testing"
)

// TestToldWhereTheTwoPart holds what the report says, or must not say, of what
// stands within a server.
func TestToldWhereTheTwoPart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, server, want, never string }{
		{name: "relative redirects", server: `absolute_redirect off; location /a { return 301 /b; }`, want: "Envoy's Location is always absolute"},
		{name: "redirects without the port", server: `port_in_redirect off; location /a/ { proxy_pass http://127.0.0.1:1; }`, want: "a port that the client named stays"},
		{name: "no redirects", server: `absolute_redirect off; location /a { return 200 b; }`, never: "absolute_redirect"},
		{name: "an upgrade beside none", server: `location /ws { proxy_pass http://127.0.0.1:1; proxy_set_header Upgrade $http_upgrade; } location /b { proxy_pass http://127.0.0.1:1; }`,
			want: "a request with Upgrade: websocket to a location that does not pass it on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := told(imported(t, "events {}\nhttp { server { listen 127.0.0.1:8080; server_name a.test;\n"+c.server+"\n} }"))
			if c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("the report does not say %q:\n%s", c.want, got)
			}
			if c.never != "" && strings.Contains(got, c.never) {
				t.Errorf("the report says %q:\n%s", c.never, got)
			}
		})
	}
}
