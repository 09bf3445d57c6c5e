package tui

import (
	"fmt"
	"slices"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// likeNginx is what nginx would do by one nginx.conf.
type likeNginx struct {
	text      nginxText
	server    Foreteller
	upstreams map[string][]string // the clusters that each upstream block stands for
	wrong     string              // why nothing can be said
}

// nginxText is an nginx.conf that is asked: the projection of a mesh, or the file
// that the operator wrote.
type nginxText interface {
	// name is what it is called: "projection", "shop.conf".
	name() string
	// place is where a directive stands: "14", "blog.conf:3"; "" for nowhere.
	place(d *conf.Directive) string
	// mirrors reports whether the location that an answer ends in, or one on the way
	// to it, says the same as a field of the mesh; it does so too where that cannot be
	// told.
	mirrors(a *predict.Answer, k mesh.Key, path string) bool
	// line is where the nginx panel says what a directive says; -1 for nowhere.
	line(d *conf.Directive, in *nginxView) int
}

// projected is the projection of a mesh.
type projected struct{ *nginx.Config }

// newLikeNginx reads the projection of a mesh as nginx would.
func newLikeNginx(shown *nginx.Config, foretell func(*conf.Config) Foreteller) *likeNginx {
	text := projected{shown}
	n := &likeNginx{text: text, upstreams: map[string][]string{}}
	read, err := conf.Parse("nginx.conf", conf.Text(shown.String()))
	if err != nil {
		n.wrong = err.Error()
		return n
	}
	for d := range read.All() {
		if d.Name != "upstream" {
			continue
		}
		if l := text.of(d); l != nil && !l.From.Key.IsZero() {
			n.upstreams[d.Arg(0)] = []string{l.From.Key.Name}
		}
	}
	n.server = foretell(read)
	return n
}

func (p projected) name() string { return "projection" }

// of is the line that a directive stands on; nil for none.
func (p projected) of(d *conf.Directive) *nginx.Line {
	if d == nil || d.Line < 1 || d.Line > len(p.Lines) {
		return nil
	}
	return &p.Lines[d.Line-1]
}

func (p projected) place(d *conf.Directive) string {
	if p.of(d) == nil {
		return ""
	}
	return fmt.Sprint(d.Line)
}

// mirrors reports whether the line of the location mirrors the field, or something
// within it, or around it.
func (p projected) mirrors(a *predict.Answer, k mesh.Key, path string) bool {
	l := p.of(a.Location)
	return l != nil && slices.ContainsFunc(append([]nginx.Origin{l.From}, l.Also...), func(o nginx.Origin) bool {
		return o.Key == k && (o.Path == path || strings.HasPrefix(o.Path, path+".") || strings.HasPrefix(path, o.Path+"."))
	})
}

// line is that of the panel, which shows the draft's: that of the live mesh may
// have other lines.
func (p projected) line(d *conf.Directive, in *nginxView) int {
	want := p.of(d)
	if want == nil {
		return -1
	}
	if i := d.Line - 1; i < len(in.lines) && in.lines[i].Text == want.Text && in.lines[i].From == want.From {
		return i
	}
	if want.From.Key.IsZero() {
		return -1
	}
	return in.line(want.From.Key, want.From.Path)
}

// clusters are those that nginx's name for an upstream stands for.
func (n *likeNginx) clusters(upstream string) []string {
	if names := n.upstreams[upstream]; len(names) > 0 {
		return names
	}
	return []string{upstream}
}
