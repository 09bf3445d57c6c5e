package importer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// routesIn are the routes of the one virtual host with a location, by name.
func routesIn(t *testing.T, r *Result) map[string]*routev3.Route {
	t.Helper()
	out := map[string]*routev3.Route{}
	for _, res := range r.Mesh.List(mesh.Route) {
		for _, vh := range res.Message.(*routev3.RouteConfiguration).GetVirtualHosts() {
			for _, route := range vh.GetRoutes() {
				if _, ok := out[route.GetName()]; !ok {
					out[route.GetName()] = route
				}
			}
		}
	}
	return out
}

func reported(r *Result, line int, text string) bool {
	for _, e := range r.Report {
		if e.Line == line && strings.Contains(e.Reason, text) {
			return true
		}
	}
	return false
}

const passing = "location /app/ { proxy_pass http://127.0.0.1:9001; }\n location @app { %s proxy_pass http://127.0.0.1:9002; }"

func TestTryFilesKeepsTheChecksOfItsLocation(t *testing.T) {
	for _, c := range []struct {
		outer, inner string
		closed       bool
		policies     int
	}{
		{"deny all;", "", true, 0},
		{"auth_basic x; auth_basic_user_file f;", "", true, 0},
		{"allow 10.0.0.0/8; deny all;", "", false, 1},
		{"allow 10.0.0.0/8; deny all;", "allow 192.0.2.0/24; deny all;", false, 1},
		{"deny all;", "allow 192.0.2.0/24; deny all;", true, 0},
		{"allow 192.0.2.0/24; deny all;", "deny all;", true, 0},
		{"limit_except GET { deny all; }", "allow 192.0.2.0/24; deny all;", false, 1},
	} {
		for _, to := range []string{"@app", "/app/x"} {
			r := imported(t, "events {} http { server { listen 80; location / { "+c.outer+" try_files $uri "+to+"; }\n"+
				strings.ReplaceAll(strings.Replace(passing, "%s", c.inner, 1), "/app/ {", "/app/ { "+c.inner)+"} }")
			wellMade(t, r)
			rules := rulesOf(routesIn(t, r)["/"])
			if rules == nil {
				t.Errorf("%s %s: everybody may come in", c.outer, to)
				continue
			}
			shut := rules.GetAction() == rbacv3.RBAC_DENY && rules.GetPolicies()["access"].GetPrincipals()[0].GetAny()
			if shut != c.closed || !shut && len(rules.GetPolicies()) != c.policies {
				t.Errorf("%s | %s %s: %v", c.outer, c.inner, to, rules)
			}
		}
	}
}

func TestWhatGoesRoundEnds(t *testing.T) {
	for _, text := range []string{
		"location /y { try_files $uri @y; } location @y { try_files $uri @y; }",
		"location / { try_files $uri @a; } location @a { try_files $uri @b; } location @b { try_files $uri @a; }",
		"location / { if ($http_x) { return 403; } if ($http_y) { return 404; } try_files $uri /index.html; }",
		"location / { if ($http_x) { rewrite ^ /a last; } try_files $uri /b; } location /b { try_files $uri /a; }",
		"error_page 404 = @e; location / { return 404; } location @e { return 404; }",
		"recursive_error_pages on; error_page 404 = /x; location / { return 404; } location @e { error_page 404 = @e; return 404; }",
		"location / { rewrite ^/(.*)$ /a/$1 last; }",
	} {
		r := imported(t, "events {} http { server { listen 80;\n"+text+"\n} }")
		wellMade(t, r)
		if n := len(routesIn(t, r)); n > 50 {
			t.Errorf("%s: %d routes", text, n)
		}
	}
	r := imported(t, "events {} http { server { listen 80;\nlocation /y { try_files $uri @y; } location @y { try_files $uri @y; } } }")
	if got := routesIn(t, r)["/y"].GetDirectResponse().GetStatus(); got != 500 || !reported(r, 2, "ten internal redirects") {
		t.Errorf("status %d\n%s", got, told(r))
	}
}

func TestATextThatDoublesIsFollowedNoFurther(t *testing.T) {
	r := imported(t, "events {} http { server { listen 80; location / { set $a xxxxxxxxxx;\n"+strings.Repeat(`set $a "$a$a";`, 40)+" return 200 $a; } } }")
	if !reported(r, 2, "followed no further") {
		t.Error(told(r))
	}
}

func TestErrorPageOfAReturnIsFollowed(t *testing.T) {
	r := imported(t, `events {} http { server { listen 80; error_page 418 = @c; error_page 404 /none.html; error_page 405 = /app/x;
	location /a { return 418; }
	location /b { if ($http_x_c) { return 418; } proxy_pass http://127.0.0.1:9001; }
	location /d { return 404; }
	location /f { return 405; }
	location /app/ { proxy_pass http://127.0.0.1:9003; }
	location @c { proxy_pass http://127.0.0.1:9002; }
	location /e { error_page 403 = @c; deny all; proxy_pass http://127.0.0.1:9001; }
} }`)
	wellMade(t, r)
	got := routesIn(t, r)
	for name, cluster := range map[string]string{"/a": "127.0.0.1:9002", "/b if $http_x_c": "127.0.0.1:9002", "/f": "127.0.0.1:9003"} {
		if got[name].GetRoute().GetCluster() != cluster {
			t.Errorf("%s: %v of %v", name, got[name], slices.Collect(maps.Keys(got)))
		}
	}
	if got["/d"].GetDirectResponse().GetStatus() != 404 {
		t.Errorf("/d: %v", got["/d"])
	}
	if !reported(r, 8, "Envoy has no file and no other location") {
		t.Error(told(r))
	}
}

// Ten times the rules are some ten times the text, not a hundred times.
func TestManyAccessRulesStayInProportion(t *testing.T) {
	size := func(n int) int {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "deny 10.%d.%d.0/25; allow 10.%d.%d.0/24;\n", i/256, i%256, i/256, i%256)
		}
		r := imported(t, "events {} http { server { listen 80; location / { "+b.String()+" deny all; proxy_pass http://127.0.0.1:1; } } }")
		rules := rulesOf(routesIn(t, r)["/"])
		return proto.Size(rules)
	}
	if few, many := size(150), size(1500); many > 20*few {
		t.Errorf("150 rules are %d bytes, 1,500 are %d", few, many)
	}
}

func TestTheFirstOfManyRulesDecides(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var takes func(p *rbacv3.Principal, ip string) bool
	takes = func(p *rbacv3.Principal, ip string) bool {
		in := func(p *rbacv3.Principal) bool { return takes(p, ip) }
		switch k := p.GetIdentifier().(type) {
		case *rbacv3.Principal_Any:
			return true
		case *rbacv3.Principal_RemoteIp:
			return k.RemoteIp.GetAddressPrefix() == ip
		case *rbacv3.Principal_NotId:
			return !in(k.NotId)
		case *rbacv3.Principal_OrIds:
			return slices.ContainsFunc(k.OrIds.GetIds(), in)
		case *rbacv3.Principal_AndIds:
			return !slices.ContainsFunc(k.AndIds.GetIds(), func(p *rbacv3.Principal) bool { return !in(p) })
		}
		t.Fatalf("%v", p)
		return false
	}
	for range 200 {
		var rules []rule
		first := map[string]bool{}
		for range rng.IntN(150) {
			ip, allow := fmt.Sprint(rng.IntN(60)), rng.IntN(2) == 0
			rules = append(rules, rule{client(&corev3.CidrRange{AddressPrefix: ip}), allow})
			if _, known := first[ip]; !known {
				first[ip] = allow
			}
		}
		in := letIn(rules)
		for n := range 62 {
			ip := fmt.Sprint(n)
			if got := slices.ContainsFunc(in, func(p *rbacv3.Principal) bool { return takes(p, ip) }); got != first[ip] {
				t.Fatalf("%d rules let %s in: %v", len(rules), ip, got)
			}
		}
	}
}
