package mesh

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Source is where a resource's text came from.
type Source struct {
	File string // path as the operator named it; "" when made by meshtui
	Line int    // 1-based line of File on which Text begins; 0 without a File
	Text string // the resource's own YAML, without the list dash and its indent

	// Indent is by how many columns Text was shifted left when it was cut out of
	// File; 0 when that is not known, and then a column of File is not either
	// unless Lines says so.
	Indent int

	// Lines says where the lines of Text stand that do not follow each other in
	// File. Ask Place.
	Lines Lines
}

// Body is Text without a first line that says only the "@type". A file needs
// that line and a new resource has none, so that a save adds it: no edit of the
// operator's.
func (s Source) Body() string {
	line, rest, _ := strings.Cut(s.Text, "\n")
	key, _, ok := strings.Cut(line, ":")
	if ok && (key == `"@type"` || key == `'@type'`) {
		return rest
	}
	return s.Text
}

// headed reports whether Body is less than Text.
func (s Source) headed() bool { return len(s.Body()) < len(s.Text) }

// headless is the resource with Body for its text, each line in its place.
func (r *Resource) headless() *Resource {
	if !r.Source.headed() {
		return r
	}
	src := r.Source
	at := src.LinesAt(strings.Count(src.Text, "\n") + 1)
	return &Resource{Key: r.Key, Message: r.Message, Source: NewSource(src.File, src.Body(), at[1:])}
}

// Resource is one Envoy resource and the text that says it. It never changes
// after NewResource: to edit one, make another. Message must be treated as
// read-only by everyone who holds it.
type Resource struct {
	Key     Key
	Message proto.Message
	Source  Source

	once sync.Once
	any  *anypb.Any
	hash string
}

// NewResource wraps a message. It fails on a message that is no resource; a
// resource without a name is allowed (Envoy decides, and the checks say so).
func NewResource(m proto.Message, src Source) (*Resource, error) {
	t, ok := TypeOf(m)
	if !ok {
		if m == nil {
			return nil, fmt.Errorf("no message")
		}
		return nil, fmt.Errorf("%s is no xDS resource", m.ProtoReflect().Descriptor().FullName())
	}
	return &Resource{Key: Key{Type: t, Name: NameOf(m)}, Message: m, Source: src}, nil
}

func (r *Resource) marshal() {
	r.once.Do(func() {
		// The messages were decoded in this process, so they marshal; invalid
		// UTF-8 is the one exception, and then an empty value shows up as a
		// NACK from Envoy rather than as a crash of ours.
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
		if err != nil {
			value = nil
		}
		sum := sha256.Sum256(value)
		r.any = &anypb.Any{TypeUrl: r.Key.Type.URL(), Value: value}
		r.hash = hex.EncodeToString(sum[:8])
	})
}

// Any is the resource packed for the wire, marshalled once. Read-only.
func (r *Resource) Any() *anypb.Any { r.marshal(); return r.any }

// Hash identifies the content: two resources of one type with the same hash
// say the same to Envoy. It is 16 hex digits.
func (r *Resource) Hash() string { r.marshal(); return r.hash }

// SameContent reports whether both say the same to Envoy; comments and order
// in the text do not count. Two nils are the same.
func SameContent(a, b *Resource) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key == b.Key && a.Hash() == b.Hash()
}
