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
  map $http_user_agent $bad { default 0; '' 1; curl 1; ~*evil 1; ~^good$ 0; }
  map $bad$uri $strange { default 0; 1x 1; }
  map $request_method $unsafe { default 1; GET 0; HEAD 0; }
  map $host $foreign { hostnames; default 1; .a.test 0; s.test 0; }
  map $bad $worse { default 0; 1 yes; }
  map $http_x_key $key { default 0; k-1 1; K2 1; }
  geo $outside { default 1; 127.0.0.0/8 0; 127.0.0.9 1; }
  geo $inside { default 0; 127.0.0.0/8 1; 127.0.0.9 0; }
  server {
    listen LISTEN;
    server_name a.test;
    location / { proxy_pass http://one; }
    location /map { if ($bad) { return 403; } proxy_pass http://one; }
    location /maps { if ($worse = yes) { return 404; } proxy_pass http://one; }
    location /unsafe { if ($unsafe) { return 405; } proxy_pass http://one; }
    location /geo { if ($outside) { return 403; } proxy_pass http://one; }
    location /local { if ($inside = 1) { return 403; } proxy_pass http://one; }
    location /address { if ($remote_addr !~ "^(127\.0\.0\.|10\.)") { return 403; } proxy_pass http://one; }
    location /from { if ($remote_addr ~ "^127\.") { return 444; } deny 10.0.0.1; proxy_pass http://one; }
    location /strange { if ($strange) { return 403; } proxy_pass http://one; }
    location /referer { valid_referers none a.test; if ($invalid_referer) { return 403; } proxy_pass http://one; }
    location /two { set $d 0; if ($http_x_a = "") { set $d 1; } if ($http_x_b = "") { set $d "${d}1"; } if ($d = 11) { return 403; } proxy_pass http://one; }
    location /either { set $d 0; if ($outside) { set $d 1; } if ($http_x_b = "") { set $d 1; } if ($d) { return 403; } proxy_pass http://one; }
    location /lost { set $d 0; if ($request_filename ~ x) { set $d 1; } if ($d) { return 403; } proxy_pass http://one; }
    location /cookie { if ($cookie_tok != "good") { return 403; } proxy_pass http://one; }
    location /arg { if ($arg_tok != "good") { return 403; } proxy_pass http://one; }
    location /blocked { if ($arg_block = 1) { return 403; } if ($arg_none ~ "^x*$") { return 403; } proxy_pass http://one; }
    location /le { limit_except GET { deny all; } if ($arg_a) { set $x 1; } proxy_pass http://one; }
    location /says { limit_except POST { deny all; } return 200 x; }
    location /try { deny all; try_files /nope @o; }
    location /tries { limit_except GET { deny all; } try_files /nope @o; }
    location @o { allow all; proxy_pass http://one; }
    location /set { proxy_pass http://one; proxy_set_header X-Arg $arg_q; proxy_set_header X-Same $http_x_same;
      proxy_set_header X-Swap $http_x_other; proxy_set_header X-Other $http_x_swap; proxy_set_header X-User $remote_user; }
    location /real { set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; deny 1.2.3.4; allow all; proxy_pass http://one; }
    location /forwarded { set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For; allow 127.0.0.0/8; deny all; proxy_pass http://one; }
    location /writes { set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; limit_except GET { deny 1.2.3.4; } proxy_pass http://one; }
    location /peer { set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; if ($remote_addr = 1.2.3.4) { return 403; } proxy_pass http://one; }
    location /upgrade { if ($http_upgrade) { return 403; } proxy_pass http://one; }
    location /sockets { if ($http_upgrade != "websocket") { return 403; } proxy_pass http://one; }
    location /close { if ($http_connection !~ close) { rewrite ^ /x break; } return 403; }
    location /internals { if ($http_x_envoy_internal) { return 403; } proxy_pass http://one; }
    location /proto { if ($http_x_forwarded_proto = "") { return 403; } proxy_pass http://one; }
    location /secure { if ($http_x_forwarded_proto != "https") { return 403; } proxy_pass http://one; }
    location /role { if ($http_x_role != "user-1") { return 403; } proxy_pass http://one; }
    location /users { if ($http_x_role = user) { rewrite ^ /x break; proxy_pass http://one; } return 403; }
    location /none { if ($http_x_role != "") { return 403; } proxy_pass http://one; }
    location /keys { if ($key = 0) { return 403; } proxy_pass http://one; }
    location /reading { limit_except GET { auth_basic "x"; auth_basic_user_file /dev/null; } proxy_pass http://one; }
  }
  server { listen LISTEN; server_name flag.test; set $bl 0; if ($http_user_agent ~* evil) { set $bl 1; } if ($bl = 1) { return 403; } location / { proxy_pass http://one; } }
  server { listen LISTEN; server_name .b.test; if ($foreign) { return 403; } location / { proxy_pass http://one; } }
  server { listen LISTEN; server_name s.test; if ($foreign) { return 403; } if ($bad) { return 444; } location / { proxy_pass http://one; } }
  server { listen LISTEN; server_name shut.test; if ($strange) { return 403; } location / { proxy_pass http://one; } location /x/ { proxy_pass http://one; } }
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
	t.Run("arguments", func(t *testing.T) {
		for _, query := range []string{"", "?tok=good", "?tok=bad&tok=good", "?tok=good&tok=bad", "?xtok=good", "?TOK=good", "?Tok=bad&tok=good", "?a=1?tok=good", "?x&tok=good",
			"?tok&tok=good", "?to=1&tok=good", "?tok=", "?tok=good&", "?&tok=good", "?tok=goods", "?block=1", "?BLOCK=1", "?a&block=1&block=2", "?block=2&block=1", "?none=x", "?none=y"} {
			for _, path := range []string{"/arg", "/blocked"} {
				if n, e := b.ask(get("GET", "a.test", path+query)); n.Status != e.Status {
					t.Errorf("%s%s: nginx %d, Envoy %d", path, query, n.Status, e.Status)
				}
			}
		}
	})
	t.Run("cookies", func(t *testing.T) {
		for _, cookie := range []string{"tok=good", "tok=bad; tok=good", "tok=good; tok=bad", "xtok=good", "a=1;tok=good", "a=1;  tok=good", "a=b,tok=good", "TOK=good", "tok = good",
			"tok=good ; a", "tok=goods", "tok; tok=good", "tok", "toktok=bad; tok=good", `a="tok=good"; tok=bad`, "a=1; tok=bad, tok=good"} {
			if n, e := b.ask(get("GET", "a.test", "/cookie", "Cookie: "+cookie)); n.Status != e.Status {
				t.Errorf("%s: nginx %d, Envoy %d", cookie, n.Status, e.Status)
			}
		}
	})
	t.Run("repeated headers", func(t *testing.T) { repeatedAlike(t, b) })
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
		{get("GET", "a.test", "/map", "User-Agent: an EVIL bot"), false},
		{get("GET", "a.test", "/map", "User-Agent: CURL"), false},
		{get("GET", "a.test", "/map", "User-Agent: good"), false},
		{get("GET", "a.test", "/map"), false},
		{get("GET", "a.test", "/maps", "User-Agent: evil"), false},
		{get("GET", "a.test", "/maps", "User-Agent: good"), false},
		{get("GET", "a.test", "/unsafe"), false},
		{get("DELETE", "a.test", "/unsafe"), false},
		{get("GET", "a.test", "/geo"), false},
		{get("GET", "a.test", "/local"), false},
		{get("GET", "a.test", "/address"), false},
		{get("GET", "a.test", "/from"), false},
		{get("GET", "a.test", "/strange"), true},
		{get("GET", "a.test", "/referer", "Referer: http://elsewhere.test/"), false},
		{get("GET", "a.test", "/two"), false},
		{get("GET", "a.test", "/two", "X-A: 1"), false},
		{get("GET", "a.test", "/two", "X-B: 1"), false},
		{get("GET", "a.test", "/either", "X-B: 1"), false},
		{get("GET", "a.test", "/either"), false},
		{get("GET", "a.test", "/lost"), true},
		{get("GET", "flag.test", "/", "User-Agent: evil"), false},
		{get("GET", "flag.test", "/"), false},
		{get("GET", "x.b.test", "/"), false},
		{get("GET", "s.test", "/", "User-Agent: good"), false},
		{get("GET", "shut.test", "/"), true},
		{get("GET", "shut.test", "//"), true},
		{get("GET", "shut.test", "/x"), true},
		{get("POST", "a.test", "/le?a=1", "Content-Length: 0"), false},
		{get("GET", "a.test", "/le?a=1"), false},
		{get("GET", "a.test", "/says"), false},
		{get("POST", "a.test", "/says", "Content-Length: 0"), false},
		{get("GET", "a.test", "/real", "X-Real-IP: 1.2.3.4"), true},
		{get("GET", "a.test", "/real"), true},
		{get("GET", "a.test", "/forwarded", "X-Forwarded-For: 1.2.3.4"), true},
		{get("POST", "a.test", "/writes", "X-Real-IP: 1.2.3.4", "Content-Length: 0"), true},
		{get("GET", "a.test", "/writes", "X-Real-IP: 1.2.3.4"), false},
		{get("GET", "a.test", "/peer", "X-Real-IP: 1.2.3.4"), false},
		{get("GET", "a.test", "/upgrade", "Upgrade: x"), true},
		{get("GET", "a.test", "/sockets"), false},
		{get("GET", "a.test", "/close", "Connection: close"), true},
		{get("GET", "a.test", "/internals", "X-Envoy-Internal: true"), true},
		{get("GET", "a.test", "/proto"), true},
		{get("GET", "a.test", "/secure"), false},
		{get("GET", "a.test", "/secure", "X-Forwarded-Proto: https"), false},
		{get("GET", "a.test", "/try"), false},
		{get("GET", "a.test", "/tries"), false},
		{get("POST", "a.test", "/tries", "Content-Length: 0"), false},
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

// repeatedAlike: of several headers of a name none lets in whom nginx refuses for
// the first.
func repeatedAlike(t *testing.T, b both) {
	values := []string{"user", "user-1", "USER-1", "use", "user-12", "", "k-1", "k2", "k"}
	for _, path := range []string{"/role", "/users", "/none", "/keys"} {
		name := "X-Role: "
		if path == "/keys" {
			name = "X-Key: "
		}
		for _, first := range values {
			raw := get("GET", "a.test", path, name+first)
			if n, e := b.ask(raw); n.Status != e.Status {
				t.Errorf("%q: nginx %d, Envoy %d", raw, n.Status, e.Status)
			}
			for _, second := range values {
				raw := get("GET", "a.test", path, name+first, name+second)
				if n, e := b.ask(raw); n.Status == 403 && e.Status != 403 {
					t.Errorf("%q: nginx %d, Envoy %d", raw, n.Status, e.Status)
				}
			}
		}
	}
}
