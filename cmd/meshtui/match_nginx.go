package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// nginxJSON is what nginx itself does with a request, by the nginx.conf that was
// asked.
type nginxJSON struct {
	Action   predict.Action  `json:"action"`
	Server   string          `json:"server,omitempty"` // its first name
	Location *nginxPlaceJSON `json:"location,omitempty"`
	Status   int             `json:"status,omitempty"`
	Redirect string          `json:"redirect,omitempty"`
	Upstream string          `json:"upstream,omitempty"`
	Host     string          `json:"host,omitempty"` // as sent upstream
	Path     string          `json:"path,omitempty"` // as sent upstream
	Caveats  []string        `json:"caveats"`
}

type nginxPlaceJSON struct {
	Text string `json:"text"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// inNginx is what nginx does with a request, where path is an nginx.conf; nil
// where it is anything else.
func inNginx(path string, r match.Request) *predict.Answer {
	content, err := os.ReadFile(path)
	if err != nil || !conf.Looks(string(content)) {
		return nil
	}
	c, err := conf.Parse(path, conf.Disk{})
	if err != nil {
		return nil
	}
	ask := predict.Request{Address: r.Address, Port: r.Port, TLS: r.TLS, SNI: r.SNI, Method: r.Method, Host: r.Host, Target: r.Path, HTTP10: r.HTTP10}
	for _, h := range r.Headers {
		ask.Headers = append(ask.Headers, [2]string{h.Name, h.Value})
	}
	a := predict.New(c).Answer(ask)
	return &a
}

// foretold is nginx's way as `match` prints it below Envoy's.
func foretold(a *predict.Answer) string {
	var b strings.Builder
	row := func(what, name, why string) {
		fmt.Fprintln(&b, strings.TrimRight(printable(fmt.Sprintf("    %-18s %-24s %s", what, name, why)), " "))
	}
	b.WriteString("\n  nginx itself\n")
	for _, s := range a.Steps {
		name := strings.TrimPrefix(s.Name, s.Kind+" ")
		if s.Kind == "action" && name == "0" { // no directive says it, and its status is not known
			name = ""
		}
		row(s.Kind, name, s.Why+in(standing(s.At)))
	}
	switch {
	case a.Action == predict.Proxy:
		row("sent upstream", a.Host+a.Sent, "to "+upstreams(a))
	case a.Redirect != "":
		row("redirect", fmt.Sprint(a.Status), a.Redirect)
	case a.Status != 0:
		row("answer", fmt.Sprint(a.Status), "")
	case a.Action == predict.Static:
		row("answer", "a file", "which one, the disk decides")
	case a.Action == predict.Closed:
		row("answer", "none", "the connection is closed")
	}
	for _, c := range a.Caveats {
		row("not known here", c, "")
	}
	return b.String()
}

// upstreams are where a proxied request goes.
func upstreams(a *predict.Answer) string {
	var out []string
	for _, s := range a.Split {
		out = append(out, fmt.Sprintf("%s %g %%", s.Upstream, s.Percent))
	}
	return cmp.Or(a.Upstream, strings.Join(out, ", "))
}

func standing(d *conf.Directive) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", filepath.Base(d.File), d.Line)
}

func nginxReport(a *predict.Answer) *nginxJSON {
	if a == nil {
		return nil
	}
	out := &nginxJSON{Action: a.Action, Status: a.Status, Redirect: a.Redirect, Upstream: upstreams(a), Host: a.Host, Path: a.Sent,
		Caveats: append([]string{}, a.Caveats...)}
	if a.Server != nil {
		for _, names := range a.Server.Children("server_name") {
			out.Server = cmp.Or(out.Server, names.Arg(0))
		}
	}
	if l := a.Location; l != nil {
		out.Location = &nginxPlaceJSON{Text: l.String(), File: l.File, Line: l.Line}
	}
	return out
}
