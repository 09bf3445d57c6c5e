package files

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/text"
)

// compose makes the text of every file.
func (p *plan) compose() error {
	for _, out := range p.outputs {
		if err := p.composeFile(out); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) composeFile(out *output) error {
	out.text = out.data
	if out.bad || out.other {
		if len(out.fresh) > 0 {
			return fmt.Errorf("%s cannot be read, so %s cannot be put into it: mend it first", out.path, out.fresh[0].Key)
		}
		return nil
	}
	parts, changed, err := p.parts(out)
	if err != nil || !changed {
		return err
	}
	switch {
	case out.bracketed():
		out.text, err = out.inBrackets(parts)
	case len(out.items) == 0:
		out.text, err = out.intoEmpty(parts)
	default:
		out.text, err = out.inBlock(parts)
	}
	return err
}

// bracketed reports whether a file's resources stand in brackets, as in JSON.
func (out *output) bracketed() bool {
	if len(out.items) > 0 {
		return out.items[0].dash < 0
	}
	return filepath.Ext(out.rel) == ".json" || strings.HasPrefix(strings.TrimSpace(string(out.data)), "{")
}

// part is what becomes of one item: its bytes kept, its text written anew, or
// nothing.
type part struct {
	item *item // nil for a new resource
	text string
	keep bool
}

// parts goes through a file's items and adds the new ones.
func (p *plan) parts(out *output) (parts []part, changed bool, err error) {
	m := p.meshes[out.group]
	for _, it := range out.items {
		now := m.Get(it.key)
		if it.resource != nil && now == nil || !it.twin.IsZero() && m.Get(it.twin) == nil {
			changed = true // removed, and its second text with it, which would come to life else
			continue
		}
		if it.resource == nil || now.Source.Text == it.resource.Source.Text && len(p.held(it.sources)) == len(it.sources) {
			parts = append(parts, part{item: it, keep: true})
			continue
		}
		changed = true
		body, err := p.body(out.group, now, it.sources)
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, part{item: it, text: body})
	}
	for _, r := range out.fresh {
		changed = true
		body, err := p.body(out.group, r, nil)
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, part{text: body})
	}
	return parts, changed, nil
}

// body is a resource's text as it goes to disk: with its type, and with paths
// where it says "ads: {}".
func (p *plan) body(group string, r *mesh.Resource, were []configSource) (string, error) {
	body := r.Source.Text
	if strings.TrimSpace(body) == "" {
		made, err := text.Encode(r.Message)
		if err != nil {
			return "", fmt.Errorf("%s: %w", r.Key, err)
		}
		body = made
	}
	body, err := toPaths(body, r.Key.Name, p.held(were), p.fileOf(group))
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.Key, err)
	}
	if _, ok := text.Scalar(body, "@type"); ok {
		return body, nil
	}
	return withFirst(body, "@type", r.Key.Type.URL())
}

// held are the config sources that go to disk as they stood there: not the paths
// of a folder that is not saved to.
func (p *plan) held(were []configSource) []configSource {
	var out []configSource
	for _, s := range were {
		if s.ads || p.inPlace && !s.moved {
			out = append(out, s)
		}
	}
	return out
}

// withFirst puts a field at the top of a text, where people look for it.
func withFirst(body, key, value string) (string, error) {
	shown := key
	if strings.HasPrefix(key, "@") {
		shown = strconv.Quote(key)
	}
	try := fmt.Sprintf("%s: %s\n%s", shown, value, body)
	if trimmed := strings.TrimLeft(body, " \t\r\n"); strings.HasPrefix(trimmed, "{") {
		rest := strings.TrimLeft(trimmed[1:], " ")
		comma := ", "
		if strings.HasPrefix(rest, "}") {
			comma = ""
		} else if strings.HasPrefix(rest, "\n") {
			comma = ","
		}
		try = fmt.Sprintf("{%q: %q%s%s", key, value, comma, rest)
	}
	if got, ok := text.Scalar(try, key); ok && got == value {
		return try, nil
	}
	return text.Set(body, key, value)
}

// inBlock writes a file whose resources stand under dashes.
func (out *output) inBlock(parts []part) ([]byte, error) {
	data, eol, dash := string(out.data), out.eol(), out.items[0].dash
	var b strings.Builder
	b.WriteString(data[:out.items[0].from])
	byItem := map[*item]part{}
	for _, pt := range parts {
		if pt.item != nil {
			byItem[pt.item] = pt
		}
	}
	for i, it := range out.items {
		next := it.to
		if i+1 < len(out.items) {
			next = out.items[i+1].from
		}
		gap := data[it.to:next]
		switch pt, there := byItem[it]; {
		case !there:
			if strings.TrimSpace(gap) == "" {
				gap = ""
			}
		case pt.keep:
			b.WriteString(data[it.from:it.to])
		default:
			b.WriteString(data[it.from : it.from+it.comment])
			b.WriteString(dashed(pt.text, it.dash, max(it.indent, it.dash+2), eol))
		}
		b.WriteString(gap)
	}
	body, tail := b.String(), data[out.items[len(out.items)-1].to:]
	if len(parts) == 0 {
		emptied, err := text.Set(body+tail, "resources", []any{})
		return []byte(emptied), err
	}
	if fresh := newOnes(parts); len(fresh) > 0 {
		if !strings.HasSuffix(body, "\n") {
			body += eol
		}
		body += listed(fresh, dash, eol)
	}
	return []byte(body + tail), nil
}

func newOnes(parts []part) []part {
	var out []part
	for _, pt := range parts {
		if pt.item == nil {
			out = append(out, pt)
		}
	}
	return out
}

// listed writes items one below the other.
func listed(parts []part, dash int, eol string) string {
	var b strings.Builder
	for _, pt := range parts {
		b.WriteString(dashed(pt.text, dash, dash+2, eol))
	}
	return b.String()
}

// dashed writes a text as a list item.
func dashed(body string, dash, indent int, eol string) string {
	body = strings.ReplaceAll(strings.TrimRight(body, " \r\n"), "\r\n", "\n")
	pad := strings.Repeat(" ", indent)
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if i > 0 && line != "" {
			lines[i] = pad + line
		}
	}
	first := strings.Repeat(" ", dash) + "-"
	if t := strings.TrimSpace(lines[0]); t == "" || t[0] == '#' || t[0] == ' ' {
		return first + eol + pad + strings.Join(lines, eol) + eol
	}
	return first + strings.Repeat(" ", indent-dash-1) + strings.Join(lines, eol) + eol
}

const holdsThePlace = "an item that holds the place"

// intoEmpty writes the first resources of a file.
func (out *output) intoEmpty(parts []part) ([]byte, error) {
	eol := out.eol()
	if meaningful(string(out.data)) == "" {
		head := string(out.data)
		if head != "" && !strings.HasSuffix(head, "\n") {
			head += eol
		}
		return []byte(head + "resources:" + eol + listed(parts, 0, eol)), nil
	}
	held, err := text.Set(string(out.data), "resources", []any{holdsThePlace})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", out.path, err)
	}
	at := strings.Index(held, "- "+holdsThePlace)
	if at < 0 {
		return nil, fmt.Errorf("%s: there is no room for a list of resources", out.path)
	}
	start := strings.LastIndexByte(held[:at], '\n') + 1
	after := strings.TrimPrefix(held[at+len("- "+holdsThePlace):], eol)
	return []byte(held[:start] + listed(parts, at-start, eol) + after), nil
}

// eol is how the file ends its lines.
func (out *output) eol() string {
	if strings.Contains(string(out.data), "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// inBrackets writes a file whose resources stand in brackets: JSON.
func (out *output) inBrackets(parts []part) ([]byte, error) {
	data := string(out.data)
	kept := map[*item]part{}
	for _, pt := range parts {
		if pt.item != nil {
			kept[pt.item] = pt
		}
	}
	// From the end, so that places before stay what they are.
	for i := len(out.items) - 1; i >= 0; i-- {
		it := out.items[i]
		pt, there := kept[it]
		var err error
		switch {
		case !there:
			data, err = text.Delete(data, text.Item("resources", i))
		case !pt.keep:
			var body string
			body, err = text.Flow(pt.text, strings.Repeat(" ", it.indent))
			data = data[:it.from] + body + data[it.to:]
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", out.path, err)
		}
	}
	if strings.TrimSpace(data) == "" {
		data = "{\"resources\": []}\n"
	}
	for _, pt := range newOnes(parts) {
		held, err := text.Insert(data, "resources", -1, holdsThePlace)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", out.path, err)
		}
		body, err := text.Flow(pt.text, "    ")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", out.path, err)
		}
		data = strings.Replace(held, `"`+holdsThePlace+`"`, body, 1)
	}
	return []byte(data), nil
}
