package importer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/meshtui/xds/xdstest/nginxtest"
)

// who is a site that asks a service who somebody is, and tells the upstream.
const who = `
events {}
http {
  upstream one { server ONE; }
  upstream service { server SERVICE; }
  server {
    listen LISTEN;
    location = /auth { internal; proxy_pass http://service; }
    location / { auth_request /auth; auth_request_set $user $upstream_http_x_user; proxy_set_header X-User $user; proxy_pass http://one; }
    location /twice { auth_request /auth; auth_request_set $user $upstream_http_x_user; auth_request_set $role $upstream_http_x_role;
      proxy_set_header X-User $user; proxy_set_header X-Role $role; proxy_pass http://one; }
  }
}`

// TestNobodySaysWhoHeIs: the upstream hears the service's word or none, whatever the
// client says.
func TestNobodySaysWhoHeIs(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch cookie := r.Header.Get("Cookie"); cookie {
		case "alice":
			w.Header().Set("X-User", "alice")
			w.Header().Set("X-Role", "guest")
		case "":
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(service.Close)
	one := nginxtest.NewEcho(t, "one")
	b := onBoth(t, strings.NewReplacer("ONE", one.Address, "SERVICE", service.Listener.Addr().String()).Replace(who))
	var raws []string
	for _, path := range []string{"/", "/twice"} {
		for _, cookie := range []string{"alice", "stranger"} {
			raws = append(raws, get("GET", "a.test", path, "Cookie: "+cookie), get("GET", "a.test", path, "Cookie: "+cookie, "X-User: root"),
				get("GET", "a.test", path, "Cookie: "+cookie, "x-user: root", "X-USER: bob", "X-Role: root"))
		}
	}
	sameUpstreamFor(t, b, raws)
	if n, e := b.ask(get("GET", "a.test", "/", "X-User: root")); n.Status != 403 || e.Status != 403 {
		t.Errorf("nobody: nginx %d, Envoy %d", n.Status, e.Status)
	}
}
