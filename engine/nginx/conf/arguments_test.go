package conf

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
)

// What nginx -t (1.22.1) says of each: an argument that it refuses is an error here.
func TestArgumentsThatNginxRefuses(t *testing.T) {
	for line, refused := range map[string]bool{
		"deny al;": true, "deny ALL;": true, "deny 10.0.0/8;": true, "deny 10.0.0.0/33;": true, "deny 10.0.0.0/255.0.0.0;": true, "allow a$b;": true,
		"deny all;": false, "deny 010.0.0.1;": false, "deny 10.0.0.1/8;": false, "deny 10.0.0.0/08;": false, "deny fe80::1/10;": false, "deny ::/0;": false, "deny unix:;": false,
		"satisfy ANY;": false, "satisfy both;": true, "ssl_verify_client On;": false, "ssl_verify_client maybe;": true,
		"location /y { limit_except get { deny all; } }": false, "location /y { limit_except FOO { deny all; } }": true,
		"location /y { return 1000; }": true, "location /y { return abc; }": true, "location /y { return /abc; }": true, `location /y { return ""; }`: true,
		"location /y { return 99; }": false, "location /y { return $scheme://x; }": false, "location /y { return 200 abc; }": false,
	} {
		c, err := Parse("nginx.conf", Text(fmt.Sprintf("events {}\nhttp { server { listen 80;\n%s\n} }\n", line)))
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, p := range c.Problems {
			got = got || p.Severity == mesh.Error && p.Line == 3
		}
		if got != refused {
			t.Errorf("%s is an error: %v, want %v: %v", line, got, refused, c.Problems)
		}
	}
}

func TestBlocksAreNotEndlesslyDeep(t *testing.T) {
	c, err := Parse("nginx.conf", Text("events {}\nhttp { server { "+strings.Repeat("location / {", 20000)+strings.Repeat("}", 20000)+" } }"))
	if err != nil || len(c.Problems) != 1 || c.Problems[0].Severity != mesh.Error || !strings.Contains(c.Problems[0].Message, "nested") {
		t.Errorf("20,000 deep: %v, %v", c, err)
	}
}

// Where nginx does not look at the case, a rule must not be lost by it.
func TestWordsWithoutCase(t *testing.T) {
	c, err := Parse("nginx.conf", Text("http { map $a $b { default On; } server { ssl_verify_client On; satisfy ANY; proxy_buffering OFF; location /x { limit_except get { deny all; } } } }"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for d := range c.All() {
		got[d.Name] = d.Arg(0)
	}
	for name, want := range map[string]string{"ssl_verify_client": "on", "satisfy": "any", "proxy_buffering": "off", "limit_except": "GET", "default": "On"} {
		if got[name] != want {
			t.Errorf("%s %s, want %s", name, got[name], want)
		}
	}
}
