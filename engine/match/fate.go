package match

import (
	"slices"
	"strings"

	"example.com/meshtui/engine/match/routes"
)

// Fate is what becomes of a request, or of a connection, that is sent to a
// cluster which certainly cannot answer.
type Fate struct {
	Cluster string // its name; "header NAME" where the header that would name it is absent, "no cluster" where nothing does
	Status  int    // that Envoy answers instead; 0 where it closes the connection, as a TCP proxy does
	Detail  string // Envoy's response_code_details: "cluster_not_found", "no_healthy_upstream"
	Why     string // one sentence, without a full stop: "cluster app is not in the mesh"
}

// fate is why a cluster cannot answer, ok where nothing is known against it.
func (t *trip) fate(name string, u *upstream) (f Fate, ok bool) {
	switch {
	case !u.there:
		return Fate{
			Cluster: name, Status: t.absent, Detail: "cluster_not_found",
			Why: "cluster " + name + " is not in the mesh",
		}, false
	case t.way.Action == Forward && t.closed(t.m.cluster(name), t.hit.Route.GetRoute().GetPriority()) != "":
		return Fate{
			Cluster: name, Status: 503, Detail: "upstream_reset_before_response_started{overflow}",
			Why: "cluster " + name + " " + t.closed(t.m.cluster(name), t.hit.Route.GetRoute().GetPriority()),
		}, false
	case u.none != "":
		return Fate{Cluster: name, Status: 503, Detail: "no_healthy_upstream", Why: "cluster " + name + " " + u.none}, false
	}
	return Fate{}, true
}

// doomed notes a fate in the way, once for each cluster.
func (t *trip) doomed(f Fate) {
	if !slices.Contains(t.way.Fates, f) {
		t.way.Fates = append(t.way.Fates, f)
	}
}

// shares looks at each cluster of a weighted route that has a share of the
// requests while the choice is open. closed says that the connection is closed
// where one cannot answer. Where none can, the request's own fate is certain.
func (t *trip) shares(closed bool) {
	w := &t.way
	var total, failing uint64
	for _, each := range w.Weighted {
		if each.Weight == 0 {
			continue
		}
		total += uint64(each.Weight)
		f, ok := t.share(each)
		if ok {
			continue
		}
		failing += uint64(each.Weight)
		if closed {
			f.Status, f.Detail = 0, ""
		}
		t.doomed(f)
	}
	switch {
	case failing == 0:
	case failing < total:
		for _, f := range w.Fates {
			t.caveat(f.Why + ": " + f.shareOf())
		}
	default:
		t.certain()
	}
}

// unnamed notes that no cluster is named, because of a header that is absent or
// a route that names none.
func (t *trip) unnamed(out *routes.Outcome) {
	f := Fate{Cluster: "no cluster", Status: out.Status, Detail: out.Detail, Why: t.way.Reason}
	header := t.hit.Route.GetRoute().GetClusterHeader()
	if out.Weight != nil {
		header = out.Weight.GetClusterHeader()
	}
	if header != "" {
		f.Cluster = "header " + header
	}
	t.doomed(f)
}

// shareOf says what becomes of the share of requests that has the fate.
func (f Fate) shareOf() string {
	if f.Status == 0 {
		return "its share of the connections is closed"
	}
	return "its share of the requests is answered " + itoa(uint32(f.Status))
}

// share is the fate of one weighted cluster.
func (t *trip) share(c routes.Weighted) (Fate, bool) {
	if c.Name == "" {
		return Fate{
			Cluster: "header " + c.Header, Status: t.absent, Detail: "cluster_not_found",
			Why: "header " + c.Header + " is absent, and it would name the cluster",
		}, false
	}
	u := t.m.upstream(c.Name)
	t.caveat(u.caveat)
	return t.fate(c.Name, &u)
}

// certain makes the fates of all clusters that of the request, as far as they
// agree.
func (t *trip) certain() {
	w := &t.way
	var details, whys []string
	agree := true
	for _, f := range w.Fates {
		agree = agree && f.Status == w.Fates[0].Status
		whys = append(whys, f.Why)
		if f.Detail != "" && !slices.Contains(details, f.Detail) {
			details = append(details, f.Detail)
		}
	}
	w.Reason = list(whys)
	if !agree {
		for _, f := range w.Fates {
			t.caveat(f.Why + ": " + f.shareOf())
		}
		return
	}
	w.Status, w.Detail = w.Fates[0].Status, strings.Join(details, " or ")
	switch {
	case w.Status == 0:
		w.Reason += ": Envoy closes the connection"
	case w.Detail == "no_healthy_upstream":
		w.Body = "no healthy upstream"
	}
}
