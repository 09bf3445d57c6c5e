package match_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// Any bytes as a mesh and as a request end in an answer.
func FuzzMatch(f *testing.F) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		a := txtar.Parse(data)
		for _, yaml := range []string{section(a, "lds.yaml"), section(a, "rds.yaml")} {
			items, _, _ := text.Items("resources:\n"+yaml, "resources")
			for _, item := range items {
				f.Add(item.Text, "GET", "a.example:80", "/a/../b?c", "x-a", "1", uint16(80), uint8(3))
			}
		}
	}
	f.Add("", "CONNECT", "[::1", "%", ":protocol", "x", uint16(0), uint8(255))
	f.Fuzz(func(t *testing.T, yaml, method, host, path, name, value string, port uint16, flags uint8) {
		var all []*mesh.Resource
		for _, kind := range []mesh.Type{mesh.Listener, mesh.Route, mesh.Cluster} {
			if r, _ := text.Decode(kind, text.Whole("", yaml)); r != nil {
				all = append(all, r)
			}
		}
		m, err := mesh.New(all...)
		if err != nil {
			t.Skip(err)
		}
		matcher := match.New(m)
		r := match.Request{
			Method: method, Host: host, Path: path, Headers: h(name, value), Port: uint32(port),
			TLS: flags&1 != 0, HTTP10: flags&2 != 0, HTTP2: flags&4 != 0, Presented: flags&8 != 0,
		}
		if flags&16 != 0 {
			r.Address = netip.IPv6Loopback()
		}
		for _, l := range append(matcher.Listeners(), match.Listener{}) {
			r.Listener = l.Name
			e := matcher.Explain(&r)
			if e.Action == "" || e.Target() == "" {
				t.Errorf("no answer: %+v", e.Way)
			}
			if ends := e.Action == match.Forward || e.Action == match.TCPProxy || e.Action == match.DirectResponse || e.Action == match.Redirect; !ends && e.Reason == "" {
				t.Errorf("%s without a reason", e.Action)
			}
			match.Differences(e.Way, match.Seen{Status: int(flags), Clusters: []string{name}})
		}
	})
}
