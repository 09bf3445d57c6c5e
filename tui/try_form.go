package tui

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/tui/widget"
)

// The fields of the tester's form. Those from fieldHeader on are headers, one
// each, the last of them always empty.
const (
	fieldMethod = iota
	fieldHost
	fieldPath
	fieldListener
	fieldSNI
	fieldRandom
	fieldHeader
)

var fieldLabels = [...]string{"method", "host", "path", "listener", "sni", "random", "header"}

// methods are what the space key leads through in the method's field.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT"}

// tlsOnly stands in the field of the SNI for a TLS connection without one.
const tlsOnly = "-"

// form is a request as it is typed.
type form struct {
	fields  []textinput.Model
	focus   int           // the field that has the keyboard; len(fields) when none has
	base    match.Request // what the request has beyond the fields
	version int           // grows with every change
}

func label(i int) string { return fieldLabels[min(i, fieldHeader)] }

// fill puts a request into the fields.
func (f *form) fill(r match.Request) {
	f.base = r
	f.fields = f.fields[:0]
	for _, text := range []string{orGet(r.Method), r.Host, orRoot(r), listenerText(r), sniText(r), randomText(r)} {
		f.add(text)
	}
	for _, h := range r.Headers {
		f.add(h.Name + ": " + h.Value)
	}
	f.add("")
	f.focus = fieldPath
	f.refocus()
	f.version++
}

func (f *form) add(text string) {
	in := newInput(text)
	in.Blur()
	f.fields = append(f.fields, in)
}

func orGet(method string) string {
	if method == "" {
		return "GET"
	}
	return method
}

func orRoot(r match.Request) string {
	if r.Path == "" && r.Method != "CONNECT" {
		return "/"
	}
	return r.Path
}

func listenerText(r match.Request) string {
	switch {
	case r.Listener != "":
		return r.Listener
	case r.Address.IsValid():
		return netip.AddrPortFrom(r.Address, uint16(min(r.Port, 65535))).String()
	case r.Port > 0:
		return fmt.Sprint(r.Port)
	}
	return ""
}

func sniText(r match.Request) string {
	if r.TLS && r.SNI == "" {
		return tlsOnly
	}
	return r.SNI
}

func randomText(r match.Request) string {
	if r.Random == nil {
		return ""
	}
	return strconv.FormatUint(*r.Random, 10)
}

// request is what the fields say. Of a field that cannot be read, wrong says
// what it should be; the request is then without it.
func (f *form) request() (r match.Request, wrong []string) {
	r = f.base
	r.Method, r.Host, r.Path = f.text(fieldMethod), f.text(fieldHost), f.text(fieldPath)
	r.Headers, r.Random = nil, nil
	if w := setListener(&r, f.text(fieldListener)); w != "" {
		wrong = append(wrong, w)
	}
	sni := f.text(fieldSNI)
	r.TLS, r.SNI = sni != "", strings.TrimPrefix(sni, tlsOnly)
	if text := f.text(fieldRandom); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("random: %q is no whole number from 0 up", text))
		} else {
			r.Random = &n
		}
	}
	for i := fieldHeader; i < len(f.fields); i++ {
		text := f.text(i)
		name, value, found := strings.Cut(text, ":")
		if found && name == "" { // a pseudo-header begins with the colon
			name, value, found = strings.Cut(text[1:], ":")
			name = ":" + name
		}
		switch {
		case text == "":
		case !found || strings.TrimSpace(name) == "":
			wrong = append(wrong, fmt.Sprintf("header: %q is not written as name: value", text))
		default:
			r.Headers = append(r.Headers, routes.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		}
	}
	return r, wrong
}

// setListener reads a listener's name, a port, or an address with its port.
func setListener(r *match.Request, text string) (wrong string) {
	r.Listener, r.Address, r.Port = "", netip.Addr{}, 0
	text = strings.TrimPrefix(text, ":")
	if at, err := netip.ParseAddrPort(text); err == nil {
		r.Address, r.Port = at.Addr(), uint32(at.Port())
		return ""
	}
	if text == "" || strings.Trim(text, "0123456789") != "" {
		r.Listener = text
		return ""
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Sprintf("listener: %s is no port; ports end at 65535", text)
	}
	r.Port = uint32(port)
	return ""
}

func (f *form) text(i int) string { return strings.TrimSpace(f.fields[i].Value()) }

// typing reports whether a field has the keyboard.
func (f *form) typing() bool { return f.focus < len(f.fields) }

// step moves the keyboard to another field; beyond the last stands what is
// below the form.
func (f *form) step(n int) {
	f.focus = (f.focus + n + len(f.fields) + 1) % (len(f.fields) + 1)
	f.refocus()
}

// refocus makes the fields fit the focus, and the headers end in one empty
// line.
func (f *form) refocus() {
	for i := len(f.fields) - 2; i >= fieldHeader; i-- {
		if f.text(i) == "" && i != f.focus {
			f.fields = append(f.fields[:i], f.fields[i+1:]...)
			if f.focus > i {
				f.focus--
			}
		}
	}
	if f.text(len(f.fields)-1) != "" {
		if f.focus == len(f.fields) {
			f.focus++
		}
		f.add("")
	}
	for i := range f.fields {
		f.fields[i].Blur()
	}
	if f.typing() {
		f.fields[f.focus].Focus()
	}
}

// edits are the keys that a field takes beside characters.
var edits = map[tea.KeyType]bool{tea.KeyRunes: true, tea.KeySpace: true, tea.KeyBackspace: true, tea.KeyDelete: true, tea.KeyLeft: true,
	tea.KeyRight: true, tea.KeyHome: true, tea.KeyEnd: true, tea.KeyCtrlA: true, tea.KeyCtrlE: true, tea.KeyCtrlW: true, tea.KeyCtrlU: true,
	tea.KeyCtrlK: true, tea.KeyCtrlB: true, tea.KeyCtrlF: true, tea.KeyCtrlD: true, tea.KeyCtrlH: true, tea.KeyCtrlLeft: true, tea.KeyCtrlRight: true}

// typed gives a key to the field that has the keyboard and reports whether it
// took it. listeners are what the space key leads through in that field.
func (f *form) typed(msg tea.KeyMsg, listeners []string) bool {
	if !f.typing() || !edits[msg.Type] {
		return false
	}
	if msg.Paste && f.pasted(string(msg.Runes)) {
		return true
	}
	in := &f.fields[f.focus]
	before := in.Value()
	switch {
	case msg.Type == tea.KeySpace && f.focus == fieldMethod:
		in.SetValue(after(methods, before))
	case msg.Type == tea.KeySpace && f.focus == fieldListener:
		in.SetValue(after(listeners, before))
	default:
		*in, _ = in.Update(msg)
	}
	if in.Value() != before {
		f.version++
		if f.focus == len(f.fields)-1 {
			f.refocus()
		}
	}
	return true
}

// pasted takes a whole URL apart, wherever it was pasted.
func (f *form) pasted(text string) bool {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	f.fields[fieldHost].SetValue(u.Host)
	path := u.EscapedPath()
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	if path == "" {
		path = "/"
	}
	f.fields[fieldPath].SetValue(path)
	f.fields[fieldPath].CursorEnd()
	if u.Port() != "" {
		f.fields[fieldListener].SetValue(u.Port())
	}
	if u.Scheme == "https" && f.text(fieldSNI) == "" {
		f.fields[fieldSNI].SetValue(u.Hostname())
	}
	f.version++
	return true
}

// after is what follows current in a list, its first beyond the end.
func after(list []string, current string) string {
	for i, s := range list {
		if s == current && i+1 < len(list) {
			return list[i+1]
		}
	}
	if len(list) == 0 {
		return current
	}
	return list[0]
}

// cell is one field in a row of the form.
type cell struct{ field, weight, least int }

// rows say which fields stand beside each other in w cells.
func (f *form) rows(w int) [][]cell {
	method, host, path := cell{fieldMethod, 0, 17}, cell{fieldHost, 3, 24}, cell{fieldPath, 1, 0}
	listener, sni, random := cell{fieldListener, 2, 22}, cell{fieldSNI, 2, 14}, cell{fieldRandom, 0, 16}
	out := [][]cell{{method, host}, {path}, {listener, sni, random}}
	if w >= 110 {
		out = [][]cell{{method, host, listener, sni, random}, {path}}
	}
	for i := fieldHeader; i < len(f.fields); i++ {
		out = append(out, []cell{{i, 1, 0}})
	}
	return out
}

// lines draws the form in at most h lines: of many headers those around the
// one that has the keyboard.
func (f *form) lines(a *App, w, h int) []string {
	var out []string
	focused := 0
	for _, row := range f.rows(w) {
		weights, room := 0, w
		for _, c := range row {
			weights += c.weight
			room -= c.least
		}
		line, left := "", w
		for i, c := range row {
			n := c.least
			if c.weight > 0 {
				n += max(0, room) * c.weight / weights
			}
			if i == len(row)-1 {
				n = left
			}
			line += f.cell(a, c.field, n)
			left -= n
			if c.field == f.focus {
				focused = len(out)
			}
		}
		out = append(out, line)
	}
	if more := extras(f.base); len(more) > 0 {
		out = append(out, a.th.Dim.Render(widget.Fit(widget.Clean("  also "+strings.Join(more, ", ")), w)))
	}
	if len(out) <= h {
		return out
	}
	from := max(0, min(focused-h/2, len(out)-h))
	return out[from : from+h]
}

// extras are what a request has that is in no field: a kept request, or the
// route that the form was filled from, may bring it.
func extras(r match.Request) []string {
	var out []string
	add := func(is bool, what string) {
		if is {
			out = append(out, what)
		}
	}
	add(r.HTTP2, "HTTP/2")
	add(r.HTTP10, "HTTP/1.0")
	add(len(r.ALPN) > 0, "ALPN "+strings.Join(r.ALPN, " "))
	add(r.Presented && r.Validated, "a valid client certificate")
	add(r.Presented && !r.Validated, "a client certificate that is not valid")
	add(r.Source.IsValid(), "from "+r.Source.String())
	for _, k := range slices.Sorted(maps.Keys(r.Runtime)) {
		add(true, fmt.Sprintf("runtime %s=%v", k, r.Runtime[k]))
	}
	add(len(r.Metadata) > 0, "metadata of "+strings.Join(slices.Sorted(maps.Keys(r.Metadata)), " "))
	add(len(r.FilterState) > 0, "filter state "+strings.Join(slices.Sorted(maps.Keys(r.FilterState)), " "))
	return out
}

// cell draws one field in n cells.
func (f *form) cell(a *App, i, n int) string {
	head, style := "  "+label(i)+" ", a.th.Dim
	if i == f.focus {
		head, style = a.th.Glyph.Cursor+" "+label(i)+" ", a.th.Accent
	}
	room := max(1, n-widget.Width(head)-1)
	in := &f.fields[i]
	if i == f.focus {
		in.Width = max(1, room-1)
		return style.Render(head) + widget.Fit(in.View(), room) + " "
	}
	return style.Render(head) + widget.Fit(widget.Clean(in.Value()), room) + " "
}
