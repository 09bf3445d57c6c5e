package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// event is one thing that happened while serving, as `serve` prints it: a line,
// or with --json one object with these fields, empty ones left out.
type event struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	Node      string    `json:"node,omitempty"`
	Revision  int       `json:"revision,omitempty"`
	Type      string    `json:"type,omitempty"` // listener, route, cluster, endpoints, secret and so on
	Version   string    `json:"version,omitempty"`
	Nonce     string    `json:"nonce,omitempty"`
	Resources []string  `json:"resources,omitempty"`
	Detail    string    `json:"detail,omitempty"`

	// Of a finding, as `check --json` has them.
	Severity string `json:"severity,omitempty"`
	Rule     string `json:"rule,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
}

// line is the event for a person.
func (e event) line() string {
	parts := []string{e.Time.Format("15:04:05.000"), fmt.Sprintf("%-12s", e.Event)}
	if e.Revision > 0 && e.Node == "" {
		parts = append(parts, fmt.Sprintf("revision %d", e.Revision))
	}
	for _, p := range []string{e.Node, e.Type, e.Version} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(e.Resources) > 0 {
		parts = append(parts, "["+strings.Join(e.Resources, " ")+"]")
	}
	if e.Detail != "" {
		parts = append(parts, strings.Join(strings.Fields(e.Detail), " "))
	}
	return strings.Join(parts, " ")
}

// printer writes events one a line, as text or JSON.
type printer struct {
	out  io.Writer
	json bool
}

// print writes one event. It returns the writer's error: a reader that went
// away ends the command.
func (p printer) print(e event) error {
	if !p.json {
		_, err := fmt.Fprintln(p.out, e.line())
		return err
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(b, '\n'))
	return err
}

// narrator turns what the server and the watcher show into events, each told
// once. It keeps only what it needs to tell news from what was told.
type narrator struct {
	diagnose func(xds.Message) []nack.Diagnosis // takes a NACK apart; nil takes none

	seq     uint64         // of the wire message told last
	streams map[string]int // open streams by node
	warming map[string][]string
	active  map[string]map[mesh.Key]string // node → resource → version told as active
}

func newNarrator(diagnose func(xds.Message) []nack.Diagnosis) *narrator {
	return &narrator{diagnose: diagnose, streams: map[string]int{}, warming: map[string][]string{}, active: map[string]map[mesh.Key]string{}}
}

// wire tells what is new on the wire, in its order.
func (n *narrator) wire(w *xds.Wire) []event {
	var out []event
	for {
		msgs, dropped := w.Since(n.seq, 1000)
		if dropped > 0 {
			out = append(out, event{Time: time.Now(), Event: "finding", Detail: fmt.Sprintf("%d messages went by too fast to be told", dropped)})
		}
		if len(msgs) == 0 {
			return out
		}
		for _, m := range msgs {
			n.seq = m.Seq
			e, ok := n.message(m)
			if !ok {
				continue
			}
			out = append(out, e)
			if m.Kind == xds.NACK && n.diagnose != nil {
				out = append(out, diagnoses(e, n.diagnose(m))...)
			}
		}
	}
}

func (n *narrator) message(m xds.Message) (event, bool) {
	e := event{Time: m.At, Node: m.Node, Version: m.Version, Nonce: m.Nonce, Revision: m.Revision, Detail: m.Detail}
	if m.Type != 0 {
		e.Type = m.Type.String()
	}
	switch m.Kind {
	case xds.Connected:
		n.streams[m.Node]++
		e.Event = "connected"
		return e, n.streams[m.Node] == 1
	case xds.Refused:
		e.Event = "refused"
		return e, true
	case xds.Disconnected:
		n.streams[m.Node]--
		if e.Event = "disconnected"; n.streams[m.Node] > 0 {
			return e, false
		}
		// A node that comes back has everything to prove again.
		delete(n.streams, m.Node)
		delete(n.warming, m.Node)
		delete(n.active, m.Node)
		return e, true
	case xds.Response:
		e.Event, e.Resources = "sent", slices.Concat(m.Names, m.Removed)
	case xds.ACK:
		e.Event, e.Resources = "acked", slices.Concat(m.Names, m.Removed)
	case xds.NACK:
		e.Event, e.Resources = "rejected", slices.Concat(m.Names, m.Removed)
	default:
		return e, false
	}
	return e, m.Type != 0
}

// facts tells what a node's admin interface shows that is new: clusters that
// began to warm, and resources that came into use as they were served.
func (n *narrator) facts(node *xds.Node, f *envoy.Facts) []event {
	if f == nil || f.At.IsZero() {
		return nil
	}
	var out []event
	if !slices.Equal(n.warming[node.ID], f.Warming) {
		n.warming[node.ID] = slices.Clone(f.Warming)
		if len(f.Warming) > 0 {
			out = append(out, event{Time: f.At, Event: "warming", Node: node.ID, Type: mesh.Cluster.String(), Resources: f.Warming})
		}
	}
	told := n.active[node.ID]
	if told == nil {
		told = map[mesh.Key]string{}
		n.active[node.ID] = told
	}
	news := map[mesh.Type]map[string][]string{} // type → version → names
	for key, a := range f.Active {
		served := node.Resources.Get(key)
		// Only what this poll can vouch for: a resource served since then may
		// look active with the content of before.
		if a.State != envoy.ActiveSame || served.Served.At.After(f.At) || told[key] == served.Hash {
			continue
		}
		told[key] = served.Hash
		byVersion := news[key.Type]
		if byVersion == nil {
			byVersion = map[string][]string{}
			news[key.Type] = byVersion
		}
		byVersion[served.Served.Version] = append(byVersion[served.Served.Version], key.Name)
	}
	for _, t := range mesh.Types() {
		for version, names := range news[t] {
			sort.Strings(names)
			out = append(out, event{Time: f.At, Event: "active", Node: node.ID, Type: t.String(), Version: version, Resources: names})
		}
	}
	return out
}

// findings tells findings.
func findings(at time.Time, fs []mesh.Finding) []event {
	var out []event
	for _, f := range fs {
		e := event{Time: at, Event: "finding", Detail: f.String(), Severity: f.Severity.String(), Rule: f.Rule,
			File: f.File, Line: f.Line, Column: f.Column}
		if !f.Key.IsZero() {
			e.Type, e.Resources = f.Key.Type.String(), []string{f.Key.Name}
		}
		out = append(out, e)
	}
	return out
}
