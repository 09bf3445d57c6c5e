package merge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	nginxconf "example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/merge"
)

// manyLocations is a mesh of n locations in ten servers, some with what they
// have of their own.
func manyLocations(b *testing.B, n int) (*mesh.Mesh, *nginx.Config) {
	b.Helper()
	var conf strings.Builder
	conf.WriteString("events {}\nhttp {\nupstream app { server 127.0.0.1:9001; server 127.0.0.1:9002; }\nupstream api { server 127.0.0.1:9003; }\n")
	for s := range 10 {
		fmt.Fprintf(&conf, "server {\nlisten 8080;\nserver_name s%d.example.com;\n", s)
		for i := range n / 10 {
			switch i % 3 {
			case 0:
				fmt.Fprintf(&conf, "location /p%d-%d { proxy_pass http://app; }\n", s, i)
			case 1:
				fmt.Fprintf(&conf, "location = /e%d-%d { proxy_pass http://api; proxy_read_timeout %ds; }\n", s, i, 1+i%50)
			default:
				fmt.Fprintf(&conf, "location /r%d-%d/ { return 301 /q%d; }\n", s, i, i)
			}
		}
		conf.WriteString("}\n")
	}
	conf.WriteString("}\n")
	m := parseMesh(b, &txtar.Archive{Files: []txtar.File{{Name: "nginx.conf", Data: []byte(conf.String())}}})
	return m, nginx.Project(m)
}

// changedLines is the text with n of its redirects in another form.
func changedLines(conf string, n int) string {
	lines := strings.Split(conf, "\n")
	for i, l := range lines {
		if n > 0 && strings.Contains(l, "return 301 ") {
			lines[i] = strings.Replace(l, "return 301", "return 302", 1)
			n--
		}
	}
	return strings.Join(lines, "\n")
}

// BenchmarkMerge is an edit of one line among 10,000 locations, and one of 300
// lines among 5,000, with the check of what comes of it, as a multiple of parsing
// the text.
func BenchmarkMerge(b *testing.B) {
	for _, c := range []struct{ locations, lines int }{{10_000, 1}, {5_000, 300}} {
		b.Run(fmt.Sprintf("%d of %d", c.lines, c.locations), func(b *testing.B) {
			m, shown := manyLocations(b, c.locations)
			text := changedLines(shown.String(), c.lines)
			parsed := time.Now()
			for range 3 {
				if _, err := nginxconf.Parse("nginx.conf", nginxconf.Text(text)); err != nil {
					b.Fatal(err)
				}
			}
			parse := time.Since(parsed).Nanoseconds() / 3
			b.ResetTimer()
			for b.Loop() {
				c, err := merge.Merge(m, shown, text)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Verify(m, shown, text, check.Mesh); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(parse), "x-parse")
		})
	}
}
