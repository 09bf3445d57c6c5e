package importtest

import (
	"fmt"
	"strings"
)

// prelude writes what stands before the servers of a case that has all that real
// files have: tables of variables, and a group of upstreams.
func (m *maker) prelude(seed uint64) string {
	m.suffix = fmt.Sprintf("_%d", seed)
	var b strings.Builder
	f := func(format string, args ...any) {
		fmt.Fprintf(&b, strings.ReplaceAll(format, "_S", m.suffix)+"\n", args...)
	}
	f("map $http_x_a $word_S { default other; 1 one; ~^[0-9] digit; \"\" none; }")
	f("map $host $zone_S { hostnames; default far; *.a.com star; .b.com dot; www.* tail; }")
	f("map $request_method $verb_S { default read; POST write; PUT write; DELETE write; }")
	f("map $arg_v $to_S { default %s; 2 %s; }", m.backends[0], m.backends[1])
	f("map $cookie_c $known_S { default 0; k 1; ~^k 1; }")
	f("geo $net_S { default out; 127.0.0.0/8 home; 10.0.0.0/8 ten; }")
	f("upstream up_S { server %s; }", pick(m, m.backends...))
	return b.String()
}

// said is a value that stands for something of the request.
func (m *maker) said() string {
	v := pick(m, "plain", "$host", "$http_x_a", "$scheme", "$request_method", "$arg_v", "$cookie_c", "$server_port", "$remote_addr", "$request_uri", "$uri", "$http_host",
		"$word_S", "$zone_S", "$verb_S", "$known_S", "$net_S", "$is_args$args", "$server_name", "$http_user_agent", "$v", "a-$word_S-$arg_v", "$proxy_add_x_forwarded_for")
	return strings.ReplaceAll(v, "_S", m.suffix)
}

// settings writes what a block sets for what it passes on and answers; locations
// within inherit it unless they set some of it.
func (m *maker) settings(indent string) {
	if m.chance(20) {
		for range 1 + m.IntN(2) {
			m.f("%sproxy_set_header %s \"%s\";\n", indent, pick(m, "X-P", "X-Q", "X-Forwarded-For", "X-Real-IP", "X-A", "User-Agent", "X-Forwarded-Proto"), m.said())
		}
	}
	if m.chance(10) {
		m.f("%sproxy_set_header Host %s;\n", indent, pick(m, "$host", "$http_host", "fixed.test", "$proxy_host"))
	}
	if m.chance(20) {
		for range 1 + m.IntN(2) {
			m.f("%sadd_header %s \"%s\"%s;\n", indent, pick(m, "X-R", "X-S", "X-Frame-Options"), strings.Replace(m.said(), "$proxy_add_x_forwarded_for", "x", 1), pick(m, "", "", " always"))
		}
	}
	if m.chance(6) {
		m.f("%sdefault_type %s;\n", indent, pick(m, "text/html", "application/json"))
	}
	if m.chance(6) {
		m.f("%serror_page %s %s;\n", indent, pick(m, "404", "403", "403 404 410", "503"), pick(m, "/fallback", "=200 /fallback", "=410 /fallback", "@named", "=200 @named", "= /fallback", "http://z.com/sorry", "=301 http://z.com/sorry"))
	}
}

// limits writes what keeps requests out of a location.
func (m *maker) limits(indent string) {
	switch m.IntN(20) {
	case 0:
		m.f("%slimit_except %s { deny all; }\n", indent, pick(m, "GET", "GET POST", "POST"))
	case 1:
		m.f("%sinternal;\n", indent)
	case 2:
		m.f("%s%s\n", indent, pick(m, "deny all;", "allow 127.0.0.0/8; deny all;", "deny 10.0.0.0/8;"))
	}
}

// richAction writes what a location of such a case does; ok is false where it does
// what every other does.
func (m *maker) richAction(indent string) (ok bool) {
	b := m.backends
	switch m.IntN(12) {
	case 0:
		m.f("%sreturn 200 \"loc%d %s\";\n", indent, m.id, strings.Replace(m.said(), "$proxy_add_x_forwarded_for", "x", 1))
	case 1:
		m.f("%sreturn %d \"%s\";\n", indent, pick(m, 301, 302), pick(m, "https://$host$request_uri", fmt.Sprintf("/to%d/$arg_v", m.id), fmt.Sprintf("http://z.com/$word%s/to%d", m.suffix, m.id), fmt.Sprintf("$scheme://$host/to%d", m.id)))
	case 2:
		m.f("%stry_files $uri %s;\n%sproxy_set_header X-Loc %d;\n%sproxy_pass http://%s;\n", indent, pick(m, "@named", "@named", "/fallback", "=404", "$uri/ =410", "$uri/index.html @named"), indent, m.id, indent, pick(m, b...))
	case 3:
		m.f("%sset $v v%d;\n%sproxy_set_header X-Loc %d;\n%sproxy_set_header X-V $v;\n%sproxy_pass http://up%s;\n", indent, m.id, indent, m.id, indent, indent, m.suffix)
	case 4:
		m.f("%sproxy_set_header X-Loc %d;\n%sproxy_pass http://$to%s;\n", indent, m.id, indent, m.suffix)
	case 5:
		m.f("%sproxy_set_header X-Loc %d;\n%sproxy_method %s;\n%sproxy_pass http://%s;\n", indent, m.id, indent, pick(m, "POST", "GET"), indent, pick(m, b...))
	case 6:
		m.f("%sproxy_set_header X-Loc %d;\n%sproxy_pass_request_headers off;\n%sproxy_pass http://%s;\n", indent, m.id, indent, indent, pick(m, b...))
	case 7:
		m.f("%s%s\n%s%s\n%sproxy_set_header X-Loc %d;\n%sproxy_pass http://%s;\n", indent, m.condition("set $v yes;"), indent, `if ($v = yes) { return 403; }`, indent, m.id, indent, pick(m, b...))
	default:
		return false
	}
	return true
}

// chains writes rewrites that follow one another.
func (m *maker) chains(indent string) {
	m.f("%srewrite ^/(a|b)/(.*)$ /$2/$1 %s;\n", indent, pick(m, "", "last", "break"))
	if m.chance(50) {
		m.f("%srewrite ^/(.*)/a$ /%s/$1 %s;\n", indent, pick(m, segments...), pick(m, "last", "break", "redirect", "permanent"))
	}
}

// richServer writes what such a server has beside its locations.
func (m *maker) richServer() {
	m.f("  set $v \"\";\n")
	m.settings("  ")
	m.f("  location /fallback { return 200 \"fallback\"; }\n")
	m.f("  location @named { proxy_set_header X-Loc named; proxy_pass http://%s; }\n", pick(m, m.backends...))
	m.paths = append(m.paths, "/fallback")
}
