package predict_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/nginx/predict"
)

var update = flag.Bool("update", false, "write what Answer says into the golden files")

// A golden file is an nginx.conf, then each request with its explanation. A
// request is "METHOD TARGET Host: H", and more words: "HTTP/1.0", "tls=SNI",
// "to=ADDRESS:PORT", "Name: value".
func TestExplains(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newServer(t, string(a.Files[0].Data))
			for i, f := range a.Files[1:] {
				got := explained(s.Answer(requestOf(t, f.Name)))
				if *update {
					a.Files[i+1].Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func requestOf(t *testing.T, line string) predict.Request {
	t.Helper()
	parts := strings.Split(line, " | ")
	r := predict.Request{}
	r.Method, r.Target, _ = strings.Cut(parts[0], " ")
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, ": ")
		switch {
		case p == "HTTP/1.0":
			r.HTTP10 = true
		case name == "Host" && r.Host == "":
			r.Host = value
		case name == "SNI":
			r.TLS, r.SNI = true, value
		case name == "To":
			at := strings.LastIndexByte(value, ':')
			port, err := strconv.Atoi(value[at+1:])
			if err != nil {
				t.Fatal(err)
			}
			r.Port = uint32(port)
			if at > 0 {
				r.Address = netip.MustParseAddr(value[:at])
			}
		default:
			r.Headers = append(r.Headers, [2]string{name, value})
		}
	}
	return r
}

// explained is an answer as the screen might show it.
func explained(a predict.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", a.Action)
	for _, p := range [][2]string{{"status", strings.TrimPrefix(strconv.Itoa(a.Status), "0")}, {"location", a.Redirect}, {"body", a.Body}, {"upstream", a.Upstream}, {"sent", a.Sent}, {"host", a.Host}} {
		if p[1] != "" {
			fmt.Fprintf(&b, " %s=%s", p[0], p[1])
		}
	}
	for _, s := range a.Split {
		fmt.Fprintf(&b, " %s=%g%%", s.Upstream, s.Percent)
	}
	b.WriteString("\n")
	for _, s := range a.Steps {
		fmt.Fprintf(&b, "  %-8s %s: %s\n", s.Kind, s.Name, s.Why)
	}
	for _, l := range a.Losers {
		fmt.Fprintf(&b, "  not %s: %s\n", l.Name, l.Reason)
	}
	for _, c := range a.Caveats {
		fmt.Fprintf(&b, "  but %s\n", c)
	}
	return b.String()
}
