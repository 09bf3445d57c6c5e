package sds

import (
	"fmt"
	"path/filepath"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// entry is one secret and what was last read of its files.
type entry struct {
	plain  *mesh.Resource
	secret *tlsv3.Secret
	files  []file

	filled   *tlsv3.Secret // nil until all files were read and fitted
	since    time.Time     // when filled was read
	findings []mesh.Finding
	waits    bool     // the files are not as they should be: something must still happen
	folders  []string // in which something may happen to the files; nil while they do not answer
	begun    *reading // under way, or not taken yet; nil for none
	answered bool     // somebody was told what to serve
}

// file is one that a secret names.
type file struct {
	field string // path of the field that names it
	path  string // where it is, "" for one that cannot be told
	named string // as the secret names it
}

func newEntry(r *mesh.Resource, secret *tlsv3.Secret, dir string) *entry {
	e := &entry{plain: r, secret: secret}
	eachSource("", secret.ProtoReflect(), func(field string, d *corev3.DataSource) {
		named := d.GetFilename()
		if named == "" {
			return
		}
		path := named
		if !filepath.IsAbs(path) {
			path = ""
			if dir != "" {
				path = filepath.Join(dir, named)
			}
		}
		e.files = append(e.files, file{field: field + ".filename", path: path, named: named})
	})
	return e
}

// answer is what to serve: the secret itself until its files could be read.
func (e *entry) answer() proto.Message {
	if e.filled == nil {
		return e.plain.Message
	}
	return e.filled
}

// take takes what was read of the files. What does not fit together is not
// taken; changed says that the answer is another one now.
func (e *entry) take(r *reading, now time.Time) (changed bool) {
	e.begun, e.folders = nil, r.folders
	e.findings, e.waits = nil, false
	for _, w := range r.wrong {
		e.trouble(w.field, w.err.Error(), "make the file readable for meshtui, or keep it where the Envoy can read it")
	}
	if len(e.findings) > 0 {
		return false
	}
	filled := e.fill(r.contents)
	if e.filled != nil && proto.Equal(filled, e.filled) {
		e.judge(filled, now)
		return false
	}
	if field, err := fits(filled); err != nil {
		e.trouble(field, err.Error(), "write certificate and key so that they belong together")
		return false
	}
	e.filled, e.since = filled, now
	e.judge(filled, now)
	return true
}

// hangs notes that a file does not answer.
func (e *entry) hangs() {
	e.findings, e.waits, e.folders = nil, false, nil
	f := e.files[e.begun.at.Load()]
	e.trouble(f.field, f.named+" does not answer", "see whether what it lies on is there, such as a network's file system; it is read as soon as it answers")
}

// trouble notes what keeps the files from being taken.
func (e *entry) trouble(field, message, hint string) {
	e.waits = true
	kept := "; the secret is served as it is written"
	if e.filled != nil {
		kept = "; what was read at " + e.since.Format(time.TimeOnly) + " is still served"
	}
	e.note(mesh.Warning, "secret-file", field, message+kept, hint)
}

// judge notes what is wrong with a secret that is served all the same.
func (e *entry) judge(filled *tlsv3.Secret, now time.Time) {
	if message := outOfDate(filled, now); message != "" {
		e.note(mesh.Warning, "secret-out-of-date", "tls_certificate.certificate_chain.filename", message, "renew it; the files are watched")
	}
}

func (e *entry) note(severity mesh.Severity, rule, field, message, hint string) {
	f := mesh.Finding{
		Severity: severity, Rule: rule, Key: e.plain.Key, Path: field, File: e.plain.Source.File,
		Message: message, Hint: hint,
	}
	if line, column, ok := text.NewLocator(e.plain.Source.Text).Nearest(field); ok {
		f.Line, f.Column = e.plain.Source.Place(line, column)
	}
	e.findings = append(e.findings, f)
}

// fill is the secret with the contents in the place of the file names.
func (e *entry) fill(contents map[string][]byte) *tlsv3.Secret {
	out := proto.CloneOf(e.secret)
	eachSource("", out.ProtoReflect(), func(_ string, d *corev3.DataSource) {
		if b, ok := contents[d.GetFilename()]; ok && d.GetFilename() != "" {
			d.Specifier = &corev3.DataSource_InlineBytes{InlineBytes: b}
			d.WatchedDirectory = nil
		}
	})
	// Folders are watched here; there is nothing left for the Envoy to watch.
	if c := out.GetTlsCertificate(); c != nil {
		c.WatchedDirectory = nil
	}
	if c := out.GetValidationContext(); c != nil {
		c.WatchedDirectory = nil
	}
	return out
}

// eachSource visits every data source in a message, by field path.
func eachSource(path string, m protoreflect.Message, visit func(field string, d *corev3.DataSource)) {
	if d, ok := m.Interface().(*corev3.DataSource); ok {
		visit(path, d)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || !m.Has(fd) {
			continue
		}
		at := string(fd.Name())
		if path != "" {
			at = path + "." + at
		}
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				m.Get(fd).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
					eachSource(fmt.Sprintf("%s[%q]", at, k.String()), v.Message(), visit)
					return true
				})
			}
		case fd.IsList():
			for j := range m.Get(fd).List().Len() {
				eachSource(fmt.Sprintf("%s[%d]", at, j), m.Get(fd).List().Get(j).Message(), visit)
			}
		default:
			eachSource(at, m.Get(fd).Message(), visit)
		}
	}
}
