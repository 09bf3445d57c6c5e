package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"example.com/meshtui/engine/mesh"
)

// Source is where files are read from.
type Source interface {
	ReadFile(path string) ([]byte, error)
	Glob(pattern string) ([]string, error)
}

// Disk is the file system.
type Disk struct{}

// ReadFile is os.ReadFile.
func (Disk) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// Glob is filepath.Glob.
func (Disk) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }

// Text is a Source of one file, for a text that is not on disk. It includes
// nothing.
type Text string

// ReadFile is the text, whatever it is asked for.
func (t Text) ReadFile(string) ([]byte, error) { return []byte(t), nil }

// Glob finds nothing.
func (Text) Glob(string) ([]string, error) { return nil, nil }

// maxFile is more than any configuration has.
const maxFile = 64 << 20

// maxDepth is deeper than any configuration goes.
const maxDepth = 1000

// deep reports whether more braces are open at once than blocks ever are. Those in
// texts come in pairs.
func deep(data []byte) bool {
	open := 0
	for _, c := range data {
		switch c {
		case '{':
			if open++; open > maxDepth {
				return true
			}
		case '}':
			open--
		}
	}
	return false
}

// tooDeep is a file with deeper blocks than that.
type tooDeep struct{ file string }

func (t *tooDeep) Error() string {
	return fmt.Sprintf("its blocks are nested more than %d deep", maxDepth)
}

// Parse reads the nginx.conf at path. It never fails on what stands in the
// files: that is in Problems, and the rest is read on. It fails only when the
// file itself cannot be read, or a file is too large to be a configuration.
func Parse(path string, src Source) (*Config, error) {
	c := &Config{Path: path}
	seen := map[string]bool{}
	open := func(name string) (io.ReadCloser, error) {
		data, err := src.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if len(data) > maxFile {
			return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
		}
		if deep(data) {
			return nil, &tooDeep{name}
		}
		if !seen[name] {
			seen[name] = true
			c.Files = append(c.Files, name)
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	options := crossplane.ParseOptions{
		Open: open, Glob: src.Glob, CombineConfigs: true,
		SkipDirectiveContextCheck: true, SkipDirectiveArgsCheck: true,
		LexOptions: crossplane.LexOptions{Lexers: []crossplane.RegisterLexer{(&crossplane.Lua{}).RegisterLexer()}},
	}
	first := options
	payload, err := crossplaned(path, &first)
	if err != nil && strings.Contains(err.Error(), "include cycle") {
		options.SingleFile = true
		return c, c.circular(options)
	}
	var gave *gaveUp
	if errors.As(err, &gave) {
		c.Problems = append(c.Problems, mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", File: path, Message: gave.Error()})
		return c, nil
	}
	var depth *tooDeep
	if errors.As(err, &depth) {
		c.Problems = append(c.Problems, mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", File: depth.file, Message: depth.Error()})
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(c.Files) == 0 {
		return nil, fmt.Errorf("reading %s: %w", path, errors.New("no file was read"))
	}
	c.take(payload)
	c.strict(options)
	return c, nil
}

// take is what crossplane has read, as our tree.
func (c *Config) take(payload *crossplane.Payload) {
	for _, e := range payload.Errors {
		c.Problems = append(c.Problems, problem(c.Path, e))
	}
	for _, file := range payload.Config[:min(1, len(payload.Config))] {
		c.Main = tree(file.Parsed, nil, c.Path)
	}
}

// circular reads the file alone: what it includes includes it again.
func (c *Config) circular(options crossplane.ParseOptions) error {
	payload, err := crossplaned(c.Path, &options)
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.Path, err)
	}
	c.take(payload)
	for d := range c.All() {
		if d.Name == "include" {
			c.Problems = append(c.Problems, mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", File: d.File, Line: d.Line,
				Message: fmt.Sprintf("%s: the includes go round in a circle; the file is read without them", d), Hint: "find the file that includes itself or one that included it"})
			break
		}
	}
	return nil
}

// gaveUp is a text that crossplane panics on: `if () {}` is one.
type gaveUp struct{ what any }

func (g *gaveUp) Error() string {
	return fmt.Sprintf("it cannot be read; look for an if without a condition (%v)", g.what)
}

// crossplaned is crossplane.Parse, and an error where that panics.
func crossplaned(path string, options *crossplane.ParseOptions) (payload *crossplane.Payload, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = &gaveUp{what: what}
		}
	}()
	return crossplane.Parse(path, options)
}

func problem(path string, e crossplane.PayloadError) mesh.Finding {
	f := mesh.Finding{Severity: mesh.Error, Rule: "nginx-syntax", File: e.File, Message: e.Error.Error()}
	if f.File == "" {
		f.File = path
	}
	if e.Line != nil {
		f.Line = *e.Line
	}
	var parse *crossplane.ParseError
	if errors.As(e.Error, &parse) {
		f.Message = parse.What
		if parse.File != nil && *parse.File != "" {
			f.File = *parse.File
		}
		if parse.Line != nil {
			f.Line = *parse.Line
		}
	}
	if strings.HasSuffix(f.Message, "is a directory") { // crossplane keeps the words alone
		f.Hint = "an include names files: write DIR/*.conf"
	}
	return f
}

func tree(in crossplane.Directives, parent *Directive, file string) []*Directive {
	out := make([]*Directive, 0, len(in))
	for _, d := range in {
		if d.IsComment() {
			continue
		}
		if d.File != "" {
			file = d.File
		}
		n := &Directive{Name: unescape(d.Directive), Parent: parent, File: file, Line: d.Line, IsBlock: d.IsBlock()}
		for _, a := range d.Args {
			n.Args = append(n.Args, unescape(a))
		}
		n.fold()
		n.Block = tree(d.Block, n, file)
		out = append(out, n)
	}
	return out
}

// unescape undoes nginx's escapes, which hold within quotes and outside of them
// (ngx_conf_read_token): a backslash before any other character stays.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if at := strings.IndexByte(`"'\trn`, s[i+1]); at >= 0 {
				b.WriteByte("\"'\\\t\r\n"[at])
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Looks reports whether a text looks like an nginx.conf rather than YAML or
// JSON: it has a block that only nginx has, or a directive that ends in a
// semicolon.
func Looks(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch name, rest, _ := strings.Cut(line, " "); {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[") || strings.HasPrefix(line, "- ") || strings.HasSuffix(name, ":"):
			return false
		case strings.HasSuffix(line, ";") || strings.HasSuffix(line, "{") || strings.HasSuffix(line, "}") && strings.Contains(line, ";"):
			return true
		case (name == "http" || name == "server" || name == "upstream" || name == "events" || name == "stream") && (rest == "" || strings.HasPrefix(rest, "{")):
			return true
		}
	}
	return false
}
