package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
)

func TestAPushWithoutANoteSaysWhatWasDone(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: cluster, Path: "connect_timeout", Value: "3s"}))
	l.must(w.Edit(mesh.DefaultGroup, drain("127.0.0.1:8080")))
	notes := []string{l.push(w).Note}
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("LEAST_REQUEST")))
	notes = append(notes, l.push(w).Note)
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	r, err := w.Push(engine.PushOptions{Note: "as it was"})
	l.must(err)
	notes = append(notes, r.Note)

	// No step of the draft began with what another program wrote meanwhile.
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("ROUND_ROBIN")))
	l.close(w)
	l.write("lds.yaml", strings.Replace(l.read("lds.yaml"), "10000", "10001", 1))
	notes = append(notes, l.push(l.open()).Note)

	want := []string{"drain 127.0.0.1:8080 of app; and 2 more", "set lb_policy of cluster app to LEAST_REQUEST",
		"as it was", "edit listener app; and 2 more"}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
}

func TestWeightsAreDescribedByTheClustersName(t *testing.T) {
	w := inMemory(t, resource(t, mesh.Route, `name: app
virtual_hosts:
- name: all
  domains: ["*"]
  routes:
  - match: {prefix: /}
    route:
      weighted_clusters:
        clusters:
        - {name: app, weight: 90}
        - {name: app-v2, weight: 10}
`))
	e := engine.SetRouteWeight{Key: route, Path: "virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1]"}
	if err := w.Edit(mesh.DefaultGroup, e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app-v2: weight 0"}, w.State().Undo); diff != "" {
		t.Error(diff)
	}
}

func TestPushErrorSaysNothingOfForce(t *testing.T) {
	err := &engine.PushError{Findings: []mesh.Finding{
		{Severity: mesh.Error, Key: cluster, Message: "no such thing", Hint: "write another"}, {Severity: mesh.Error}}}
	want := "not pushed: error: cluster app: no such thing (write another); and 1 more"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWasOnItsWayIsSoAgainWhenServedAgain(t *testing.T) {
	l := newLab(t)
	w := l.open()
	l.must(w.Edit(mesh.DefaultGroup, lbPolicy("RANDOM")))
	l.push(w)
	l.must(w.Save(""))
	w.Record(2, engine.Outcome{Result: engine.Pending, Nodes: 1, Detail: "waiting for envoy-1"})
	l.close(w)

	w = l.open()
	if o := w.State().Head().Outcome; o != (engine.Outcome{Result: engine.Pending}) {
		t.Errorf("served again, it begins with %+v", o)
	}
	var got []engine.Result
	for _, r := range w.State().Revisions {
		got = append(got, r.Outcome.Result)
	}
	if diff := cmp.Diff([]engine.Result{engine.Superseded, engine.Pending}, got); diff != "" {
		t.Errorf("served again: %s", diff)
	}
	l.close(w)
	l.write("cds.yaml", response(mesh.Cluster, engine.Template(mesh.Cluster, "app")))
	got = nil
	for _, r := range l.open().State().Revisions {
		got = append(got, r.Outcome.Result)
	}
	if diff := cmp.Diff([]engine.Result{engine.Superseded, engine.Superseded, engine.Pending}, got); diff != "" {
		t.Errorf("followed by what is on disk: %s", diff)
	}
}

func TestTheDiffAfterASaveShowsTheEditAlone(t *testing.T) {
	l := newLab(t)
	w := l.open()
	fresh := mesh.Key{Type: mesh.Cluster, Name: "fresh"}
	l.must(w.Edit(mesh.DefaultGroup, engine.Put{Type: mesh.Cluster, Text: engine.Template(mesh.Cluster, "fresh")}))
	_, err := w.Push(engine.PushOptions{Force: true}) // it has no endpoints yet
	l.must(err)
	l.must(w.Save(""))
	l.must(w.Edit(mesh.DefaultGroup, engine.SetField{Key: fresh, Path: "lb_policy", Value: "RANDOM"}))
	changes := w.State().Group(mesh.DefaultGroup).Changes
	if len(changes) != 1 {
		t.Fatalf("%d changes", len(changes))
	}
	added, removed := 0, 0
	for _, line := range strings.Split(engine.TextDiff(changes[0]), "\n") {
		switch {
		case len(line) > 1 && line[0] == '+' && line[1] != '+':
			added++
		case len(line) > 1 && line[0] == '-' && line[1] != '-':
			removed++
		}
	}
	if added != 1 || removed != 1 {
		t.Errorf("the operator changed one line:\n%s", engine.TextDiff(changes[0]))
	}
	// The lines of the file are those of the text that is left.
	if c := changes[0]; c.New.Source.Text != c.New.Source.Body() || c.New.Source.LineAt(1).Line < c.Old.Source.LineAt(1).Line {
		t.Errorf("%+v", c.New.Source)
	}
}
