package nginx_test

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/text"
)

// folder is the files of an archive.
type folder map[string]string

func (f folder) ReadFile(name string) ([]byte, error) {
	if text, ok := f[path.Clean(name)]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (f folder) Glob(pattern string) (out []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if ok, _ := path.Match(path.Clean(pattern), name); ok {
			out = append(out, name)
		}
	}
	return out, nil
}

// ownName are the characters that a cluster's name keeps as an upstream, and the
// mark that tells apart what they leave alike.
var ownName = regexp.MustCompile(`_[0-9a-f]{8}$|[^A-Za-z0-9-]`)

func upstreamName(s string) string {
	return strings.Trim(ownName.ReplaceAllStringFunc(s, func(m string) string {
		if len(m) > 1 {
			return ""
		}
		return "_"
	}), "_")
}

// pools are the clusters and endpoints of a mesh in one text, under the names that
// they have as upstreams.
func pools(t *testing.T, m *mesh.Mesh) string {
	t.Helper()
	var out []string
	for _, r := range slices.Concat(m.List(mesh.Cluster), m.List(mesh.Endpoints)) {
		msg := proto.Clone(r.Message)
		switch c := msg.(type) {
		case *clusterv3.Cluster:
			c.Name = upstreamName(c.GetName())
			if c.LoadAssignment != nil {
				c.LoadAssignment.ClusterName = c.GetName()
			}
		case *endpointv3.ClusterLoadAssignment:
			c.ClusterName = upstreamName(c.GetClusterName())
		}
		text, err := text.Encode(msg)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, "---\n")
}

// doors are the addresses and domains. "_" is a name that no request has.
func doors(m *mesh.Mesh) (out []string) {
	for _, r := range m.List(mesh.Listener) {
		out = append(out, mesh.Address(r.Message.(*listenerv3.Listener).GetAddress()))
	}
	for _, r := range m.List(mesh.Route) {
		for _, vh := range r.Message.(*routev3.RouteConfiguration).GetVirtualHosts() {
			for _, d := range vh.GetDomains() {
				if d != "_" {
					out = append(out, r.Key.Name+" "+d)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// fate is what becomes of a request, with the settings that hold for it.
func fate(w match.Way) string {
	a := w.Entry.GetRoute()
	retry := a.GetRetryPolicy()
	return fmt.Sprint(w.Action, " ", upstreamName(w.Cluster), " ", w.Path, " ", w.Status, " ", w.Location, " ", w.Body, " ", a.GetTimeout().AsDuration(), " ", a.GetIdleTimeout().AsDuration(),
		" ", retry.GetRetryOn(), " ", retry.GetNumRetries().GetValue(), " ", retry.GetRetriableStatusCodes(), " ", len(a.GetHashPolicy()), " ", len(a.GetRequestMirrorPolicies()), " ", len(w.Weighted))
}

// thereAndBack is the mesh of a file, and what it is after it was an nginx.conf.
func thereAndBack(t *testing.T, name string, src conf.Source) (first, second *mesh.Mesh) {
	t.Helper()
	c, err := conf.Parse(name, src)
	if err != nil {
		t.Fatal(err)
	}
	first = importer.Import(c).Mesh
	again, err := conf.Parse("nginx.conf", conf.Text(nginx.ProjectWith(first, nginx.Options{Stream: true}).String()))
	if err != nil {
		t.Fatal(err)
	}
	return first, importer.Import(again).Mesh
}

// asks are requests for each virtual host and for what its routes name.
func asks(m *mesh.Mesh) (out []match.Request) {
	for _, r := range m.List(mesh.Route) {
		for _, vh := range r.Message.(*routev3.RouteConfiguration).GetVirtualHosts() {
			paths := []string{"/", "/nowhere/x?y=1", "//", "/%zz"}
			for _, one := range vh.GetRoutes() {
				if p := one.GetMatch().GetPrefix() + one.GetMatch().GetPath(); p != "" {
					paths = append(paths, p, p+"x", p+"/", p+"/x.png?q=1")
				}
			}
			for _, d := range vh.GetDomains() {
				if strings.HasPrefix(d, ".") {
					continue // no name of a host
				}
				for _, p := range slices.Compact(slices.Sorted(slices.Values(paths))) {
					for _, method := range []string{"GET", "POST"} {
						out = append(out, match.Request{Listener: r.Key.Name, TLS: strings.HasSuffix(r.Key.Name, "443"), SNI: strings.Replace(d, "*", "w", 1), Host: strings.Replace(d, "*", "w", 1), Path: p, Method: method})
					}
				}
			}
		}
	}
	return out
}

// changes are the files whose routes come back otherwise, and why.
var changes = map[string]string{
	"api-gateway":   "a name is resolved by a variable, which has no max_fails; a rewrite is told from a location's own",
	"spa":           "a name is resolved by a variable, at the system's server",
	"tls-sni":       "a name that is refused in the handshake is answered by 421 where the Host alone says it",
	"load-balancer": "the client's address is that which an extension finds: a deny becomes 403 for everybody, and so does the redirect before it",
	"stream":        "UDP, the PROXY protocol to upstreams, connect_timeout and hash of a TCP proxy are comments",
}

// TestThereAndBackKeepsTheMesh holds that a mesh that came from an nginx.conf is the
// same after it was one again: where it listens, for whom, its clusters with all
// that is set, and what becomes of requests. What may differ: the names of
// routes, and of clusters that are no words; the domain "_"; TLS versions that are
// Envoy's own; what changes names.
func TestThereAndBackKeepsTheMesh(t *testing.T) {
	files, err := filepath.Glob("importer/testdata/corpus/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	asked := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			f := folder{}
			for _, name := range []string{"importer/testdata/debian.txtar", file} {
				a, err := txtar.ParseFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range a.Files {
					f["/etc/nginx/"+one.Name] = string(one.Data)
				}
			}
			first, second := thereAndBack(t, "/etc/nginx/nginx.conf", f)
			_, changed := changes[name]
			compare := func(what, was, is string) {
				if d := cmp.Diff(was, is); d != "" && !changed {
					t.Errorf("%s (-first +again):\n%s", what, d)
				}
			}
			compare("addresses and domains", strings.Join(doors(first), "\n"), strings.Join(doors(second), "\n"))
			compare("clusters", pools(t, first), pools(t, second))
			was, is, wrong := match.New(first), match.New(second), 0
			for _, r := range asks(first) {
				asked++
				if a, b := fate(was.Match(&r)), fate(is.Match(&r)); a != b {
					if wrong++; wrong < 4 && !changed {
						t.Errorf("%s %s %s%s:\n%s at first,\n%s after there and back", r.Method, r.Listener, r.Host, r.Path, a, b)
					}
				}
			}
			if changed && wrong == 0 && pools(t, first) == pools(t, second) && slices.Equal(doors(first), doors(second)) {
				t.Errorf("nothing has changed, and the list says that something does: %s", changes[name])
			}
		})
	}
	if asked < 1000 {
		t.Errorf("%d requests were compared, want 1000 at least", asked)
	}
}
