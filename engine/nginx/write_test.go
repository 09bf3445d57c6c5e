package nginx

import (
	"strconv"
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

func TestTokenIsReadBackByNginx(t *testing.T) {
	values := []string{"plain", "", "two words", `a\b`, `end\`, `\"`, `"`, `'`, `\d{3}`, `\\d`, `\n`, "line\nbreak", "tab\t\\\t", "a;b", "{}", "#", `\'`, `x\\`, "ü", "a'b"}
	port := nginxtest.FreePort(t)
	var b strings.Builder
	b.WriteString("pid n.pid; error_log stderr; events {} http { access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;\n")
	b.WriteString("server { listen 127.0.0.1:" + strconv.Itoa(port) + ";\n")
	for i, v := range values {
		b.WriteString("location = /" + strconv.Itoa(i) + " { return 200 " + token("<"+v+">") + "; }\n")
	}
	b.WriteString("} }\n")
	a := nginxtest.NewAsker(t, nginxtest.Start(t, b.String()).Address)
	for i, v := range values {
		if code, body := asked(a.Get("x", "/"+strconv.Itoa(i))); code != 200 || body != "<"+v+">" {
			t.Errorf("token(%q) comes back as %d %q", "<"+v+">", code, body)
		}
	}
}

func TestOneLineIsOneShortLine(t *testing.T) {
	for _, s := range []string{"a\nb", "a\r\nb", "\x00", "\u2028", strings.Repeat("long ", 3000), strings.Repeat("ü", 5000)} {
		got := oneLine(s)
		if strings.ContainsAny(got, "\n\r\x00\u2028") || len(got) > commentLimit+16 {
			t.Errorf("oneLine(%.20q) is %.40q of %d bytes, want one line of at most %d", s, got, len(got), commentLimit)
		}
	}
	if got := oneLine("a\nb"); got != `a\x0ab` {
		t.Errorf("oneLine(a, line break, b) = %q, want a\\x0ab", got)
	}
}

func TestServerName(t *testing.T) {
	for _, c := range []struct {
		domain, want string
		kind         Kind
		ok           bool
	}{
		{"a.com", "a.com", Exact, true},
		{"A.com", "a.com", Exact, true},
		{"*.a.com", "*.a.com", Exact, true},
		{"www.*", "www.*", Exact, true},
		{"a.com:8080", "a.com", Approximate, true},
		{"a.com:*", "a.com", Approximate, true},
		{"a.com.", "a.com", Approximate, true},
		{"*-x.a.com", `~^.+-x\.a\.com$`, Approximate, true},
		{"a-*", `~^a-.+$`, Approximate, true},
		{"[::1]", `~^\[::1\]$`, Approximate, true},
		{"a..b", `~^a\.\.b$`, Approximate, true},
		{".a.com", `~^\.a\.com$`, Approximate, true},
		{"$hostname", `~^\$hostname$`, Approximate, true},
		{"", "", 0, false},
		{"a/b", "", 0, false},
		{"a\nb", "", 0, false},
		{strings.Repeat("d", 300), "", 0, false},
	} {
		got, kind, lesson, ok := serverName(c.domain)
		if got != c.want || ok != c.ok || ok && kind != c.kind || ok && lesson == "" {
			t.Errorf("serverName(%.40q) = %q, kind %d, %v, lesson %q; want %q, kind %d, %v", c.domain, got, kind, ok, lesson, c.want, c.kind, c.ok)
		}
	}
}

func TestUpstreamNamesAreUniqueWithoutCase(t *testing.T) {
	n, seen := newNames(), map[string]string{}
	for _, cluster := range append([]string{"app", "APP", "aPP", "a|b", "a/b", "a b", strings.Repeat("x", 500), strings.Repeat("x", 501)}, oddNames...) {
		name := n.upstream(cluster)
		if !plainUpstream.MatchString(name) {
			t.Errorf("upstream(%.40q) = %q, which nginx cannot refer to", cluster, name)
		}
		if other, ok := seen[strings.ToLower(name)]; ok && other != cluster {
			t.Errorf("%.40q and %.40q are both called %q", cluster, other, name)
		}
		seen[strings.ToLower(name)] = cluster
		if again := n.upstream(cluster); again != name {
			t.Errorf("upstream(%.40q) is %q, then %q", cluster, name, again)
		}
	}
	if got := newNames().upstream("app-v2.shop_1"); got != "app-v2.shop_1" {
		t.Errorf("a plain name becomes %q, want it to stay", got)
	}
}

func TestFormattedHeaderValues(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"v", "v", true},
		{"", "", true},
		{"a %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%b", "a ${remote_addr}b", true},
		{"%REQ(X-Request-Id)%", "$http_x_request_id", true},
		{"%REQ(:authority)%", "$http_host", true},
		{"100%%", "100%", true},
		{"5$", "", false},
		{"%broken", "", false},
		{"%UPSTREAM_HOST%", "", false},
	} {
		if got, ok := formatted(c.in); got != c.want || ok != c.ok {
			t.Errorf("formatted(%q) = %q, %v; want %q, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}
