package importtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
)

// TestWhomNginxRefusesEnvoyDoesNotLetIn is about what a change of proxies must
// never do: where nginx refuses a request by a rule of the file, no upstream may
// see it behind Envoy, unless the report says so on a line that has to do with it.
// MESHTUI_FUZZ_REFUSED is how many files to draw, MESHTUI_SEED where to begin.
func TestWhomNginxRefusesEnvoyDoesNotLetIn(t *testing.T) {
	t.Parallel()
	first, n := uint64(number(t, "MESHTUI_SEED", 1)), number(t, "MESHTUI_FUZZ_REFUSED", 400)
	refused, asked, failed := 0, 0, 0
	for seed := first; seed < first+uint64(n); seed++ {
		m := newMaker(seed)
		text := m.gated()
		c, err := conf.Parse("nginx.conf", conf.Text(text))
		if err != nil || len(c.Problems) > 0 {
			t.Fatalf("seed %d: %v %v\n%s", seed, err, c.Problems, text)
		}
		made := importer.Import(c)
		nginx, envoy := predict.New(c), match.New(made.Mesh)
		for range 60 {
			method, target, headers := m.gatedRequest()
			q := predict.Request{Method: method, Host: "a.test", Target: target, Port: 8080}
			e := &match.Request{Address: netip.MustParseAddr("127.0.0.1"), Port: 8080, Method: method, Host: "a.test", Path: target}
			for _, h := range headers {
				q.Headers = append(q.Headers, h)
				e.Headers = append(e.Headers, routes.Header{Name: h[0], Value: h[1]})
			}
			asked++
			a := nginx.Answer(q)
			if !byRule(a) {
				continue
			}
			refused++
			way := envoy.Match(e)
			if way.Action != match.Forward || shut(t, way, method) || admitted(a, made) {
				continue
			}
			if failed++; failed > 4 {
				continue
			}
			var steps []string
			for _, s := range a.Steps {
				steps = append(steps, s.Name+" "+s.Why)
			}
			t.Errorf("seed %d: %s %s %v: nginx %d (%s), Envoy sends it to %s by the route %q\n%s", seed, method, target, headers, a.Status, strings.Join(steps, "; "), way.Cluster, way.Entry.GetName(), text)
		}
	}
	t.Logf("%d files, %d requests, %d of them refused by nginx, %d not by Envoy", n, asked, refused, failed)
	if refused < asked/20 {
		t.Errorf("nginx refuses %d of %d requests, which is too few to hold anything", refused, asked)
	}
}

// byRule reports whether nginx certainly refuses a request by what the file says.
func byRule(a predict.Answer) bool {
	return len(a.Caveats) == 0 && (a.Action == predict.Refused || a.Action == predict.Return || a.Action == predict.Closed) &&
		(slices.Contains([]int{401, 403, 404, 405}, a.Status) || a.Action == predict.Closed)
}

// admitted reports whether the report says of a line on the request's way in nginx
// that Envoy lets in whom nginx refuses.
func admitted(a predict.Answer, made *importer.Result) bool {
	for _, e := range made.Report {
		for _, s := range a.Steps {
			if s.At != nil && s.At.Line == e.Line && (strings.Contains(e.Reason, "refuse") || strings.Contains(e.Reason, "lets in") || strings.Contains(e.Reason, "let in") ||
				strings.Contains(e.Reason, "may belong to several locations")) {
				return true
			}
		}
	}
	return false
}

// shut reports whether the rules of the route refuse every client that comes with
// this method. Who has to be asked is not let in by the rules alone.
func shut(t *testing.T, w match.Way, method string) bool {
	t.Helper()
	settings := w.Entry.GetTypedPerFilterConfig()
	if a := settings["envoy.filters.http.ext_authz"]; a.MessageIs(&authzv3.ExtAuthzPerRoute{}) {
		return false
	}
	m := &rbacfilterv3.RBACPerRoute{}
	if settings["envoy.filters.http.rbac"].UnmarshalTo(m) != nil {
		return false
	}
	rules := m.GetRbac().GetRules()
	for _, p := range rules.GetPolicies() {
		sure := rules.GetAction() == rbacv3.RBAC_DENY // what is denied has to be certain, what is allowed only possible
		what := slices.ContainsFunc(p.GetPermissions(), func(r *rbacv3.Permission) bool { return permits(t, r, method) })
		who := slices.ContainsFunc(p.GetPrincipals(), func(r *rbacv3.Principal) bool { return takes(t, r, !sure) })
		if what && who {
			return sure
		}
	}
	return rules.GetAction() == rbacv3.RBAC_ALLOW
}

// permits evaluates the permissions that the importer writes.
func permits(t *testing.T, r *rbacv3.Permission, method string) bool {
	t.Helper()
	of := func(r *rbacv3.Permission) bool { return permits(t, r, method) }
	switch k := r.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return true
	case *rbacv3.Permission_NotRule:
		return !of(k.NotRule)
	case *rbacv3.Permission_AndRules:
		return !slices.ContainsFunc(k.AndRules.GetRules(), func(r *rbacv3.Permission) bool { return !of(r) })
	case *rbacv3.Permission_OrRules:
		return slices.ContainsFunc(k.OrRules.GetRules(), of)
	case *rbacv3.Permission_Header:
		return slices.Contains(strings.Split(k.Header.GetStringMatch().GetSafeRegex().GetRegex(), "|"), method)
	}
	t.Fatalf("a permission that this test does not know: %v", r)
	return false
}

// takes reports whether there can be (maybe), or has to be, a client that the
// principal takes: an address is any.
func takes(t *testing.T, p *rbacv3.Principal, maybe bool) bool {
	t.Helper()
	of := func(p *rbacv3.Principal) bool { return takes(t, p, maybe) }
	switch k := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return true
	case *rbacv3.Principal_RemoteIp, *rbacv3.Principal_DirectRemoteIp:
		return maybe
	case *rbacv3.Principal_NotId:
		return !takes(t, k.NotId, !maybe)
	case *rbacv3.Principal_AndIds:
		return !slices.ContainsFunc(k.AndIds.GetIds(), func(p *rbacv3.Principal) bool { return !of(p) })
	case *rbacv3.Principal_OrIds:
		return slices.ContainsFunc(k.OrIds.GetIds(), of)
	}
	t.Fatalf("a principal that this test does not know: %v", p)
	return false
}

// gated writes a file whose locations refuse in one way or another.
func (m *maker) gated() string {
	m.f("events {}\nhttp {\n map $http_x_a $mapped { default 0; 1 1; ~^e 1; }\n geo $place { default 0; 127.0.0.0/8 1; }\n")
	if m.chance(20) {
		m.f("  %s\n", pick(m, "deny all;", "auth_basic x; auth_basic_user_file f;", "error_page 403 404 = /in;"))
	}
	m.f(" server {\n  listen 8080;\n  server_name a.test;\n")
	for range m.IntN(3) {
		m.gate("  ", true)
	}
	for i, name := range []string{"/", "/a", "/a/", "= /a/b", "^~ /b/", "/b/c", `~ \.php$`, `~* ^/C`, "/in"} {
		if i > 0 && m.chance(35) {
			continue
		}
		m.f("  location %s {\n", name)
		for range m.IntN(4) {
			m.gate("   ", false)
		}
		m.serve("   ")
		m.f("  }\n")
	}
	for _, name := range []string{"@x", "@y"} {
		m.f("  location %s {\n", name)
		if m.chance(30) {
			m.gate("   ", false)
		}
		m.f("   %s\n  }\n", pick(m, "proxy_pass http://127.0.0.1:9002;", "proxy_pass http://127.0.0.1:9002;", "return 403;", "try_files /none @x;"))
	}
	m.f(" }\n}\n")
	return m.b.String()
}

// gate writes one directive that refuses, or nearly.
func (m *maker) gate(indent string, server bool) {
	condition := pick(m, `$http_x_a`, `$http_x_a = 1`, `$http_x_a ~* ^e`, `$http_x_a !~ ^(?!e)`, `$mapped`, `$mapped = 0`, `$place`, `$request_method = POST`, `$request_method !~ ^(GET|HEAD)$`,
		`$arg_k != good`, `$arg_k = bad`, `$cookie_k != good`, `$cookie_k ~ bad`, `$v = 1`, `$v = 0`, `$uri ~ c`, `$request_uri ~ \.\.`, `$args ~ k`, `$remote_user = ""`, `$http_referer !~ a`, `$host = a.test`, `$query_string ~ bad`)
	code := pick(m, "403", "403", "404", "401", "444")
	n := m.IntN(14)
	if server && (n == 3 || n == 4) || strings.Contains(m.b.String()[strings.LastIndex(m.b.String(), "{"):], "satisfy") && n == 5 {
		n = 8
	}
	switch n {
	case 0, 1:
		m.once(indent, "deny all;")
	case 2:
		m.once(indent, pick(m, "allow 10.0.0.0/8; deny all;", "deny 10.0.0.1; allow all;", "allow all;"))
	case 3:
		m.once(indent, pick(m, "limit_except GET { deny all; }", "limit_except POST { deny all; }", "limit_except GET { auth_basic x; auth_basic_user_file f; }", "limit_except GET POST { allow 10.0.0.0/8; deny all; }"))
	case 4:
		m.once(indent, "internal;")
	case 5:
		m.once(indent, "satisfy any;")
	case 6:
		m.once(indent, "auth_basic x; auth_basic_user_file f;")
	case 7:
		m.once(indent, "auth_basic off;")
	case 8, 9, 10:
		if strings.HasPrefix(condition, "$v") || m.chance(20) {
			m.f("%sset $v %d;\n%sif (%s) { set $v %d; }\n", indent, m.IntN(2), indent, pick(m, `$http_x_a ~* e`, `$request_method = POST`, `$mapped`, `$arg_k = bad`), m.IntN(2))
		}
		m.f("%sif (%s) { return %s; }\n", indent, condition, code)
	case 11:
		m.f("%sif (%s) { %s }\n", indent, condition, pick(m, "set $w 1;", "break;", "rewrite ^ /in last;", "set $w 2;"))
	case 12:
		m.once(indent, fmt.Sprintf("error_page %s %s;", code, pick(m, "= @x", "= /in", "/none.html", "=200 @y")))
	case 13:
		m.f("%srewrite %s %s;\n", indent, pick(m, "^/b/(.*)$ /a/$1", "^/c /in", `\.php$ /b/c`, "^/(?!b)c /in"), pick(m, "last", "break", ""))
	}
}

// once writes a directive unless it stands in the block already.
func (m *maker) once(indent, text string) {
	all := m.b.String()
	block := all[max(strings.LastIndex(all, "location "), strings.LastIndex(all, "server {"), 0):]
	name, _, _ := strings.Cut(text, " ")
	if !strings.Contains(block, "\n"+indent+strings.TrimSuffix(name, ";")) || name == "error_page" {
		m.f("%s%s\n", indent, text)
	}
}

func (m *maker) serve(indent string) {
	m.f("%s%s\n", indent, pick(m, "proxy_pass http://127.0.0.1:9001;", "proxy_pass http://127.0.0.1:9001;", "proxy_pass http://127.0.0.1:9001;", "try_files /none @x;", "try_files /none @y;", "try_files /none /in;",
		"return 418;", "return 403;"))
}

func (m *maker) gatedRequest() (method, target string, headers [][2]string) {
	method = pick(m, "GET", "GET", "GET", "POST", "HEAD", "DELETE")
	target = pick(m, "/", "/a", "/a/", "/a/b", "/a/bc", "/b/", "/b/c", "/b/c/d", "/x.php", "/a/x.php", "/b/x.php", "/c", "/C/x", "/in", "/in/x", "/zz", "/a/../b/c", "/%61/b", "//a/b")
	if m.chance(30) {
		target += pick(m, "?k=good", "?k=bad", "?k=bad&k=good", "?x=1&k=good", "?", "?k", "?K=good")
	}
	if m.chance(40) {
		headers = append(headers, [2]string{"X-A", pick(m, "1", "0", "evil", "Evil", "")})
	}
	if m.chance(30) {
		headers = append(headers, [2]string{"Cookie", pick(m, "k=good", "k=bad", "k=bad; k=good", "z=1; k=good", "z=1,k=good")})
	}
	return method, target, headers
}
