package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/tui/tuitest"
	"example.com/meshtui/xds"
)

var (
	sickKey   = mesh.Key{Type: mesh.Route, Name: "local_route"}
	sickWords = "Only unique values for domains are permitted. Duplicate entry of domain www.example.com:* in route local_route"
)

// sick is a refusal with an edit that mends it, and a second reason without.
func sick() *refusal {
	text := tuitest.Mesh().Get(sickKey).Source.Text
	return &refusal{node: "envoy-1", t: mesh.Route, fact: xds.Fact{Version: "v12-3", Nonce: "9", At: tuitest.Now.Add(-9 * time.Second)}, text: sickWords, revision: 12,
		among: []mesh.Key{sickKey}, reasons: []nack.Diagnosis{
			{Key: sickKey, Sure: true, Path: "virtual_hosts[0].domains[1]", File: "/srv/shop/rds.yaml", Line: 4, Words: sickWords,
				Plain: "the domain www.example.com:* stands twice in local_route", Why: "Envoy could not tell which virtual host a request is for.", Hint: "Delete one of the two.",
				Fix: &nack.Fix{Says: "delete the second entry of www.example.com:*", Key: sickKey, Text: strings.Replace(text, ", www.example.com:*", "", 1)}},
			{Key: mesh.Key{Type: mesh.Cluster, Name: "app-v2"}, Words: "malformed IP address: example.test", Plain: "example.test is a name, and not an IP address"},
		}}
}

// see opens the doctor on a refusal.
func see(t *testing.T, s *tuitest.Scene, r *refusal, w, h int) *App {
	t.Helper()
	a := stage(t, steady(s), w, h)
	a.jump(r.reasons[0].Key, r.reasons[0].Path)
	run(a, a.openDoctor(r, r.reasons[0].Key)())
	if len(a.overlays) != 1 {
		t.Fatalf("%d overlays", len(a.overlays))
	}
	return a
}

func TestGoldenDoctor(t *testing.T) {
	for _, s := range [][2]int{{120, 34}, {80, 24}, {60, 24}} {
		a := see(t, tuitest.Calm(), sick(), s[0], s[1])
		golden(t, fmt.Sprintf("doctor-%dx%d", s[0], s[1]), a.View())
	}
}

func TestDoctorMendsTheDraft(t *testing.T) {
	s := tuitest.Calm()
	a := see(t, s, sick(), 120, 40)
	shows(t, a, "Why envoy-1 rejected route local_route (1 of 2)", "stands twice in local_route", "virtual_hosts[0].domains[1] rds.yaml:4",
		"Envoy could not tell", "Envoy says: Only unique values", "delete the second entry", "- domains: [www.example.com, www.example.com:*]", "+ domains: [www.example.com]")
	if a.pane != PanelRDS || a.selected().Key != sickKey || !strings.HasPrefix(a.selected().Path, "virtual_hosts[0]") {
		t.Errorf("the cursor is on %+v of pane %d", a.selected(), a.pane)
	}
	if len(s.Workspace.Edits) != 0 {
		t.Fatal("the draft was changed before anybody agreed")
	}
	press(a, "enter")
	want := []engine.Edit{engine.Put{Type: mesh.Route, Text: sick().reasons[0].Fix.Text, Was: sickKey}}
	if diff := cmp.Diff(want, s.Workspace.Edits); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(a.overlays) != 0 {
		t.Error("the doctor stays open")
	}
	shows(t, a, "in the draft: delete the second entry")
}

func TestDoctorSaysWhenThereIsNoEdit(t *testing.T) {
	a := see(t, tuitest.Calm(), sick(), 120, 34)
	press(a, "tab")
	shows(t, a, "(2 of 2)", "most likely cluster app-v2: example.test is a name", "only you can know", "e edit it there")
	if strings.Contains(a.View(), "put it into the draft") {
		t.Error("an edit is offered that there is not")
	}
	if a.pane != PanelCDS || a.selected().Key.Name != "app-v2" {
		t.Errorf("the cursor is on %+v", a.selected())
	}
	press(a, "enter")
	if len(a.overlays) != 1 {
		t.Error("enter closed it")
	}
}

// An edit made for the text that was pushed must not undo what the operator has
// changed since.
func TestDoctorKeepsWhatTheDraftChanged(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Draft = st.Groups[0].Draft.With(tuitest.Resource(mesh.Route, "name: local_route\nvirtual_hosts: []\n"))
	})
	a := see(t, s, sick(), 120, 34)
	shows(t, a, "The draft has changed it since the push")
	press(a, "enter")
	for _, e := range s.Workspace.Edits {
		if p, ok := e.(engine.Put); ok && p.Text == sick().reasons[0].Fix.Text {
			t.Error("the edit for the pushed text was put over the draft's")
		}
	}
}

// The draft may change while the doctor is open.
func TestDoctorRefusesAStaleEdit(t *testing.T) {
	s := tuitest.Calm()
	a := see(t, s, sick(), 120, 34)
	s.Workspace.Set(func(st *engine.State) {
		st.Groups[0].Draft = st.Groups[0].Draft.With(tuitest.Resource(mesh.Route, "name: local_route\nvirtual_hosts: []\n"))
	})
	press(a, "enter")
	shows(t, a, "the draft has changed it meanwhile")
	if len(s.Workspace.Edits) != 0 {
		t.Errorf("edited %v", s.Workspace.Edits)
	}
}

func TestDoctorRemovesWhatHasNoText(t *testing.T) {
	s, r := tuitest.Calm(), sick()
	r.reasons[0].Fix.Text = ""
	a := see(t, s, r, 120, 34)
	press(a, "enter")
	if diff := cmp.Diff([]engine.Edit{engine.Remove{Key: sickKey}}, s.Workspace.Edits); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDoctorWithoutAnythingRejected(t *testing.T) {
	s := tuitest.Calm()
	a := stage(t, depsOf(s), 150, 40)
	press(a, "3", "f")
	shows(t, a, "nothing here was rejected")
}

// The doctor is one key away from every place that shows a rejection.
func TestDoctorFromEverywhere(t *testing.T) {
	s := tuitest.Troubled()
	st := *s.Nodes.State()
	for _, keys := range [][]string{{"3", "g", "j", "f"}, {"6", "f"}, {"w", "f"}, {"N", "j", "j", "j", "j", "f"}, {"R", "f"}} {
		if keys[0] == "R" {
			for i := range s.Nodes.Messages {
				s.Nodes.Messages[i].Revision = 12
			}
		}
		s.Nodes.Set(&st)
		a := stage(t, depsOf(s), 150, 40)
		press(a, keys...)
		if len(a.overlays) == 0 {
			t.Errorf("after %q there is no doctor:\n%s", keys, a.View())
			continue
		}
		if _, ok := a.overlays[0].(*doctor); !ok {
			t.Errorf("after %q there is a %T", keys, a.overlays[0])
		}
		shows(t, a, "Why envoy-", "EDS cluster")
	}
}

// The node's words come from the message itself, where it is still kept.
func TestDoctorReadsTheMessage(t *testing.T) {
	s := tuitest.Calm()
	last := s.Nodes.Messages[len(s.Nodes.Messages)-1]
	s.Nodes.Bodies = map[uint64]proto.Message{last.Seq: &discoveryv3.DiscoveryRequest{ErrorDetail: &status.Status{Message: "Some words that only the message has"}}}
	a := stage(t, depsOf(s), 150, 40)
	press(a, "6", "f")
	shows(t, a, "Some words that only the message has")
}

func TestReadOnlyMendsNothing(t *testing.T) {
	s := tuitest.Calm()
	s.Workspace.Set(func(st *engine.State) { st.ReadOnly = "process 4711 has it open" })
	a := see(t, s, sick(), 120, 34)
	press(a, "enter")
	shows(t, a, "process 4711 has it open")
	if len(s.Workspace.Edits) != 0 {
		t.Errorf("edited %v", s.Workspace.Edits)
	}
}
