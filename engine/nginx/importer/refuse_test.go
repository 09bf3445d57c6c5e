package importer

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// importedHTTP is what a server with this text becomes, with `location /` and an
// upstream behind it.
func importedHTTP(t *testing.T, http, server string) *Result {
	t.Helper()
	c, err := conf.Parse("nginx.conf", conf.Text("events {} http { upstream u { server 127.0.0.1:1; }\n"+http+"\nserver { listen 80;\n"+server+"\n location / { proxy_pass http://u; } } }"))
	if err != nil {
		t.Fatal(err)
	}
	return Import(c)
}

// routesFrom are the routes of the one route configuration.
func routesFrom(t *testing.T, r *Result) (out []*routev3.Route) {
	t.Helper()
	for _, one := range r.Mesh.All() {
		if rc, ok := one.Message.(*routev3.RouteConfiguration); ok {
			for _, vh := range rc.GetVirtualHosts() {
				out = append(out, vh.GetRoutes()...)
			}
		}
	}
	return out
}

// TestRefusalsStay holds that what nginx refuses by what Envoy cannot tell is not
// open in Envoy, and that the report says so.
func TestRefusalsStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ http, server, route string }{
		"denied by look-ahead":  {"", `location ~ ^/(?!.*\.js$)x { deny all; }`, `~ ^/(?!.*\.js$)x`},
		"password, look-behind": {"", `location ~ ^/(.*)(?<!a)$ { auth_basic x; auth_basic_user_file f; proxy_pass http://u; }`, `~ ^/(.*)(?<!a)$`},
		"within it":             {"", `location ~ ^/(?!.*a) { proxy_pass http://u; location ~ b { return 403; } }`, `~ ^/(?!.*a)`},
		"if at the server":      {`geo $bad { ranges; default 0; }`, `if ($bad) { return 403; }`, `/`},
		"if on the location":    {"", `location /x { if ($ssl_client_s_dn = x) { return 403; } proxy_pass http://u; }`, `/x`},
		"if of what was set":    {"", `set $b 0; if ($remote_addr ~ ^10) { set $b 1; } if ($b = 1) { return 444; }`, `/`},
		"if with look-ahead":    {"", `if ($request_uri ~ ^/(?!.*x)) { return 403; }`, `/`},
		"back-reference":        {"", `location ~ ^/(.)\1 { internal; proxy_pass http://u; }`, `~ ^/(.)\1`},
	} {
		t.Run(name, func(t *testing.T) {
			r := importedHTTP(t, c.http, c.server)
			if closed, open := closedRoutes(t, r, c.route); closed == 0 || open > 0 {
				t.Errorf("%s: %d routes closed, %d open", c.route, closed, open)
			}
			if !slices.ContainsFunc(r.Report, func(e Entry) bool { return e.Kind == nginx.None && strings.Contains(e.Reason, "is refused (403)") }) {
				t.Errorf("the report: %+v", r.Report)
			}
		})
	}
}

// closedRoutes counts the routes with this name that are closed to some, or answer
// by themselves, and those that let everybody in.
func closedRoutes(t *testing.T, r *Result, name string) (closed, open int) {
	t.Helper()
	for _, route := range routesFrom(t, r) {
		switch {
		case !strings.HasPrefix(route.GetName(), name):
		case route.GetDirectResponse() != nil || route.GetTypedPerFilterConfig()[filterRBAC] != nil:
			closed++
		default:
			open++
		}
	}
	return closed, open
}

// TestGatesStay holds that the access rules of a location go where its requests go.
func TestGatesStay(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]string{
		"try_files":             `location /x { deny all; try_files $uri @o; } location @o { proxy_pass http://u; }`,
		"limit_except and if":   `location /x { limit_except GET { deny all; } if ($arg_a) { set $x 1; } proxy_pass http://u; }`,
		"limit_except, return":  `location /x { limit_except POST { deny all; } return 200 x; }`,
		"a loop of try_files":   `location /x { deny all; try_files $uri @y; } location @y { try_files $uri @y; }`,
		"both have rules":       `location /x { allow 10.0.0.0/8; deny all; try_files $uri @o; } location @o { allow 10.1.0.0/16; deny all; proxy_pass http://u; }`,
		"set in an if, refused": `set $b 0; if ($http_x = evil) { set $b 1; } location /x { if ($b = 0) { return 403; } deny all; proxy_pass http://u; }`,
	} {
		t.Run(name, func(t *testing.T) {
			if closed, open := closedRoutes(t, importedHTTP(t, "", server), "/x"); closed == 0 || open > 0 {
				t.Errorf("%d routes closed, %d open", closed, open)
			}
		})
	}
}

// TestSetUnderACondition holds that what a server sets under a condition holds for
// the requests that meet it, and for no others.
func TestSetUnderACondition(t *testing.T) {
	t.Parallel()
	r := importedHTTP(t, "", `set $b 0; if ($http_user_agent ~* evil) { set $b 1; } if ($b = 1) { return 403; }`)
	refused, passed := 0, 0
	for _, route := range routesFrom(t, r) {
		agent := slices.ContainsFunc(route.GetMatch().GetHeaders(), func(h *routev3.HeaderMatcher) bool { return h.GetName() == "user-agent" })
		switch {
		case route.GetDirectResponse().GetStatus() == 403 && agent:
			refused++
		case route.GetRoute() != nil && !agent:
			passed++
		case route.GetDirectResponse().GetStatus() == 403 || route.GetRoute() != nil:
			t.Errorf("%v", route)
		}
	}
	if refused == 0 || passed == 0 {
		t.Errorf("%d refused, %d passed", refused, passed)
	}
}

// TestExpressionServersWantCertificates holds that a server whose name is an
// expression is not open to who shows no certificate.
func TestExpressionServersWantCertificates(t *testing.T) {
	t.Parallel()
	r := importedHTTP(t, `server { listen 443 ssl default_server; server_name pub.com; ssl_certificate c; ssl_certificate_key k; return 204; }
		server { listen 443 ssl; server_name ~^s[0-9]+\.com$; ssl_certificate c; ssl_certificate_key k; ssl_client_certificate ca; ssl_verify_client on; location / { proxy_pass http://u; } }`, "")
	all := routesFrom(t, r)
	guard := slices.IndexFunc(all, func(r *routev3.Route) bool {
		return r.GetName() == "nginx: no certificate" && len(r.GetMatch().GetHeaders()) == 1
	})
	pass := slices.IndexFunc(all, func(r *routev3.Route) bool { return r.GetRoute() != nil && len(r.GetMatch().GetHeaders()) > 0 })
	if guard < 0 || pass < guard {
		t.Errorf("the guard is route %d, the first that passes on %d", guard, pass)
	}
	if !slices.ContainsFunc(r.Report, func(e Entry) bool { return strings.Contains(e.Reason, "Envoy chooses the certificate by names") }) {
		t.Errorf("the report: %+v", r.Report)
	}
}
