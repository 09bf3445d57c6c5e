package importer

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx/conf"
)

// many is a text n times, # its number.
func many(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprint(i)) + "\n")
	}
	return b.String()
}

// TestWhatMultipliesOutIsBounded holds of short files that say a mesh without end,
// written out, that they are read to the end, that what is made of them is
// bounded, and that a server there is no room for lets nobody in and is reported.
func TestWhatMultipliesOutIsBounded(t *testing.T) {
	within := func(http, server string) string {
		return "events {} http { upstream u { server 127.0.0.1:1; }\n" + http + "\nserver { listen 80;\n" + server + "} }"
	}
	scopes := "proxy_pass http://u;"
	for range 9 {
		scopes = "location ~ r { " + many(6, "location /s#/ { proxy_pass http://u; location ~ in { return 201; } }") + scopes + " proxy_pass http://u; }"
	}
	for _, c := range []struct {
		name, text string
		closed     bool
	}{
		{"ifs that may go on", within("", "location / {"+many(40, "if ($http_x#) { rewrite ^/a#$ /b# break; }")+"proxy_pass http://u; }"), true},
		{"ifs of a server", within("", many(300, "if ($http_x# = 1) { rewrite ^/a /b last; }")+"location / { proxy_pass http://u; }"), true},
		{"expressions within expressions", within("", scopes), true},
		{"expressions 300 deep", within("", strings.Repeat("location ~ a.*b {", 300)+"proxy_pass http://u;"+strings.Repeat("}", 300)), true},
		{"a map of upstreams for each location", within("map $http_x $up { default u; "+many(600, "key# u;")+"}", many(600, "location /s#/ { proxy_pass http://$up; }")), true},
		{"addresses for each location", within(many(1000, "allow 10.0.#.0/24;")+"deny all;", many(1000, "location /s#/ { proxy_pass http://u; }")), true},
		{"a long header for each location", within("add_header x "+strings.Repeat("y", 1<<18)+";", many(1000, "location /s#/ { proxy_pass http://u; }")), true},
		{"values of values", within("", "set $y '';"+many(100, `if ($http_x# = 1) { set $y "${y}#"; }`)+"if ($y = 012) { return 403; } location / { proxy_pass http://u; }"), false},
		{"ports", within("", many(100, "listen 127.0.0.#:1000-1063;")+many(100, "location /s#/ { proxy_pass http://u; }")), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := conf.Parse("nginx.conf", conf.Text(c.text))
			if err != nil {
				t.Fatal(err)
			}
			const room = 2 << 20 // a sixteenth or so, which shows it as well
			im := newImporter(parsed)
			im.space, im.room = room, room
			r := im.run()
			size := 0
			for _, m := range r.Mesh.All() {
				size += proto.Size(m.Message)
			}
			if size > 2*room {
				t.Errorf("%d bytes of resources, and no more than %d were to be made", size, 2*room)
			}
			told := false
			for _, e := range r.Report {
				told = told || strings.Contains(e.Reason, "multiply out")
			}
			if told != c.closed {
				t.Errorf("closed and said so: %v, want %v", told, c.closed)
			}
		})
	}
}

// TestAClosedServerLetsNobodyIn is what a server is that there was no room for.
func TestAClosedServerLetsNobodyIn(t *testing.T) {
	parsed, err := conf.Parse("nginx.conf", conf.Text("events {} http { server { listen 80; location /a { return 200; } location /b { deny all; } } }"))
	if err != nil {
		t.Fatal(err)
	}
	im := newImporter(parsed)
	im.room = -1
	sv := im.conf.Named("http")[0].Children("server")[0]
	routes := im.routesOf(&site{}, &server{d: sv, names: []string{""}})
	if len(routes) != 1 || routes[0].GetMatch().GetPrefix() != "/" || routes[0].GetDirectResponse().GetStatus() != 403 {
		t.Errorf("got %v", routes)
	}
	if !im.claimed[sv] || len(im.report) != 1 {
		t.Errorf("the report has %v", im.report)
	}
}
