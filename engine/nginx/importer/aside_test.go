package importer

import (
	"strings"
	"testing"
)

// TestARewriteLeadsPastNoRefusal looks at what becomes of a rewrite whose path may
// belong to a location that refuses requests.
func TestARewriteLeadsPastNoRefusal(t *testing.T) {
	t.Parallel()
	const some, all = "what it rewrites to a path of a location that refuses requests is refused here", "all that it rewrites is refused here"
	for _, c := range []struct{ rewrite, location, want string }{
		{"^/a/(.*)$ /$1", "/shut { deny all; }", some},
		{"^/a/(.*)$ /$1", "= /shut { return 403; }", some},
		{"^/a/(.*)$ /$1", `~ /\.ht { deny all; }`, some},
		{"^/a/(.*)$ /$1", "~ ^/shut/ { deny all; }", some},
		{"^/a-(.*)$ /$1", `~ /\.ht { deny all; }`, all},
		{"^/a/([a-z]+)$ /$1", "/shut { deny all; }", all},
		{"^/a/(.*)$ /b/$1", "/shut { deny all; }", ""},
		{"^/a/(.*)$ /b/$1", "~ ^/shut/ { deny all; }", ""},
		{"^/a/(.*)$ /$1", "/open { return 200; }", ""},
	} {
		got := told(imported(t, "events {}\nhttp { server { listen 127.0.0.1:8080;\nlocation / { return 200; }\nlocation /a { rewrite "+c.rewrite+" last; }\nlocation "+c.location+"\n} }"))
		for _, said := range []string{some, all} {
			if strings.Contains(got, said) != (said == c.want) {
				t.Errorf("rewrite %s beside location %s: %q is said: %v", c.rewrite, c.location, said, said != c.want)
			}
		}
	}
}
