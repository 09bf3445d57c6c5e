package envoy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// TestCompare runs the archives in testdata/compare: what was served, what an
// Envoy answered, and what of it is active. The answers are Envoy 1.40.0's own,
// shortened.
func TestCompare(t *testing.T) {
	files, err := filepath.Glob("testdata/compare/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			served := map[mesh.Key]proto.Message{}
			o := observed{dumps: map[mesh.Type]*dump{}}
			want := ""
			for _, f := range archive.Files {
				readInto(t, f, served, &o, &want)
			}
			var keys []mesh.Key
			for k := range served {
				keys = append(keys, k)
			}
			got := describe(compare(served, keys, o))
			if os.Getenv("UPDATE") != "" {
				t.Logf("%s", got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// readInto takes one file of an archive: "served…" is YAML, "clusters" and the
// values of /config_dump?resource= are answers, "want" is what must come out.
func readInto(t *testing.T, f txtar.File, served map[mesh.Key]proto.Message, o *observed, want *string) {
	t.Helper()
	switch {
	case f.Name == "want":
		*want = string(f.Data)
	case strings.HasPrefix(f.Name, "served"):
		m := parse(t, string(f.Data))
		kind, _ := mesh.TypeOf(m)
		served[mesh.Key{Type: kind, Name: mesh.NameOf(m)}] = m
	case f.Name == "clusters":
		all, err := readClusters(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		byName := map[string]clusterStatus{}
		for _, c := range all {
			byName[c.Name] = c
		}
		o.clusters = byService(byName)
	default:
		for _, kind := range mesh.Types() {
			for _, path := range dumpPaths(kind) {
				if path != f.Name {
					continue
				}
				if o.dumps[kind] == nil {
					o.dumps[kind] = newDump()
				}
				if err := o.dumps[kind].read(path, f.Data); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		t.Fatalf("what is %s?", f.Name)
	}
}

func describe(active map[mesh.Key]Active) string {
	byText := map[string]string{}
	for k, a := range active {
		line := fmt.Sprintf("%s: %s", k, a.State)
		if a.Detail != "" {
			line += ": " + a.Detail
		}
		if !a.Since.IsZero() {
			line += " since " + a.Since.UTC().Format(time.TimeOnly)
		}
		byText[k.String()] = line
	}
	var b strings.Builder
	for _, k := range sortedKeys(byText) {
		b.WriteString(byText[k] + "\n")
	}
	return b.String()
}

func TestDifference(t *testing.T) {
	const tls = `secret
name: s
tls_certificate:
  certificate_chain: {inline_string: CHAIN}
  private_key: {inline_string: KEY}
`
	const hcm = `listener
name: l
filter_chains:
- filters:
  - name: h
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: PREFIX
      http_filters:
      - name: x
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          dynamic_stats: STATS
`
	replace := func(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }
	for _, c := range []struct{ name, a, b, want string }{
		{"the same", "cluster\nname: a\nconnect_timeout: 0.5s", "cluster\nname: a\nconnect_timeout: 0.500s", ""},
		{"a scalar", "cluster\nname: a\nlb_policy: RANDOM", "cluster\nname: a\nlb_policy: ROUND_ROBIN", "lb_policy"},
		{"one has it", "cluster\nname: a\nconnect_timeout: 1s", "cluster\nname: a", "connect_timeout"},
		{"a message's field", "cluster\nname: a\nconnect_timeout: 1s", "cluster\nname: a\nconnect_timeout: 2s", "connect_timeout.seconds"},
		{"kinds", "cluster\nname: a", "route\nname: a", "."},
		{"in a list", "route\nname: r\nvirtual_hosts: [{name: a, domains: [x, w]}]", "route\nname: r\nvirtual_hosts: [{name: a, domains: [x, z]}]", "virtual_hosts[0].domains[1]"},
		{"a longer list", "route\nname: r\nvirtual_hosts: [{name: a, domains: [x]}]", "route\nname: r\nvirtual_hosts: [{name: a, domains: [x, z]}]", "virtual_hosts[0].domains[1]"},
		{"in an Any", replace(hcm, "PREFIX", "a", "STATS", "true"), replace(hcm, "PREFIX", "b", "STATS", "true"), "filter_chains[0].filters[0].typed_config.stat_prefix"},
		{"in an Any of an Any", replace(hcm, "PREFIX", "a", "STATS", "true"), replace(hcm, "PREFIX", "a", "STATS", "false"), "filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.dynamic_stats.value"},
		{"a map's least key", "cluster\nname: a\nmetadata: {filter_metadata: {z.z: {k: 1}, b.b: {k: 1}}}", "cluster\nname: a\nmetadata: {filter_metadata: {z.z: {k: 2}, b.b: {k: 2}}}",
			`metadata.filter_metadata["b.b"].fields.k.number_value`},
		{"Envoy hides keys", replace(tls, "KEY", "secret"), replace(tls, "KEY", `"[redacted]"`), ""},
		{"but not chains", replace(tls, "CHAIN", "one"), replace(tls, "CHAIN", "two"), "tls_certificate.certificate_chain.inline_string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, c.a), parse(t, c.b)
			if got := Difference(a, b); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := Difference(b, a); got != c.want {
				t.Errorf("the other way round: got %q, want %q", got, c.want)
			}
			if got := Difference(a, a); got != "" {
				t.Errorf("differs from itself in %q", got)
			}
		})
	}
	if got := Difference(nil, parse(t, "route\nname: a")); got != "." {
		t.Errorf("nothing and something differ in %q", got)
	}
}

func TestDecodeAnyOfUnknownType(t *testing.T) {
	m := decodeAny([]byte(`{"@type":"type.googleapis.com/envoy.config.listener.v3.Listener","name":"l","field_of_tomorrow":1,
		"listener_filters":[{"name":"x","typed_config":{"@type":"type.googleapis.com/acme.v1.Thing","depth":3,
			"inner":{"@type":"type.googleapis.com/acme.v1.Other","a":["b"]}}}]}`))
	want := parse(t, `listener
name: l
listener_filters:
- name: x
  typed_config:
    "@type": type.googleapis.com/xds.type.v3.TypedStruct
    type_url: type.googleapis.com/acme.v1.Thing
    value: {depth: 3, inner: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/acme.v1.Other, value: {a: [b]}}}
`)
	if where := Difference(want, m); where != "" {
		t.Errorf("differs in %s: %v", where, m)
	}
	for _, bad := range []string{"", "{", "null", "1", `{"@type":1}`, `{"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":{}}`} {
		if m := decodeAny([]byte(bad)); m != nil {
			t.Errorf("%q became %v", bad, m)
		}
	}
}
