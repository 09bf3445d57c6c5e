package nack

import (
	"regexp"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// reason is one of the reasons that a NACK gives.
type reason struct {
	text  string // on one line, dumps and all
	words string // as it is shown
	named mesh.Key
	path  string // where the text itself says it
	gRPC  bool   // it is gRPC's xDS client that says it
}

var (
	envoyWrapper = regexp.MustCompile(`^Error adding/updating (cluster|listener|scoped route)\(s\):? `)
	grpcWrapper  = regexp.MustCompile(`^error parsing "\w+" response: (?:top level errors: )?`)
	grpcResource = regexp.MustCompile(`(?:;\s*|^|)resource ("(?:[^"\\]|\\.)*"): `)
	ofRoute      = regexp.MustCompile(` in route (\S+)$`)
)

// wrapper takes Envoy's words about what it was at off a text, and a listener's
// name behind them; "" when there are none.
func wrapper(text string) (lead, rest string) {
	lead = envoyWrapper.FindString(text)
	return lead, text[len(lead):]
}

// split takes a NACK apart.
func split(r Rejection) []reason {
	text := strings.TrimSpace(bounded(debugMarker.ReplaceAllString(r.Text, "")))
	var out []reason
	switch {
	case envoyWrapper.MatchString(text):
		lead, rest := wrapper(text)
		for _, part := range splitNamed(rest, r.names()) {
			out = append(out, r.reason(part[0], part[1], lead))
		}
	case grpcWrapper.MatchString(text):
		for _, part := range splitResources(grpcWrapper.ReplaceAllString(text, "")) {
			why := r.reason(part[0], part[1], "")
			why.gRPC = true
			out = append(out, why)
		}
	default:
		out = append(out, r.bare(text))
	}
	return out
}

// names are those that a text may mean: of what was pushed, and of what was
// pushed before it.
func (r Rejection) names() map[string]bool {
	out := map[string]bool{}
	for _, m := range []*mesh.Mesh{r.Mesh, r.Before} {
		for _, res := range m.List(r.Type) {
			out[res.Key.Name] = true
		}
	}
	for _, k := range r.Changed {
		out[k.Name] = true
	}
	return out
}

// splitNamed takes "a: reason, b: reason" or, line by line, "a: reason" apart
// where a known name begins. What stands before the first ": " is a name anyway.
func splitNamed(s string, known map[string]bool) [][2]string {
	var out [][2]string
	for at := 0; at >= 0 && at < len(s); {
		name, after, ok := leading(s[at:], known)
		if !ok {
			name, after, ok = strings.Cut(s[at:], ": ")
		}
		if !ok {
			return append(out, [2]string{"", s[at:]})
		}
		end, next := nextNamed(after, known)
		out = append(out, [2]string{name, after[:end]})
		if next < 0 {
			break
		}
		at = len(s) - len(after) + next
	}
	return out
}

// nextNamed is where the next reason begins, behind a comma or on a line of its
// own, and where this one ends; next is -1 when it is the last.
func nextNamed(s string, known map[string]bool) (end, next int) {
	for i := 0; i < len(s); i++ {
		begin := i + 1
		switch {
		case s[i] == '\n':
		case s[i] == ',' && strings.HasPrefix(s[i:], ", "):
			begin++
		default:
			continue
		}
		if _, after, ok := leading(s[begin:], known); ok && !strings.HasPrefix(after, `"`) {
			return i, begin
		}
	}
	return len(s), -1
}

// leading takes the longest known name off a text, with the colon behind it; ok
// is false where there is none.
func leading(s string, known map[string]bool) (name, after string, ok bool) {
	const longest = 512 // bytes of a name that are looked at
	for i, end := 0, min(len(s), longest); i < end; i++ {
		if strings.HasPrefix(s[i:], ": ") && known[s[:i]] {
			name, after, ok = s[:i], s[i+len(": "):], true
		}
		if s[i] == '\n' {
			break
		}
	}
	return name, after, ok
}

// splitResources takes `resource "a": reason;\nresource "b": reason` apart; the
// name of what stands before the first resource is "".
func splitResources(s string) [][2]string {
	var out [][2]string
	add := func(name, text string) {
		if text = strings.Trim(text, "; \n"); text != "" {
			out = append(out, [2]string{name, text})
		}
	}
	found := grpcResource.FindAllStringSubmatchIndex(s, -1)
	if len(found) == 0 {
		found = [][]int{{len(s), len(s), 0, 0}}
	}
	for _, top := range strings.Split(s[:found[0][0]], ";\n") {
		add("", top)
	}
	for i, m := range found {
		if m[1] == len(s) {
			continue
		}
		end := len(s)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		add(unquoted(s[m[2]:m[3]]), s[m[1]:end])
	}
	return out
}

// reason is what a text says of the resource with a name.
func (r Rejection) reason(name, text, lead string) reason {
	out := reason{text: oneLine(text), words: Words(text)}
	if name != "" {
		out.named = mesh.Key{Type: r.Type, Name: name}
		if lead != "" && r.Mesh.Get(out.named) == nil {
			out.words = Words(name + ": " + text)
		}
	}
	r.locate(&out)
	return out
}

// bare is a text that names its resource in its own way or not at all.
func (r Rejection) bare(text string) reason {
	out := reason{text: oneLine(text), words: Words(text)}
	if before, after, broken := strings.Cut(text, constraintMarker); broken && strings.HasPrefix(after, messageOf(r.Type)+"ValidationError.") {
		name, _ := nameIn(before)
		if k := (mesh.Key{Type: r.Type, Name: name}); r.Mesh.Get(k) != nil {
			out.named = k
			out.words = strings.TrimPrefix(out.words, name+": ")
		}
	}
	if m := ofRoute.FindStringSubmatch(out.text); m != nil && r.Type == mesh.Route {
		out.named = mesh.Key{Type: mesh.Route, Name: m[1]}
	}
	if rest, ok := strings.CutPrefix(out.text, r.Type.String()+" "); ok { // the built-in proxy's way
		longest := ""
		for name := range r.names() {
			if len(name) >= len(longest) && strings.HasPrefix(rest, name+": ") {
				longest = name
				out.named = mesh.Key{Type: r.Type, Name: name}
			}
		}
		if !out.named.IsZero() {
			out.text = rest[len(longest)+len(": "):]
			out.words = Words(out.text)
		}
	}
	r.locate(&out)
	return out
}

// messageOf is the name of a type's message, without its package.
func messageOf(t mesh.Type) string {
	url := t.URL()
	return url[strings.LastIndexByte(url, '.')+1:]
}

var leadingPath = regexp.MustCompile(`^([a-z_][\w.\[\]"]*)(?:: | = | is not done )`)

// locate takes a field path off the beginning of a text, where there is one that
// leads to something in the resource.
func (r Rejection) locate(out *reason) {
	m := leadingPath.FindStringSubmatch(out.text)
	res := r.Mesh.Get(out.named)
	if m == nil || res == nil || !has(res, m[1]) {
		return
	}
	// A dump begins with a field too.
	if before, _, broken := strings.Cut(out.text, constraintMarker); broken && before != m[0] {
		return
	}
	out.path = m[1]
	if strings.HasPrefix(m[0][len(m[1]):], ": ") {
		out.text = out.text[len(m[1])+2:]
	}
}
