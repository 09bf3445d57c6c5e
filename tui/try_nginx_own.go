package tui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// OwnNginx is the nginx.conf that a workspace was opened from, as it stands on disk
// now. It is not changed once it was handed out; as long as the file and what it
// includes are the same, it is the same one.
type OwnNginx struct {
	Path   string       // of the file
	Wrong  string       // why nginx would not take it as it is; then Config is not asked
	Config *conf.Config // what stands there
	Mesh   *mesh.Mesh   // what that is made into
	// Origin is where a field of Mesh comes from: file and line of a directive of
	// Config; ok is false for one that comes from none.
	Origin func(k mesh.Key, path string) (file string, line int, ok bool)
}

// same reports whether the file says what a mesh says.
func (o *OwnNginx) same(m *mesh.Mesh) bool {
	if o.Mesh == m {
		return true
	}
	return o.Mesh.Len() == m.Len() && !slices.ContainsFunc(m.All(), func(r *mesh.Resource) bool { return !o.says(r) })
}

// says reports whether a resource is as the file has it.
func (o *OwnNginx) says(r *mesh.Resource) bool {
	was := o.Mesh.Get(r.Key)
	return was != nil && was.Hash() == r.Hash()
}

// ownText is the operator's own file, beside a mesh that was made of it and may have
// been edited since.
type ownText struct {
	*OwnNginx
	mesh *mesh.Mesh
	// locations are those that each line belongs to, a location's own line too.
	locations map[confLine][]*conf.Directive
}

// confLine is a line of a file.
type confLine struct {
	file string
	line int
}

func confLineOf(d *conf.Directive) confLine { return confLine{d.File, d.Line} }

// newOwnLikeNginx reads the operator's own file as nginx would.
func newOwnLikeNginx(own *OwnNginx, m *mesh.Mesh, foretell func(*conf.Config) Foreteller) *likeNginx {
	w := ownText{OwnNginx: own, mesh: m, locations: map[confLine][]*conf.Directive{}}
	n := &likeNginx{text: w, upstreams: map[string][]string{}, server: foretell(own.Config)}
	names := map[confLine]string{}
	for d := range own.Config.All() {
		switch {
		case d.Name == "upstream" && d.IsBlock:
			names[confLineOf(d)] = d.Arg(0)
		case strings.HasSuffix(d.Name, "_pass"):
			names[confLineOf(d)] = authority(d.Arg(0))
		}
		for in := d; in != nil; in = in.Parent {
			if in.Name == "location" {
				w.locations[confLineOf(d)] = append(w.locations[confLineOf(d)], in)
				break
			}
		}
	}
	for _, r := range own.Mesh.List(mesh.Cluster) {
		if file, line, ok := own.Origin(r.Key, ""); ok && names[confLine{file, line}] != "" {
			name := names[confLine{file, line}]
			n.upstreams[name] = append(n.upstreams[name], r.Key.Name)
		}
	}
	return n
}

// authority is the host of a URL, with its port where it is written.
func authority(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	host, _, _ := strings.Cut(url, "/")
	return host
}

func (w ownText) name() string { return filepath.Base(w.Path) }

func (w ownText) place(d *conf.Directive) string {
	switch {
	case d == nil || d.Line < 1:
		return ""
	case d.File == w.Config.Path:
		return fmt.Sprint(d.Line)
	}
	return fmt.Sprintf("%s:%d", filepath.Base(d.File), d.Line)
}

// mirrors goes by the line that the field was made of, which is known for as long
// as the resource is as it was made.
func (w ownText) mirrors(a *predict.Answer, k mesh.Key, path string) bool {
	r := w.mesh.Get(k)
	if r == nil || !w.says(r) {
		return true
	}
	file, line, ok := w.Origin(k, path)
	made := w.locations[confLine{file, line}]
	if !ok || len(made) == 0 {
		return true
	}
	for i := range a.Steps { // a rewrite, or an error page, leads on from one to another
		if slices.Contains(made, a.Steps[i].At) {
			return true
		}
	}
	return slices.Contains(made, a.Location)
}

// line is that of what was made of the directive, or of what encloses it. Several
// routes may be made of one location: the one that is a location again is meant.
func (w ownText) line(d *conf.Directive, in *nginxView) int {
	for ; d != nil; d = d.Parent {
		first := -1
		for _, o := range w.madeOf(confLineOf(d)) {
			line := in.line(o.Key, o.Path)
			if line >= 0 && strings.HasPrefix(strings.TrimSpace(in.lines[line].Text), d.Name) {
				return line
			}
			first = max(first, line)
		}
		if first >= 0 {
			return first
		}
	}
	return -1
}

// madeOf are the virtual hosts and the routes that were made of a line.
func (w ownText) madeOf(line confLine) []nginx.Origin {
	var out []nginx.Origin
	add := func(k mesh.Key, path string) {
		if file, at, ok := w.Origin(k, path); ok && line == (confLine{file, at}) {
			out = append(out, nginx.Origin{Key: k, Path: path})
		}
	}
	for _, r := range w.Mesh.List(mesh.Route) {
		rc, _ := r.Message.(*routev3.RouteConfiguration)
		for i, host := range rc.GetVirtualHosts() {
			at := fmt.Sprintf("virtual_hosts[%d]", i)
			add(r.Key, at)
			for j := range host.GetRoutes() {
				add(r.Key, fmt.Sprintf("%s.routes[%d]", at, j))
			}
		}
	}
	return out
}
