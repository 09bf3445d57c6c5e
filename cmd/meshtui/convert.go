package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/text"
)

// converting is one run of `convert`.
type converting struct {
	to, dir string
	json    bool
}

func newConvert() *cobra.Command {
	var c converting
	cmd := &cobra.Command{
		Use:   "convert IN [--to envoy|nginx] [-o DIR]",
		Short: "Turn an nginx.conf into Envoy's resources, or the other way round",
		Long: `Turn what lies at IN into the other world's words. IN is anything that meshtui
opens: an nginx.conf with its includes, a filesystem-xDS folder, an Envoy bootstrap
or a config dump.

--to envoy writes, without -o, a bootstrap that an Envoy takes as it is
(envoy -c); with -o a filesystem-xDS folder, which meshtui opens and an Envoy reads.
--to nginx writes an nginx.conf. Without --to it is the world that IN is not of.

What is not carried over, or means only about the same, is listed on stderr with
file, line, the reason and what to do instead; --json prints an object for each, as
check does. Exit status: 0 written; 1 not, or a part of IN could not be read and
what was written is without it.`,
		Example: `  meshtui convert /etc/nginx/nginx.conf > envoy.yaml
  meshtui convert /etc/nginx/nginx.conf -o mesh/
  meshtui convert mesh/ --to nginx > nginx.conf`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			return c.run(a[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&c.to, "to", "", "envoy or nginx (default: what IN is not)")
	cmd.Flags().StringVarP(&c.dir, "output", "o", "", "a folder to write to, made when it is missing (default: stdout)")
	cmd.Flags().BoolVar(&c.json, "json", false, "the report as JSON, one object a line")
	return cmd
}

func (c *converting) run(in string, out, errOut io.Writer) error {
	if c.to != "" && c.to != "envoy" && c.to != "nginx" {
		return usageError(fmt.Errorf("--to %s: it is envoy or nginx", c.to))
	}
	opened, err := files.Open(in)
	if err != nil {
		return err
	}
	if c.to == "" {
		c.to = "nginx"
		if opened.Kind == files.Nginx {
			c.to = "envoy"
		}
	}
	report := append(append([]mesh.Finding(nil), opened.Problems...), opened.Notices...)
	if c.to == "envoy" {
		err = c.toEnvoy(opened, out)
	} else {
		var more []mesh.Finding
		more, err = c.toNginx(opened, out)
		report = append(report, more...)
	}
	if err != nil {
		return err
	}
	if err := printFindings(errOut, report, c.json); err != nil {
		return err
	}
	if mesh.Worst(opened.Problems) == mesh.Error {
		return &exitError{status: 1, err: errors.New("a part of it could not be read, and what was written is without it")}
	}
	return nil
}

// toEnvoy writes a bootstrap, or a folder.
func (c *converting) toEnvoy(opened *files.Opened, out io.Writer) error {
	if c.dir != "" {
		_, err := files.Save(c.dir, opened, opened.Rules, opened.Meshes, files.Disk{})
		return err
	}
	if len(opened.Meshes) > 1 {
		return fmt.Errorf("%s has several groups (%s), and a bootstrap is for one Envoy: write a folder with -o", opened.Name, strings.Join(sortedGroups(opened.Meshes), ", "))
	}
	b, err := files.Static(opened.Meshes[mesh.DefaultGroup])
	if err != nil {
		return err
	}
	written, err := text.Encode(b)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, written)
	return err
}

// toNginx writes an nginx.conf for each group, and says what it does not say.
func (c *converting) toNginx(opened *files.Opened, out io.Writer) (report []mesh.Finding, err error) {
	if c.dir == "" && len(opened.Meshes) > 1 {
		return nil, fmt.Errorf("%s has several groups (%s), and each is an nginx.conf of its own: write a folder with -o", opened.Name, strings.Join(sortedGroups(opened.Meshes), ", "))
	}
	for _, group := range sortedGroups(opened.Meshes) {
		m := opened.Meshes[group]
		conf := nginx.Project(m)
		report = append(report, unsaid(conf, newPlaces(m))...)
		if c.dir == "" {
			_, err = io.WriteString(out, conf.String())
			return report, err
		}
		dir := c.dir
		if len(opened.Meshes) > 1 {
			dir = filepath.Join(dir, group)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, "nginx.conf")
		if _, err := os.Stat(path); err == nil {
			return nil, fmt.Errorf("%s is there already: name another folder with -o, or remove it", path)
		}
		if err := (files.Disk{}).WriteFile(path, []byte(conf.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// unsaid is what an nginx.conf says only about, or cannot say: a finding for
// each field and lesson, at the place of the field.
func unsaid(conf *nginx.Config, at *places) []mesh.Finding {
	type one struct {
		from   nginx.Origin
		lesson string
	}
	seen := map[one]bool{}
	var out []mesh.Finding
	var within *nginx.Origin // of a commented block, which is told by its first line
	for i, l := range conf.Lines {
		if l.Kind == nginx.Approximate || l.Kind == nginx.Exact {
			within = nil
		}
		if l.Kind != nginx.Approximate && l.Kind != nginx.None || l.From.Key.IsZero() || seen[one{l.From, l.Lesson}] || within != nil && below(l.From, *within) {
			continue
		}
		seen[one{l.From, l.Lesson}] = true
		if l.Kind == nginx.None {
			within = &nginx.Origin{Key: l.From.Key, Path: l.From.Path}
		}
		f := mesh.Finding{Severity: mesh.Note, Rule: "nginx-approximate", Key: l.From.Key, Path: l.From.Path}
		what := strings.TrimSpace(l.Text)
		if l.Kind == nginx.None {
			f.Severity, f.Rule = mesh.Warning, "nginx-none"
			what = strings.TrimSpace(strings.TrimLeft(what, "# "))
		}
		f.File, f.Line = at.of(l.From.Key, l.From.Path)
		f.Message = fmt.Sprintf("line %d of nginx.conf, %s: %s", i+1, printable(what), cmp.Or(l.Lesson, "nginx has no counterpart"))
		out = append(out, f)
	}
	return out
}

// below reports whether a field is another one, or stands in it.
func below(o, in nginx.Origin) bool {
	if o.Key != in.Key {
		return false
	}
	rest, ok := strings.CutPrefix(o.Path, in.Path)
	return ok && (rest == "" || in.Path == "" || rest[0] == '.' || rest[0] == '[')
}
