package check

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// liveRow is one thing that a real Envoy 1.40 was given, what it answered, and
// what is said of it before a push. Each has its resources in testdata/live.txtar.
type liveRow struct {
	name, answer string
	rule         string
	least        mesh.Severity // of the finding: what Envoy rejects for sure is an error
}

// liveRows are all that were tried with an Envoy and that a mesh can say. What
// Envoy rejects is no error here only where another Envoy may take it: files that
// are on another machine, extensions that were built into it.
var liveRows = []liveRow{
	{"cluster without name", "NACK", "validation", mesh.Error},
	{"connect_timeout -1s", "NACK", "validation", mesh.Error},
	{"connect_timeout 0s", "NACK", "validation", mesh.Error},
	{"unknown extension", "NACK", "unchecked-extension", mesh.Note},
	{"CA file missing (cluster)", "NACK", "missing-file", mesh.Warning},
	{"cert file missing (listener)", "NACK", "missing-file", mesh.Warning},
	{"host name in STATIC/EDS address", "NACK", "host-name", mesh.Error},
	{"EDS cluster without eds_config", "NACK", "eds-config", mesh.Error},
	{"two bad clusters", "NACK", "eds-config", mesh.Error},
	{"unknown proto field", "ACK", "unknown-field", mesh.Warning},
	{"HCM without router", "ACK", "missing-router", mesh.Warning},
	{"HCM with no http_filters", "ACK", "missing-router", mesh.Warning},
	{"filter chain with no filters", "ACK", "empty-filter-chain", mesh.Warning},
	{"router not last", "NACK", "router-not-last", mesh.Error},
	{"unknown http filter", "NACK", "untyped-filter", mesh.Error},
	{"no filter chains", "NACK", "filter-chains", mesh.Error},
	{"no address", "NACK", "listener-address", mesh.Error},
	{"listener without name", "ACK", "resource-name", mesh.Warning},
	{"duplicate address", "NACK", "duplicate-address", mesh.Error},
	{"duplicate filter chain match", "NACK", "duplicate-chain-match", mesh.Error},
	{"bad regex, inline", "NACK", "bad-regex", mesh.Error},
	{"bad regex, RDS", "NACK", "bad-regex", mesh.Error},
	{"unknown cluster, inline routes", "NACK", "dangling-reference", mesh.Error},
	{"unknown cluster, inline routes, validate_clusters: false", "ACK", "dangling-reference", mesh.Warning},
	{"unknown cluster, RDS", "ACK", "dangling-reference", mesh.Warning},
	{"unknown cluster, RDS, validate_clusters: true", "NACK", "dangling-reference", mesh.Error},
	{"unknown cluster in tcp_proxy", "ACK", "dangling-reference", mesh.Warning},
	{"duplicate domain", "NACK", "duplicate-domain", mesh.Error},
	{"two '*' domains", "NACK", "duplicate-domain", mesh.Error},
	{"duplicate virtual host NAME", "ACK", "duplicate-virtual-host", mesh.Note},
	{"weighted clusters sum 0", "NACK", "cluster-weights", mesh.Error},
	{"weight missing", "NACK", "cluster-weights", mesh.Error},
	{"vhost without domains", "NACK", "validation", mesh.Error},
	{"unknown typed_per_filter_config", "NACK", "unchecked-extension", mesh.Note},
	{"RDS resource under another name", "ACK", "dangling-reference", mesh.Warning},
	{"EDS resource under another name", "ACK", "dangling-reference", mesh.Warning},
	{"EDS port 99999", "NACK", "validation", mesh.Error},
	{"EDS weight 0", "NACK", "validation", mesh.Error},
	{"EDS duplicate endpoint", "ACK", "duplicate-endpoint", mesh.Warning},
	{"EDS priority gap", "ACK", "priority-gap", mesh.Warning},
	{"EDS empty endpoints", "ACK", "no-endpoints", mesh.Warning},
	{"pipe path >= 108 chars in a listener", "NACK", "pipe-path", mesh.Error},
	{"first RDS missing (404)", "ACK", "dangling-reference", mesh.Warning},
	{"first CLA missing (503 UH)", "ACK", "dangling-reference", mesh.Warning},
	{"secret missing (TLS EOF)", "ACK", "dangling-reference", mesh.Warning},
	{"ECDS missing (500)", "ACK", "dangling-reference", mesh.Warning},
}

// notSeen are the rows of which nothing can be said without an Envoy, and why.
var notSeen = map[string]string{
	"duplicate cluster name in a response":               "a mesh holds one resource of a name; reading the files reports the second",
	"bad bytes in Any":                                   "what is served was marshalled here",
	"Any of another type":                                "a resource is served as the type that it was read as",
	"port held by another process":                       "which ports are taken is known to the machine that Envoy runs on",
	"address not local":                                  "which addresses are local is known to the machine that Envoy runs on",
	"delta CDS: cluster name differs from Resource.name": "a resource is served under its own name",
}

func TestWhatEnvoyAnswersIsFoundBefore(t *testing.T) {
	archive := parseFile(t, "live.txtar")
	sections := map[string][]txtar.File{}
	for _, f := range archive.Files {
		i := strings.LastIndexByte(f.Name, '/')
		sections[f.Name[:i]] = append(sections[f.Name[:i]], txtar.File{Name: f.Name[i+1:], Data: f.Data})
	}
	for _, row := range liveRows {
		t.Run(row.name, func(t *testing.T) {
			files := sections[row.name]
			delete(sections, row.name)
			if len(files) == 0 {
				t.Fatal("the archive has no resources of it")
			}
			if notSeen[row.name] != "" {
				t.Error("it is said that it cannot be seen")
			}
			if f := mistakes(files); len(f) > 0 { // of the text: it never enters a mesh
				if of(row.rule, f) == nil {
					t.Errorf("no %s in\n%s", row.rule, render(f))
				}
				return
			}
			all := MeshWith(meshOf(t, files), around(archive))
			found := of(row.rule, all)
			if len(found) == 0 || mesh.Worst(found) < row.least {
				t.Errorf("Envoy answers with %s; want a %s of %s, got\n%s", row.answer, row.least, row.rule, render(all))
			}
			for _, f := range found {
				if f.Line == 0 || f.Key.IsZero() {
					t.Errorf("it does not say where: %s", f)
				}
			}
		})
	}
	for name := range sections {
		t.Errorf("no row is called %q", name)
	}
}

// mistakes are the errors of resources that cannot be read.
func mistakes(files []txtar.File) []mesh.Finding {
	var out []mesh.Finding
	for _, f := range files {
		for _, part := range strings.Split(string(f.Data), "---\n") {
			if r, findings := text.Decode(fileTypes[f.Name[:3]], mesh.Source{File: f.Name, Line: 1, Text: part}); r == nil {
				out = append(out, findings...)
			}
		}
	}
	return out
}
