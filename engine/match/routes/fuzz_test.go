package routes

import (
	"os"
	"path/filepath"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// FuzzTable holds that any table, as text or as a proto, answers any request
// with the same route by its index as by a walk, and with a reason for each
// loser.
func FuzzTable(f *testing.F) {
	names, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		config := txtar.Parse(data).Files[0].Data
		f.Add(config, "GET", "a.com:80", "/foo;p/x?q=1&r", "x-a", "\xe9")
		rc := &routev3.RouteConfiguration{}
		text.DecodeInto(rc, mesh.Source{Text: string(config)})
		packed, err := proto.Marshal(rc)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, "CONNECT", "[::1", "", "cookie", `s="v"; x`)
	}
	f.Fuzz(func(t *testing.T, config []byte, method, host, path, name, value string) {
		rc := &routev3.RouteConfiguration{}
		if proto.Unmarshal(config, rc) != nil {
			proto.Reset(rc)
			text.DecodeInto(rc, mesh.Source{Text: string(config)})
		}
		table, _ := Compile(rc)
		for i := range table.hosts {
			table.hosts[i].index = newIndex(table.hosts[i].routes, table.ignoreParameters, 0)
		}
		r := &Request{Method: method, Scheme: "http", Authority: host, Path: path, Headers: []Header{{name, value}, {value, name}}}
		hit := table.Match(r)
		v := table.look(r)
		for i := range table.hosts {
			if h := &table.hosts[i]; h.first(&v) != h.walk(&v, 0) {
				t.Errorf("the index finds route %d, the walk %d", h.first(&v), h.walk(&v, 0))
			}
		}
		checkLosers(t, rc, hit, table.Explain(r, hit))
		table.Why(hit, r)
		table.Act(hit, r)
		for _, s := range table.Shadowed() {
			if s.By >= s.RouteIndex || s.Reason == "" {
				t.Errorf("a shadow that says nothing: %+v", s)
			}
		}
		table.Act(Hit{}, r)
		table.Explain(r, Hit{})
	})
}

// TestNil holds that nothing at all is a table too.
func TestNil(t *testing.T) {
	table, problems := Compile(nil)
	if hit := table.Match(&Request{}); hit.VirtualHost != nil || len(problems) > 0 {
		t.Error(hit, problems)
	}
	if out := table.Act(Hit{}, &Request{}); out.Status != 404 {
		t.Error(out)
	}
}
