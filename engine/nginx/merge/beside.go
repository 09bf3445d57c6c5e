package merge

import (
	"fmt"
	"strings"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
)

// customary are the directives of which the operator of an nginx expects nginx's own
// defaults in a new location, though http {} of a projection says Envoy's. How it connects is
// the cluster's.
var customary = []string{"proxy_read_timeout", "proxy_next_upstream", "client_max_body_size"}

const besideIt = "the locations beside it say "

// beside tells of locations that are new and go to an upstream on other terms than
// all those around them: these say each for itself what http {} says otherwise.
func (v *verifier) beside() {
	for d := range v.now.All() {
		if !v.isNewPass(d) {
			continue
		}
		var say, has []string
		around := v.around(d)
		for _, name := range customary {
			mine := inForce(d, v.now, name)
			values := map[string]bool{}
			for _, s := range around {
				values[inForce(s, v.now, name)] = true
			}
			if theirs := inForce(first(around), v.now, name); len(values) == 1 && theirs != "" && theirs != mine && len(d.Children(name)) == 0 {
				say, has = append(say, theirs), append(has, mine)
			}
		}
		if len(say) > 0 {
			v.change.tell(importer.Entry{Kind: nginx.Approximate, Directive: d.String(), File: file, Line: d.Line,
				Reason:  besideIt + strings.Join(say, ", ") + "; this one has what stands around them: " + strings.Join(has, ", "),
				Instead: "write these lines into it too, where it is to be like them"})
		}
	}
}

// isNewPass reports whether a directive is a location that is new and goes to an
// upstream.
func (v *verifier) isNewPass(d *conf.Directive) bool {
	return isLocation(d) && !isNamed(d) && v.edit.was[d] == nil && len(d.Children("proxy_pass")) > 0
}

// around are the locations of the server that were there before and go to an
// upstream; those of all servers where the server has none.
func (v *verifier) around(d *conf.Directive) (out []*conf.Directive) {
	var all []*conf.Directive
	for s := range v.now.All() {
		if !isLocation(s) || v.edit.was[s] == nil || len(s.Children("proxy_pass")) == 0 {
			continue
		}
		if all = append(all, s); s.Parent == d.Parent {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

func first(ds []*conf.Directive) *conf.Directive {
	if len(ds) == 0 {
		return nil
	}
	return ds[0]
}

// inForce is the line of a name that holds in a location; "" for none.
func inForce(d *conf.Directive, c *conf.Config, name string) string {
	if d == nil {
		return ""
	}
	lines := conf.Inherited(d, c.Main, name)
	if len(lines) == 0 {
		return fmt.Sprintf("no %s", name)
	}
	return lines[len(lines)-1].String()
}
