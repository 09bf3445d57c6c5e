package kept

import (
	"fmt"
	"hash/fnv"
	"strings"

	"example.com/meshtui/engine/match"
)

// nameLength is how long a name may be that is made of what is asked.
const nameLength = 120

// nameOf is what a request asks, short enough for a list: "GET www.example.com/foo,
// x-user: 7". Requests that differ have names that differ; one that had to be cut
// ends in a digest of the whole.
func nameOf(r match.Request) string {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	path := r.Path
	if path == "" {
		path = "/"
	}
	name := fmt.Sprintf("%s %s%s", method, r.Host, path)
	if extras := extrasOf(r); len(extras) > 0 {
		name += ", " + strings.Join(extras, ", ")
	}
	name = strings.ToValidUTF8(strings.Join(strings.Fields(name), " "), "?")
	if runes := []rune(name); len(runes) > nameLength {
		h := fnv.New32a()
		h.Write([]byte(name))
		name = fmt.Sprintf("%s… %08x", string(runes[:nameLength-10]), h.Sum32())
	}
	return name
}

// extrasOf are the parts of a request beyond method, host and path.
func extrasOf(r match.Request) []string {
	var out []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(r.Listener != "", "on %s", r.Listener)
	add(r.Address.IsValid(), "to %s", r.Address)
	add(r.Port != 0, "port %d", r.Port)
	add(r.Source.IsValid(), "from %s", r.Source)
	add(r.TLS && r.SNI == "", "TLS")
	add(r.SNI != "", "SNI %s", r.SNI)
	add(len(r.ALPN) > 0, "ALPN %s", strings.Join(r.ALPN, "+"))
	add(r.HTTP10, "HTTP/1.0")
	add(r.HTTP2, "HTTP/2")
	for _, h := range r.Headers {
		add(true, "%s: %s", strings.ToLower(h.Name), h.Value)
	}
	add(r.Presented && !r.Validated, "with a certificate")
	add(r.Validated, "with a valid certificate")
	if r.Random != nil {
		add(true, "random %d", *r.Random)
	}
	for _, k := range sorted(r.Runtime) {
		add(true, "%s=%v", k, r.Runtime[k])
	}
	for _, filter := range sorted(r.Metadata) {
		for _, k := range sorted(r.Metadata[filter]) {
			add(true, "%s %s=%s", filter, k, r.Metadata[filter][k])
		}
	}
	for _, k := range sorted(r.FilterState) {
		add(true, "%s=%s", k, r.FilterState[k])
	}
	return out
}
