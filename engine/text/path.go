package text

import (
	"fmt"
	"strconv"
	"strings"
)

// path is a field path under construction. It is a linked list so that the
// decoder, which visits far more fields than it reports, builds no strings.
type path struct {
	parent *path
	field  string // "" for a list index
	index  int
}

func rootPath() *path { return &path{} }

func (p *path) child(field string) *path { return &path{parent: p, field: field} }

func (p *path) item(index int) *path { return &path{parent: p, index: index} }

func (p *path) mapKey(key string) *path { return &path{parent: p, field: key, index: mapKeyMark} }

func (p *path) String() string { return formatPath(p.steps(nil)) }

// steps appends the path's steps to out, outermost first.
func (p *path) steps(out []step) []step {
	if p.parent == nil {
		return out
	}
	out = p.parent.steps(out)
	if p.field == "" && p.index != mapKeyMark {
		return append(out, step{index: p.index, isIndex: true})
	}
	return append(out, step{field: p.field})
}

// mapKeyMark in path.index tells an empty map key from a list index.
const mapKeyMark = -1

// step is one step of a field path: a field or map key, or a list index.
type step struct {
	field   string
	index   int
	isIndex bool
}

func (s step) String() string { return formatPath([]step{s}) }

// formatPath writes steps as package mesh does.
func formatPath(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		switch {
		case s.isIndex:
			fmt.Fprintf(&b, "[%d]", s.index)
		case s.field == "" || strings.ContainsAny(s.field, ".[]\""):
			fmt.Fprintf(&b, "[%q]", s.field)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.field)
		}
	}
	return b.String()
}

// parsePath reads a field path. It fails on one that is malformed, naming it.
func parsePath(s string) ([]step, error) {
	var out []step
	for i := 0; i < len(s); {
		switch s[i] {
		case '[':
			st, n, err := parseBracket(s[i:])
			if err != nil {
				return nil, fmt.Errorf("field path %q: %w", s, err)
			}
			out = append(out, st)
			i += n
			if i < len(s) && s[i] != '.' && s[i] != '[' {
				return nil, fmt.Errorf("field path %q: expected \".\" or \"[\" after \"]\"", s)
			}
		case '.':
			if i == 0 || i+1 == len(s) || s[i+1] == '.' || s[i+1] == '[' {
				return nil, fmt.Errorf("field path %q: a name is missing beside a dot", s)
			}
			i++
		default:
			end := i + strings.IndexAny(s[i:]+".", ".[")
			out = append(out, step{field: s[i:end]})
			i = end
		}
	}
	return out, nil
}

// parseBracket reads "[3]" or `["a.b"]` at the start of s and says how long it is.
func parseBracket(s string) (step, int, error) {
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err != nil || len(s) < len(quoted)+2 || s[1+len(quoted)] != ']' {
			return step{}, 0, fmt.Errorf("unfinished %s", s)
		}
		key, err := strconv.Unquote(quoted)
		if err != nil {
			return step{}, 0, fmt.Errorf("bad key %s", quoted)
		}
		return step{field: key}, len(quoted) + 2, nil
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return step{}, 0, fmt.Errorf("unfinished %s", s)
	}
	n, err := strconv.Atoi(s[1:end])
	if err != nil || n < 0 {
		return step{}, 0, fmt.Errorf("%q is no list index", s[1:end])
	}
	return step{index: n, isIndex: true}, end + 1, nil
}

// Field is the path of a field or map key below a path.
func Field(path, name string) string {
	s := formatPath([]step{{field: name}})
	if path == "" || strings.HasPrefix(s, "[") {
		return path + s
	}
	return path + "." + s
}

// Item is the path of a list item below a path.
func Item(path string, index int) string { return fmt.Sprintf("%s[%d]", path, index) }

// Parent is a field path without its last step.
func Parent(path string) string {
	last := 0
	for i := 0; i < len(path); {
		switch path[i] {
		case '.':
			last = i
			i++
		case '[':
			last = i
			if quoted, err := strconv.QuotedPrefix(path[i+1:]); err == nil {
				i += len(quoted)
			}
			end := strings.IndexByte(path[i:], ']')
			if end < 0 {
				return path[:last]
			}
			i += end + 1
		default:
			i++
		}
	}
	return path[:last]
}
