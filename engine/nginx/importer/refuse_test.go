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
		"back-reference":        {"", `location ~ ^/(.)\1 { internal; proxy_pass http://u; }`, `~ ^/(.)\1`},
	} {
		t.Run(name, func(t *testing.T) {
			r := importedHTTP(t, c.http, c.server)
			i := slices.IndexFunc(routesFrom(t, r), func(r *routev3.Route) bool { return r.GetName() == c.route })
			if i < 0 || routesFrom(t, r)[i].GetDirectResponse().GetStatus() != 403 {
				t.Errorf("no route %q answers 403", c.route)
			}
			if !slices.ContainsFunc(r.Report, func(e Entry) bool { return e.Kind == nginx.None && strings.Contains(e.Reason, "is refused (403)") }) {
				t.Errorf("the report: %+v", r.Report)
			}
		})
	}
}
