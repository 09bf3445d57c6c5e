package files

import (
	"errors"
	"fmt"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

// bootstrap is an Envoy bootstrap being taken apart.
type bootstrap struct {
	*Opened
	whole     mesh.Source
	adsName   string // the cluster by which it reaches its own management server
	secrets   map[string]bool
	names     map[mesh.Key]*mesh.Resource
	collected []*mesh.Resource
}

// openBootstrap makes xDS resources of a bootstrap's static ones.
func openBootstrap(path, content string) (*Opened, error) {
	b := &bootstrap{whole: text.Whole(path, content), secrets: map[string]bool{}, names: map[mesh.Key]*mesh.Resource{},
		Opened: &Opened{Name: base(path), Path: absolute(path), Kind: Bootstrap, refused: map[asked]refusal{}}}
	b.files = []*file{{path: path, rel: base(path), group: mesh.DefaultGroup, data: []byte(content)}}
	whole := &bootstrapv3.Bootstrap{}
	findings := text.DecodeInto(whole, b.whole)
	for _, f := range findings {
		if f.Rule == "removed-v2" {
			return nil, fmt.Errorf("%s:%d is a config of Envoy's v2 API (%s), which was removed in Envoy 1.18: rewrite it for v3 and open it again", path, f.Line, f.Path)
		}
	}
	if envoyGRPC := whole.GetDynamicResources().GetAdsConfig().GetGrpcServices(); len(envoyGRPC) > 0 {
		b.adsName = envoyGRPC[0].GetEnvoyGrpc().GetClusterName()
	}
	b.outside(findings)
	b.leftBehind(whole)
	if err := b.static(); err != nil {
		return nil, err
	}
	b.comesFrom(whole.GetDynamicResources())
	b.beside()
	b.runtimes(whole.GetLayeredRuntime())
	if len(b.collected) == 0 && len(b.Problems) == 0 {
		return nil, fmt.Errorf("%s has no static listeners, clusters or secrets to open: %s", path, elsewhere(whole))
	}
	m, err := mesh.New(b.collected...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.Meshes = map[string]*mesh.Mesh{mesh.DefaultGroup: m}
	return b.Opened, nil
}

// elsewhere says where a bootstrap without static resources has its own.
func elsewhere(b *bootstrapv3.Bootstrap) string {
	for _, s := range []interface {
		GetPath() string
	}{b.GetDynamicResources().GetLdsConfig().GetPathConfigSource(), b.GetDynamicResources().GetCdsConfig().GetPathConfigSource()} {
		if p := s.GetPath(); p != "" {
			return "its resources are in " + p + ", so open that folder"
		}
	}
	return "its Envoy gets all of them from a management server"
}

// outside notes mistakes beyond the resources, which are not carried anyway.
func (b *bootstrap) outside(findings []mesh.Finding) {
	for _, f := range findings {
		if !strings.HasPrefix(f.Path, "static_resources.") && f.Severity == mesh.Error {
			f.Severity = mesh.Warning
			b.Notices = append(b.Notices, f)
		}
	}
}

// static reads the three lists of static_resources, secrets first, since
// listeners and clusters name them.
func (b *bootstrap) static() error {
	for _, list := range []struct {
		field string
		t     mesh.Type
		read  func(mesh.Type, mesh.Source, int)
	}{
		{"secrets", mesh.Secret, b.secret},
		{"clusters", mesh.Cluster, b.cluster},
		{"listeners", mesh.Listener, b.listener},
	} {
		chunks, _, wrong := text.Items(b.whole.Text, "static_resources."+list.field)
		if wrong != nil {
			wrong.File = b.files[0].path
			return errors.New(wrong.String())
		}
		for i, c := range chunks {
			if list.t == mesh.Secret {
				name, _ := text.Scalar(c.Text, "name")
				b.secrets[name] = true
			}
			list.read(list.t, c.Source(b.whole), i)
		}
	}
	return nil
}

func (b *bootstrap) note(s mesh.Severity, rule string, k mesh.Key, path string, line int, message string) {
	b.Notices = append(b.Notices, mesh.Finding{Severity: s, Rule: rule, Key: k, Path: path, File: b.files[0].path, Line: line, Message: message})
}

// decode reads one resource's text; nil when it cannot be, which is then a
// problem. Without report, findings beside a resource are left out: the same text
// was read before.
func (b *bootstrap) decode(t mesh.Type, src mesh.Source, report bool) *mesh.Resource {
	r, findings := text.Decode(t, src)
	switch {
	case r == nil:
		b.Problems = append(b.Problems, findings...)
		b.unread(mesh.DefaultGroup, t, src.Text)
	case report:
		b.Notices = append(b.Notices, findings...)
	}
	return r
}

// keep takes a resource in. One whose name is taken is a problem.
func (b *bootstrap) keep(r *mesh.Resource) {
	if was := b.names[r.Key]; was != nil {
		b.Problems = append(b.Problems, mesh.Finding{Severity: mesh.Error, Rule: "duplicate-resource", Key: r.Key,
			File: r.Source.File, Line: r.Source.Line, Hint: "rename one of them",
			Message: fmt.Sprintf("there is another %s on line %d, and that one is taken", r.Key, was.Source.Line)})
		return
	}
	b.names[r.Key] = r
	b.collected = append(b.collected, r)
}

// edited is a resource's text with edits made. Where a text is laid out so that
// they cannot be made, it is written anew from what it says, and that is noted.
func (b *bootstrap) edited(r *mesh.Resource, edits ...func(string) (string, error)) *mesh.Resource {
	src, err := applied(r.Source, edits)
	if err != nil {
		var body string
		if body, err = text.Encode(r.Message); err == nil {
			src, err = applied(text.Rewritten(r.Source, body), edits)
		}
		b.note(mesh.Note, "rewritten", r.Key, "", r.Source.Line, "its text was written anew, without its comments, because aliases run through it")
	}
	if err != nil {
		b.note(mesh.Warning, "not-lifted", r.Key, "", r.Source.Line, fmt.Sprintf("it stays as it is: %v", err))
		return r
	}
	return b.decode(r.Key.Type, src, false)
}

// applied is a source with edits made to its text, each in turn.
func applied(src mesh.Source, edits []func(string) (string, error)) (mesh.Source, error) {
	for _, edit := range edits {
		body, err := edit(src.Text)
		if err != nil {
			return src, err
		}
		src = text.Edited(src, body)
	}
	return src, nil
}
