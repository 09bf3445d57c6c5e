package truth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// usual is for how long something may warm before it is called stuck. Endpoints
// come within milliseconds, a first health check within its timeout; Envoy gives
// up by itself after 15 s.
const usual = 5 * time.Second

// judge comes to the verdict on what is known of one resource, in the order of
// what weighs most.
func (w *witness) judge(r *Resource, st xds.ResourceStatus, e evidence) (v Verdict, says string) {
	offered := w.offered.Get(r.Key)
	switch {
	case !r.Served.Yes():
		return w.unserved(r.Key)
	case r.Rejected.Yes() && !r.Partly:
		return Rejected, rejectedSays(st, e)
	case offered != nil && st.Hash != "" && st.Hash != offered.Hash():
		return Unsent, "its newest version is not sent yet"
	}
	if v, says = w.looked(r, e); w.stale() && v != Sent && v != WaitingToWarm {
		return Unobservable, w.outdated(r, says)
	}
	if w.offered != nil && offered == nil {
		says += "; it is no longer in the revision and about to go"
	}
	return v, says
}

// unserved is the verdict on what is offered and was never sent.
func (w *witness) unserved(k mesh.Key) (Verdict, string) {
	if w.facts != nil {
		if origin, ok := w.facts.Foreign[k]; ok {
			return Overridden, fmt.Sprintf("the node has a %s of this name from %s, and did not ask for ours", k.Type, origin)
		}
	}
	ts, spoken := w.node.Types[k.Type]
	switch {
	case !w.node.Connected:
		return Unsent, "not sent: the node is not connected"
	case ts.Wildcard || slices.Contains(ts.Subscribed, k.Name):
		return Unsent, "not sent yet"
	case !spoken && (k.Type == mesh.Listener || k.Type == mesh.Cluster):
		return Unsent, fmt.Sprintf("the node has not asked for %ss yet", k.Type)
	}
	return Unasked, "nothing in the node asks for it"
}

func rejectedSays(st xds.ResourceStatus, e evidence) string {
	at := st.Rejected.At
	switch e.active.State {
	case envoy.ActiveOther:
		return "rejected; the node runs the version before it" + since(" since ", e.active.Since, at)
	case envoy.Absent:
		return "rejected; the node has none of it"
	case envoy.Warming:
		return "rejected; the node keeps it in warming, and it never gets warm"
	}
	return "rejected"
}

// refused reports whether a rejection is about one resource of the response: its
// words name it, or they name none of those that came with it. Envoy leaves a
// cluster that it refuses half way among those that warm, beside the good ones.
func refused(k mesh.Key, why *xds.Rejection) bool {
	return named(why.Detail, k.Name) || !slices.ContainsFunc(why.Resources, func(other mesh.Key) bool { return named(why.Detail, other.Name) })
}

// named reports whether words hold a name, and not as part of a longer one.
func named(words, name string) bool {
	part := func(c byte) bool {
		return c == '-' || c == '_' || c == '/' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	for rest := words; name != ""; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		end := i + len(name)
		if (i == 0 || !part(rest[i-1])) && (end == len(rest) || !part(rest[end])) {
			return true
		}
		rest = rest[i+1:]
	}
	return false
}

// since is a time of day behind a word, "" where there is none or where it is
// not before the other time.
func since(word string, at, before time.Time) string {
	if at.IsZero() || !at.Before(before) {
		return ""
	}
	return word + at.Local().Format("15:04:05")
}

// looked is the verdict on what was served, from the stream and the last look.
func (w *witness) looked(r *Resource, e evidence) (Verdict, string) {
	switch {
	case r.Active.Yes():
		return w.active(r, e)
	case r.Warming.Yes():
		return w.warming(r, e)
	case !r.Acked.Yes():
		return w.unanswered(r)
	}
	switch e.active.State {
	case envoy.Overridden:
		return Overridden, detailed("accepted, but overridden", e.active.Detail)
	case envoy.PassedOver:
		return PassedOver, detailed("accepted, and without effect", e.active.Detail)
	case envoy.ActiveOther:
		return Drifted, detailed("accepted, but active with other content", e.active.Detail)
	case envoy.Absent:
		if !w.asks(r.Key) {
			return Unasked, detailed("nothing in the node asks for it any more", e.active.Detail)
		}
		return Missing, detailed("accepted, but not in the node", e.active.Detail)
	}
	return Unobservable, w.unseen(r, e)
}

// active is the verdict on what runs with the content that was served.
func (w *witness) active(r *Resource, e evidence) (Verdict, string) {
	says := "active"
	if e.active.Detail != "" {
		says += " (" + e.active.Detail + ")"
	}
	switch {
	case r.Rejected.Yes():
		says += "; taken, although the response that it came in was rejected"
	case !r.Acked.Yes():
		if names := w.warm(); r.Key.Type == mesh.Cluster && len(names) > 0 {
			says += "; the ACK is withheld until these are warm: " + few(names)
		} else {
			says += "; not answered yet"
		}
	}
	switch {
	case r.Carrying.Yes():
		return Carrying, fmt.Sprintf("%s; %s in the last %s", says, plural(r.Requests, "request"), span(e.traffic.To.Sub(e.traffic.From)))
	case r.Counted:
		says += fmt.Sprintf("; no request in the last %s", span(e.traffic.To.Sub(e.traffic.From)))
	}
	return Active, says
}

// warming is the verdict on what the node has taken and does not use yet.
func (w *witness) warming(r *Resource, e evidence) (Verdict, string) {
	began := r.Warming.At
	if r.Served.At.After(began) {
		began = r.Served.At
	}
	lasts := w.now.Sub(began)
	says := fmt.Sprintf("warming for %s", age(lasts))
	if waits := w.waitsFor(r); waits != "" {
		says += ": waits for " + waits
	} else if e.active.Detail != "" {
		says += ": " + e.active.Detail
	}
	if lasts >= usual {
		return Stuck, says
	}
	return WaitingToWarm, says
}

// unanswered is the verdict on what was sent, of which only the stream tells.
func (w *witness) unanswered(r *Resource) (Verdict, string) {
	switch names := w.warm(); {
	case !w.node.Connected:
		return Sent, "sent; the connection ended before the answer"
	case r.Key.Type == mesh.Cluster && len(names) > 0:
		says := "waiting for warm: " + few(names)
		if w.now.Sub(r.Served.At) >= usual {
			return Stuck, says + ", for " + age(w.now.Sub(r.Served.At))
		}
		return WaitingToWarm, says
	}
	return Sent, fmt.Sprintf("sent %s ago, not answered", age(w.now.Sub(r.Served.At)))
}

// unseen says why it cannot be seen whether something accepted is active.
func (w *witness) unseen(r *Resource, e evidence) string {
	switch f := w.facts; {
	case f == nil:
		return "accepted; nobody looks into the node"
	case f.At.IsZero():
		return detailed("accepted; the node cannot be looked into", f.Err)
	case e.early:
		return "accepted; the node has not been looked into since"
	case e.active.Detail != "":
		return "accepted; " + e.active.Detail
	case r.Key.Type == mesh.Runtime:
		return "accepted; its bootstrap has no such layer, or does not show it"
	}
	return "accepted; the node does not show it"
}

// outdated says what was so when the node was last looked into.
func (w *witness) outdated(r *Resource, says string) string {
	f := w.facts
	if f == nil || f.At.IsZero() {
		return says
	}
	then := fmt.Sprintf("%s ago: %s", age(w.now.Sub(f.At)), says)
	if !r.Acked.Yes() {
		then += "; not answered"
	}
	if f.Err != "" {
		then += "; since then " + f.Err
	}
	return then
}

// stale reports whether the node was looked into, and not of late.
func (w *witness) stale() bool { return w.facts != nil && w.facts.Stale(w.now) }

// asks reports whether the node asks for a resource now, in so far as that is
// known: one that has left may still want what it asked for.
func (w *witness) asks(k mesh.Key) bool {
	ts := w.node.Types[k.Type]
	return !w.node.Connected || ts.Wildcard || slices.Contains(ts.Subscribed, k.Name)
}

// warm are the clusters that the node withholds its answer for, as it says
// itself, else as the rollout takes them to be.
func (w *witness) warm() []string {
	if w.facts != nil && !w.stale() {
		return w.facts.Warming
	}
	return w.node.Rollout.Warming
}

// waitsFor names what something warming lacks: what it refers to and what was
// not sent since, or what the node says of it.
func (w *witness) waitsFor(r *Resource) string {
	if w.facts != nil {
		if targets := w.facts.Unready[r.Key.Name]; r.Key.Type == mesh.Listener && len(targets) > 0 {
			return strings.Join(targets, ", ")
		}
	}
	res := w.offered.Get(r.Key)
	if res == nil {
		return ""
	}
	var lacks []string
	for _, ref := range mesh.References(res) {
		if ref.To.Type == mesh.Cluster {
			continue // a route may lead nowhere; it is not waited for
		}
		st, sent := w.node.Resources.Get(ref.To), w.node.Resources.Has(ref.To)
		what := ref.To.String()
		switch {
		case !sent && w.offered.Get(ref.To) == nil:
			what += ", which is not in the revision"
		case !sent:
			what += ", not sent yet"
		case st.Rejected != nil:
			what += ", which was rejected"
		case ref.To.Type == mesh.Endpoints && st.Served.At.Before(r.Served.At):
			what += ", to be sent again"
		default:
			continue
		}
		if !slices.Contains(lacks, what) {
			lacks = append(lacks, what)
		}
	}
	if len(lacks) == 0 && r.Key.Type == mesh.Cluster {
		return "its first health check or an answer of its own: everything that it names was sent"
	}
	return strings.Join(lacks, "; ")
}
