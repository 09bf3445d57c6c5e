package adapter_test

import (
	"testing"
)

// row is one line of a scenario's examples.
type row struct {
	service, resources string
	names              string // subscribed to; "" is the wildcard
	have               string // what of them there is
	r1, r2             string // the resources that something happens to
	with, second       string // several services
}

// scenario is one of the suite's, in words of our own.
type scenario struct {
	name        string
	sotw, delta bool
	adsOnly     bool
	rows        []row
	play        func(s *script, r row)
}

// The suite's scenarios that hold for state of the world.
var subscribing = []scenario{
	{
		name: "a wildcard gets everything in one response", sotw: true,
		rows: []row{{service: "CDS", resources: "A,B,C"}, {service: "LDS", resources: "D,E,F"}},
		play: func(s *script, r row) {
			s.subscribe(r.service, "")
			s.receives(r.service, r.resources, "1")
			s.inOneResponse(r.service, r.resources)
		},
	},
	{
		name: "a wildcard gets updates, whole", sotw: true,
		rows: []row{{service: "CDS", resources: "A,B,C", r1: "A"}, {service: "LDS", resources: "D,E,F", r1: "D"}},
		play: func(s *script, r row) {
			s.subscribe(r.service, "")
			s.receives(r.service, r.resources, "1")
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.resources, "2")
			s.inOneResponse(r.service, r.resources)
		},
	},
	{
		name: "a wildcard gets what is added, whole", sotw: true,
		rows: []row{{service: "CDS", resources: "A,B,C", r1: "D"}, {service: "LDS", resources: "D,E,F", r1: "G"}},
		play: func(s *script, r row) {
			s.subscribe(r.service, "")
			s.receives(r.service, r.resources, "1")
			s.add(r.service, r.r1, "2")
			s.receives(r.service, r.resources+","+r.r1, "2")
			s.inOneResponse(r.service, r.resources+","+r.r1)
		},
	},
	{
		name: "names get these alone", sotw: true, delta: true,
		rows: []row{
			{service: "CDS", resources: "A,B,C,D", names: "B,D"}, {service: "LDS", resources: "G,B,L,D", names: "L,G"},
			{service: "RDS", resources: "B,A", names: "B,A"}, {service: "EDS", resources: "A,B", names: "A,B"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			if got := s.got[services[r.service]]; len(got) != len(names(r.names)) {
				s.t.Errorf("asked for %s, got %v", r.names, got)
			}
		},
	},
	{
		name: "names of listeners and clusters get updates, whole", sotw: true,
		rows: []row{{service: "CDS", resources: "A,B,C,D", names: "B,D", r1: "B"}, {service: "LDS", resources: "G,B,L,D", names: "L,G", r1: "G"}},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.names, "2")
			s.inOneResponse(r.service, r.names)
		},
	},
	{
		name: "names of routes and endpoints get updates", sotw: true,
		rows: []row{{service: "RDS", resources: "A,B,C,D", names: "B,D", r1: "B"}, {service: "EDS", resources: "A,B,C,D", names: "B,D", r1: "B"}},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
		},
	},
	{
		name: "names of listeners and clusters that do not exist come when they do, whole", sotw: true,
		rows: []row{
			{service: "CDS", resources: "A,B,C", names: "A,Z", have: "A", r1: "Z"},
			{service: "LDS", resources: "G,B,D", names: "B,D,X", have: "B,D", r1: "X"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.have, "1")
			s.add(r.service, r.r1, "2")
			s.receives(r.service, r.names, "2")
			s.inOneResponse(r.service, r.names)
		},
	},
	{
		name: "names of routes and endpoints that do not exist come when they do", sotw: true,
		rows: []row{
			{service: "RDS", resources: "A,B,C,D", names: "A,Z", have: "A", r1: "Z"},
			{service: "EDS", resources: "A,B,C,D", names: "A,Z", have: "A", r1: "Z"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.have, "1")
			s.add(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
		},
	},
	{
		name: "one stream has several services", sotw: true, adsOnly: true,
		rows: []row{
			{with: "CDS,LDS", service: "CDS", second: "LDS", resources: "A,B,C", r1: "B"},
			{with: "RDS,EDS", service: "RDS", second: "EDS", resources: "A,B,C", r1: "B"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.r1)
			s.receives(r.service, r.r1, "1")
			s.subscribe(r.second, r.r1)
			s.receives(r.second, r.r1, "1")
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
		},
	},
}

// Those about giving up names.
var unsubscribing = []scenario{
	{
		name: "listeners and clusters that were given up", sotw: true,
		rows: []row{
			{service: "CDS", resources: "F,A,B,C,D", names: "C,A,B", r1: "A", r2: "C"},
			{service: "LDS", resources: "G,B,L,D", names: "B,D,L", r1: "B", r2: "D"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			s.giveUp(r.service, r.r2, r.r1)
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
			s.lacks(r.service, r.r2)
		},
	},
	{
		name: "routes and endpoints that were given up do not come", sotw: true,
		rows: []row{
			{service: "RDS", resources: "A,B,C,D", names: "B,D", r1: "B", r2: "D"},
			{service: "EDS", resources: "A,B,C,D", names: "B,D", r1: "B", r2: "D"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			s.giveUp(r.service, r.r2, r.r1)
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
			s.lacks(r.service, r.r2)
		},
	},
	{
		name: "whoever gave up everything is told nothing", sotw: true,
		rows: []row{
			{service: "CDS", resources: "A,B,C,D", names: "A,B", r1: "A"}, {service: "RDS", resources: "A,B,C,D", names: "A,B", r1: "A"},
			{service: "LDS", resources: "A,B,C,D", names: "A,B", r1: "A"}, {service: "EDS", resources: "A,B,C,D", names: "A,B", r1: "A"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.names)
			s.receives(r.service, r.names, "1")
			s.giveUp(r.service, r.r1, "")
			s.update(r.service, r.r1, "2")
			s.lacks(r.service, r.r1)
		},
	},
}

// Those that hold for delta.
var incremental = []scenario{
	{
		name: "one name after the other", delta: true,
		rows: []row{
			{service: "CDS", resources: "A,B,C", r1: "A", r2: "B"}, {service: "LDS", resources: "D,E,F", r1: "D", r2: "E"},
			{service: "RDS", resources: "D,E,F", r1: "D", r2: "E"}, {service: "EDS", resources: "D,E,F", r1: "D", r2: "E"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.r1)
			s.receives(r.service, r.r1, "1")
			s.subscribe(r.service, r.r2)
			s.receives(r.service, r.r2, "1")
		},
	},
	{
		name: "an update comes alone", delta: true,
		rows: fours("A,B,C", "A", ""),
		play: func(s *script, r row) {
			s.subscribe(r.service, r.resources)
			s.receives(r.service, r.resources, "1")
			s.update(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
			s.only(r.service, r.r1, true)
		},
	},
	{
		name: "what does not exist is said to be missing, and comes when it does", delta: true,
		rows: fours("A", "A", "B"),
		play: func(s *script, r row) {
			s.subscribe(r.service, r.r1+","+r.r2)
			s.receives(r.service, r.r1, "1")
			s.until("it is told that "+r.r2+" does not exist", func() bool { return s.removed[services[r.service]][r.r2] })
			s.only(r.service, r.r1, true)
			s.add(r.service, r.r2, "1")
			s.receives(r.service, r.r2, "1")
			s.only(r.service, r.r2, false)
		},
	},
	{
		name: "what is removed is said to be, and comes back", delta: true,
		rows: fours("A,B", "B", ""),
		play: func(s *script, r row) {
			s.subscribe(r.service, r.resources)
			s.receives(r.service, r.resources, "1")
			s.remove(r.service, r.r1, "1")
			s.until("it is told that "+r.r1+" is gone", func() bool { return s.removed[services[r.service]][r.r1] })
			s.add(r.service, r.r1, "2")
			s.receives(r.service, r.r1, "2")
			s.only(r.service, r.r1, true)
		},
	},
	{
		name: "what was given up does not come", delta: true,
		rows: fours("A,B", "B", "A"),
		play: func(s *script, r row) {
			s.subscribe(r.service, r.resources)
			s.receives(r.service, r.resources, "1")
			for _, name := range []string{r.r1, r.r2} {
				s.giveUp(r.service, name, "")
				s.update(r.service, name, "2")
				s.lacks(r.service, name)
			}
		},
	},
	{
		name: "one stream has several services", delta: true, adsOnly: true,
		rows: []row{
			{with: "CDS,LDS", service: "CDS", second: "LDS", resources: "A,B,C", r1: "B"},
			{with: "LDS,CDS", service: "LDS", second: "CDS", resources: "A,B,C", r1: "B"},
			{with: "RDS,EDS", service: "RDS", second: "EDS", resources: "A,B,C", r1: "B"},
			{with: "EDS,RDS", service: "EDS", second: "RDS", resources: "A,B,C", r1: "B"},
		},
		play: func(s *script, r row) {
			s.subscribe(r.service, r.r1)
			s.subscribe(r.second, r.r1)
			for _, service := range []string{r.service, r.second} {
				s.receives(service, r.r1, "1")
			}
			for _, service := range []string{r.service, r.second} {
				s.update(service, r.r1, "2")
				s.receives(service, r.r1, "2")
			}
		},
	},
}

// fours are the same resources for each of the four services.
func fours(resources, r1, r2 string) []row {
	var rows []row
	for _, service := range []string{"CDS", "LDS", "RDS", "EDS"} {
		rows = append(rows, row{service: service, resources: resources, r1: r1, r2: r2})
	}
	return rows
}

// The scenarios of github.com/ii/xds-test-harness, in all four variants, over its
// own service. They go further in one thing: the suite lets it be whether a delta
// client is told of a name that does not exist.
func TestSuite(t *testing.T) {
	played := 0
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			target := start(t)
			for _, group := range [][]scenario{subscribing, unsubscribing, incremental} {
				for _, sc := range group {
					if v.delta && !sc.delta || !v.delta && !sc.sotw || sc.adsOnly && !v.ads {
						continue
					}
					for _, r := range sc.rows {
						played++
						t.Run(sc.name+" "+r.service, func(t *testing.T) {
							s := target.script(t, v)
							of := r.service
							if r.with != "" {
								of = r.with
							}
							s.setup(of, r.resources, "1")
							sc.play(s, r)
							s.end()
						})
					}
				}
			}
		})
	}
	// The suite's 98, and two in each variant that it has commented out.
	if want := 98 + 2*len(variants); played != want {
		t.Errorf("%d scenarios were played, want %d", played, want)
	}
}
