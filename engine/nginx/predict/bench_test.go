package predict_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// large is a server of n locations.
func large(n int) string {
	var b strings.Builder
	b.WriteString("events {}\nhttp {\nserver { listen 8080;\n")
	for i := range n {
		fmt.Fprintf(&b, "location /service-%05d/ { proxy_pass http://127.0.0.1:9001; }\n", i)
	}
	b.WriteString("}\n}\n")
	return b.String()
}

// BenchmarkAnswer is an answer with all its losers, beside a plain walk over the
// names and beside the same with few locations: the cost is to grow with the
// number, and no faster.
func BenchmarkAnswer(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		c, err := conf.Parse("nginx.conf", conf.Text(large(n)))
		if err != nil {
			b.Fatal(err)
		}
		s := predict.New(c)
		target := fmt.Sprintf("/service-%05d/x", n/2)
		b.Run(fmt.Sprint("answer/", n), func(b *testing.B) {
			for b.Loop() {
				s.Answer(predict.Request{Host: "a", Target: target})
			}
		})
		b.Run(fmt.Sprint("walk/", n), func(b *testing.B) {
			for b.Loop() {
				walk(c.Main, target)
			}
		})
		b.Run(fmt.Sprint("new/", n), func(b *testing.B) {
			for b.Loop() {
				predict.New(c)
			}
		})
	}
}

// walk is the longest prefix, found as plainly as can be, with a sentence for each
// of the others.
func walk(main []*conf.Directive, target string) (best string, others []string) {
	for _, http := range main {
		for _, server := range http.Block {
			for _, l := range server.Block {
				if strings.HasPrefix(target, l.Arg(0)) && len(l.Arg(0)) > len(best) {
					best = l.Arg(0)
				} else if l.Name == "location" {
					others = append(others, "the path "+target+" does not begin with "+l.Arg(0))
				}
			}
		}
	}
	return best, others
}
