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
		{name: "Location of an upstream below a path", server: `location /a/ { proxy_pass http://127.0.0.1:1/deep/; }`, want: "of a Location in the upstream's answer nginx turns http://127.0.0.1:1/deep/ into"},
		{name: "Location of an upstream", server: `location /a { proxy_pass http://127.0.0.1:1; }`, want: "of a Location in the upstream's answer nginx takes http://127.0.0.1:1 off"},
		{name: "Location of an upstream that knows its Host", server: `location /a { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; }`, never: "Location"},
		{name: "Location that nginx leaves alone", server: `location /a { proxy_pass http://127.0.0.1:1; proxy_redirect off; }`, never: "Location"},
		{name: "long lines", server: `large_client_header_buffers 2 1k;`, want: "a single long line goes through"},
		{name: "unknown text", server: `location /a { return 200 "x $geoip_city"; }`, want: "$geoip_city: the requests get 501"},
		{name: "unknown text of an error", server: `location /a { return 404 "x $geoip_city"; }`, want: "$geoip_city: the status comes without the text"},
		{name: "rewritten always", server: `location /a/ { rewrite ^/a/(.*)$ /b/$1 last; } location /b/ { proxy_pass http://127.0.0.1:1; }`, never: "serves no files"},
		{name: "rewritten sometimes", server: `location /a/ { rewrite ^/a/b(.*)$ /b/$1 last; } location /b/ { proxy_pass http://127.0.0.1:1; }`, want: "serves no files"},
		{name: "no cache", server: `proxy_cache off; location /a { proxy_pass http://127.0.0.1:1; }`, never: "proxy_cache"},
		{name: "a cache", server: `proxy_cache c; location /a { proxy_pass http://127.0.0.1:1; }`, want: "keeps no cache"},
		{name: "above the root", server: `location /a { return 200 b; }`, want: "Envoy takes it for /x"},
		{name: "arguments of a rewrite", server: `location /b/ { proxy_pass http://127.0.0.1:1; }
location /a/ { rewrite ^/a/(.*)$ /b/x?id=$1 last; }`, want: "4 A: rewrite ^/a/(.*)$ /b/x?id=$1 last: the arguments that the rewrite adds"},
		{name: "other spellings of what some may have", server: `location / { return 200 a; } location /adm/ { deny 10.0.0.1; proxy_pass http://127.0.0.1:1; }`, want: "spells the location's name with escaped slashes"},
		{name: "other spellings of what nobody may have", server: `location / { return 200 a; } location /adm/ { deny all; proxy_pass http://127.0.0.1:1; }`, never: "spells"},
		{name: "other spellings of what all may have", server: `location /@adm { proxy_pass http://127.0.0.1:1; }`, never: "spells"},
		{name: "no log", server: `access_log /dev/null;`, never: "access_log"},
		{name: "a file that is not there", server: `location /a { if (!-f $request_filename) { proxy_pass http://127.0.0.1:1; break; } root /srv; }`, never: "requests get 404", want: "it always holds"},
		{name: "a file that would be served", server: `location /a { if (-f /srv/down.html) { return 503; } proxy_pass http://127.0.0.1:1; }`, want: "it never holds"},
		{name: "rewrites that end in chunks", server: `chunked_transfer_encoding off;`, want: "in chunks"},
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

// TestMailIsNamed holds that a block of another module than http and stream is
// said to be left out, once, with what to do.
func TestMailIsNamed(t *testing.T) {
	r := imported(t, "events {}\nmail { server { listen 25; protocol smtp; } }\nhttp { server { listen 80; } }")
	n := 0
	for _, e := range r.Report {
		if e.Directive == "mail" && e.Instead != "" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("mail is named %d times: %v", n, r.Report)
	}
}
