package importer

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"example.com/meshtui/engine/nginx/conf"
)

// BenchmarkImport is the import of a large configuration, and how many times as
// long it takes as crossplane's parsing of the text alone, in the same run. The
// budget of 10,000 locations is a second, parsing included.
func BenchmarkImport(b *testing.B) {
	const n = 10_000
	var locations, servers, upstreams strings.Builder
	locations.WriteString("events {} http { upstream u { server 127.0.0.1:1; } server { listen 80; server_name a.example;\n")
	servers.WriteString("events {} http { upstream u { server 127.0.0.1:1; }\n")
	upstreams.WriteString("events {} http {\n")
	for i := range n {
		switch i % 10 {
		case 0:
			fmt.Fprintf(&locations, "location = /exact/%d { return 204; }\n", i)
		case 1:
			fmt.Fprintf(&locations, "location ~ ^/item/%d/[0-9]+$ { proxy_pass http://u; }\n", i)
		default:
			fmt.Fprintf(&locations, "location /service/%d/ { proxy_pass http://u/; proxy_set_header Host $host; }\n", i)
		}
		fmt.Fprintf(&servers, "server { listen 443 ssl; server_name h%d.example; ssl_certificate c%d.pem; ssl_certificate_key k%d.pem; location / { proxy_pass http://u; } }\n", i, i%10, i%10)
		fmt.Fprintf(&upstreams, "upstream u%d { server 127.0.0.1:%d weight=2; server 127.0.0.2:%d backup; }\n", i, i+1, i+1)
	}
	locations.WriteString("} }")
	servers.WriteString("}")
	upstreams.WriteString("}")
	for _, c := range []struct{ name, text string }{{"locations", locations.String()}, {"servers", servers.String()}, {"upstreams", upstreams.String()}} {
		b.Run(c.name, func(b *testing.B) {
			var parsing, whole time.Duration
			for b.Loop() {
				began := time.Now()
				_, err := crossplane.Parse("nginx.conf", &crossplane.ParseOptions{SkipDirectiveContextCheck: true, SkipDirectiveArgsCheck: true, SingleFile: true,
					Open: func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(c.text))), nil }})
				parsing += time.Since(began)
				if err != nil {
					b.Fatal(err)
				}
				began = time.Now()
				parsed, err := conf.Parse("nginx.conf", conf.Text(c.text))
				if err != nil {
					b.Fatal(err)
				}
				if r := Import(parsed); r.Mesh.Len() == 0 {
					b.Fatal("nothing was imported")
				}
				whole += time.Since(began)
			}
			b.ReportMetric(float64(whole)/float64(parsing), "x-parsing")
			b.ReportMetric(float64(whole.Milliseconds())/float64(b.N), "ms/import")
		})
	}
}

// BenchmarkTwiceAsMuch is how many times as long a file of twice the length takes,
// in the same run: about 2 where nothing is done for each pair of its lines.
func BenchmarkTwiceAsMuch(b *testing.B) {
	for _, c := range []struct {
		name          string
		n             int
		before, after string // around the lines
		line          string
	}{
		{"files", 2000, "http { server { listen 80;", "} }", "location /s#/ { root /srv/#; }"},
		{"map", 5000, "http { map $http_x $ok { default 0;", "} server { listen 80; if ($ok = 0) { return 403; } return 200; } }", "key# 1;"},
		{"names", 1000, "http {", "}", "server { listen 80; server_name www.e s#.e; return 200; }"},
		{"rewrites", 500, "http { server { listen 80;", "return 200; } }", "rewrite ^/old#$ /new# permanent;"},
		{"streams", 1000, "stream { map $ssl_preread_server_name $up {", "} server { listen 443; ssl_preread on; proxy_pass $up; } }", "n#.e 127.0.0.1:1#;"},
	} {
		b.Run(c.name, func(b *testing.B) {
			took := func(n int) time.Duration {
				text := c.before + many(n, c.line) + c.after
				began := time.Now()
				parsed, err := conf.Parse("nginx.conf", conf.Text(text))
				if err != nil {
					b.Fatal(err)
				}
				Import(parsed)
				return time.Since(began)
			}
			var once, twice time.Duration
			for b.Loop() {
				once, twice = once+took(c.n), twice+took(2*c.n)
			}
			b.ReportMetric(float64(twice)/float64(once), "x-for-twice")
		})
	}
}
