package tui

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/match"
	"example.com/meshtui/tui/outline"
	"example.com/meshtui/xds"
)

// patience is how long an answer is waited for.
const patience = 30 * time.Second

// shot is a request that was really sent: what the meshes said of it then, and
// what came back.
type shot struct {
	id      int
	request match.Request
	node    string
	started time.Time
	cancel  context.CancelFunc

	done        bool
	ended       time.Time
	draft, live match.Way
	differ      bool     // draft and live mesh were not the same
	past        *routing // of what was live then
	tried       Tried
	seen        match.Seen // of tried, as the matcher compares it
	verdict     verdict
}

// verdict is what the observed way says of the predicted one.
type verdict struct {
	draft, live []string // what differs from each, a sentence each
}

// shotMsg hands in what came of a request.
type shotMsg struct{ *shot }

// canSend says whether a request can really be sent.
func canSend(a *App) (bool, string) {
	switch {
	case a.deps.Trier == nil && a.deps.NoTrier != "":
		return false, "nothing can be sent: " + a.deps.NoTrier
	case a.deps.Trier == nil:
		return false, "nothing can be sent from here: meshtui runs no proxy whose address it knows; what is predicted stands"
	case a.target() == "":
		return false, "no " + a.product().one + " is connected that it could be sent to"
	}
	return true, ""
}

// target is the node that a request is sent to: the one that is shown, else
// the first that is connected; "" when there is none.
func (a *App) target() string {
	for _, n := range a.data.nodes {
		if n.Connected {
			return n.ID
		}
	}
	return ""
}

// send sends what is in the form. The answer to one that was sent before is no
// longer waited for.
func (a *App) send() tea.Cmd {
	s := a.try
	req, wrong := s.form.request()
	if len(wrong) > 0 {
		a.shout("not sent: " + wrong[0])
		return nil
	}
	if s.shot != nil {
		s.shot.cancel()
	}
	s.shots++
	next, fire := a.fire(s.shots, req)
	s.shot = next
	s.window.top = 0
	return tea.Batch(func() tea.Msg { return shotMsg{fire()} }, a.sendToNginx(s.shots, req))
}

// fire prepares a request to the node that is shown; what it returns sends it
// and waits for the answer.
func (a *App) fire(id int, req match.Request) (*shot, func() *shot) {
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	start := &shot{id: id, request: req, node: a.target(), started: a.now(), cancel: cancel, past: a.data.liveWays}
	trier, draft, live, now := a.deps.Trier, a.data.draftWays, a.data.liveWays, a.now
	owners, busy := a.clustersAt(), a.data.traffic.RPS > 0
	return start, func() *shot {
		defer cancel()
		end := *start
		end.tried = trier.Try(ctx, end.node, req)
		sent := req
		if end.tried.Address != "" {
			sent = end.tried.Sent // less than was asked, perhaps
		}
		sent.Random = nil // the proxy draws its own
		end.draft, end.live = draft.get().Match(&sent), live.get().Match(&sent)
		end.differ = draft != live
		end.tried.Busy = end.tried.Busy || busy
		end.done, end.ended = true, now()
		end.seen = seenOf(&end.tried, owners)
		end.verdict = verdict{draft: match.Differences(end.draft, end.seen), live: match.Differences(end.live, end.seen)}
		return &end
	}
}

// unsent reports whether the request never left.
func (t *Tried) unsent() bool { return t.Status == 0 && t.Address == "" }

// gaveUp reports whether the proxy answered in place of an endpoint.
func (t *Tried) gaveUp() bool {
	return t.Status >= http.StatusInternalServerError && t.Answered != "" && !strings.Contains(t.Answered, ":")
}

// forwarded reports whether the live mesh sends the request to an endpoint.
func (t *shot) forwarded() bool { return t.live.Action == match.Forward && t.live.Status == 0 }

// landed takes in what came of a request, unless another one was sent since.
func (a *App) landed(msg shotMsg) {
	if a.try != nil && a.try.shot != nil && a.try.shot.id == msg.id {
		a.try.shot = msg.shot
	}
}

// clustersAt looks up which clusters have an endpoint, as the picture of this
// moment has them.
func (a *App) clustersAt() func(address string) []string {
	rows := a.data.outline.Rows[outline.EDS]
	return func(address string) []string {
		var out []string
		for _, r := range rows {
			if r.Kind == outline.EndpointRow && r.Address == address && !slices.Contains(out, r.Cluster) {
				out = append(out, r.Cluster)
			}
		}
		return out
	}
}

// seenOf is what was observed, as the matcher compares it. While other traffic
// runs, the counters say little, and who answered says more, if it is known by
// the answer itself. Of a failure that the proxy answers they say nothing: a
// connection that is refused is not counted as a request.
func seenOf(t *Tried, owners func(string) []string) match.Seen {
	seen := match.Seen{Status: t.Status, Location: t.Location, Err: t.Err}
	if t.gaveUp() {
		return seen
	}
	if !t.Busy && t.Moved != nil {
		seen.Clusters = []string{}
		for _, m := range t.Moved {
			if m.Requests > 0 && !slices.Contains(seen.Clusters, m.Cluster) {
				seen.Clusters = append(seen.Clusters, m.Cluster)
			}
		}
		return seen
	}
	if address, _, named := strings.Cut(t.Answered, " ("); named {
		seen.Clusters = owners(address)
	}
	return seen
}

// lag says why a node may not yet do what is live; "" when it does.
func (a *App) lag(node string) string {
	n := a.data.xs.Node(node)
	if n == nil || a.data.head == nil {
		return ""
	}
	r, head := n.Rollout, a.data.head.Number
	switch {
	case !n.Connected:
		return node + " is no longer connected"
	case r.Revision < head || r.Result == engine.Pending:
		return fmt.Sprintf("%s does not have revision %d yet: %s", node, head, rolloutText(n))
	case r.Result != engine.Accepted:
		return fmt.Sprintf("%s did not take revision %d: %s", node, head, r.Result)
	case rejectedAny(n):
		return node + " rejected a part of what is live (N shows which)"
	}
	return ""
}

func rejectedAny(n *xds.Node) bool {
	for _, st := range n.Types {
		if st.Rejected != nil {
			return true
		}
	}
	return false
}
