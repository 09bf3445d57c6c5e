package adapter_test

import (
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Who asked for a name and then asks for everything gets everything.
func TestNamesThenEverything(t *testing.T) {
	for _, v := range variants {
		for service := range services {
			for name, then := range map[string]string{"in place of the name": "*", "besides the name": "A,*"} {
				t.Run(v.name+" "+service+" "+name, func(t *testing.T) {
					t.Parallel()
					s := start(t).script(t, v)
					s.setup(service, "A,B,C", "1")
					s.subscribe(service, "A")
					s.receives(service, "A", "1")
					s.subscribe(service, then)
					s.receives(service, "B,C", "1")
				})
			}
		}
	}
}

// Who began by naming nothing, and so has everything, gives that up with "*", and
// may ask for it again.
func TestGivingUpWhatWasNotNamed(t *testing.T) {
	for _, v := range variants {
		if !v.delta {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			s := start(t).script(t, v)
			s.setup("CDS", "A,B,C", "1")
			s.subscribe("CDS", "")
			s.receives("CDS", "A,B,C", "1")
			s.stream.SendDelta(&discovery.DeltaDiscoveryRequest{TypeUrl: services["CDS"].URL(), ResourceNamesUnsubscribe: []string{"*"}})
			s.until("it asks for nothing", func() bool { return !s.State().Node(nodeID).Types[services["CDS"]].Wildcard })
			s.update("CDS", "A", "2")
			s.settled()
			if got := s.got[services["CDS"]]["A"].version; got != "1" {
				t.Errorf("told of what was given up, in version %s", got)
			}
			s.subscribe("CDS", "*")
			s.receives("CDS", "A,B,C", "2")
		})
	}
}
