package conf

import "testing"

// TestLooks tells an nginx.conf from what else is opened.
func TestLooks(t *testing.T) {
	for text, want := range map[string]bool{
		"user www-data;\n":                        true,
		"# a comment\n\nhttp {\n  server {}\n}\n": true,
		"server\n{\n  listen 80;\n}\n":            true,
		"upstream app { server 127.0.0.1:1; }":    true,
		"location / {":                            true,
		"worker_processes\n  auto;\n":             true,
		"":                                        false,
		"# only a comment\n":                      false,
		"{\n  \"configs\": []\n}\n":               false,
		"[1]":                                     false,
		"---\nstatic_resources:\n  listeners: []\n":       false,
		"static_resources: {\n  listeners: [],\n}\n":      false,
		"resources:\n- \"@type\": x\n":                    false,
		"- name: a;\n":                                    false,
		"\"static_resources\": {\n":                       false,
		"admin: {address: {pipe: {path: /a;}}};\n":        false,
		"name: x\nroutes: [{match: {prefix: /}}]; # no\n": false,
	} {
		if got := Looks(text); got != want {
			t.Errorf("%q looks like an nginx.conf: %t, want %t", text, got, want)
		}
	}
}
