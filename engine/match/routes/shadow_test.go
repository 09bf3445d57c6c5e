package routes

import "testing"

// TestShadowsAreNotKeptTwice holds that a route is compared with few earlier ones
// where many say the same: what one of them takes away, the first does.
func TestShadowsAreNotKeptTwice(t *testing.T) {
	const n = 400
	table, _ := Compile(alike(n))
	s := newShadows(table, 0)
	for i := range table.hosts[0].routes {
		s.add(i)
	}
	if kept := len(s.by["/"]); kept > manyAlike+1 {
		t.Errorf("a later route is compared with %d earlier ones, want at most %d", kept, manyAlike+1)
	}
	found := table.Shadowed()
	if len(found) != n-1 {
		t.Fatalf("%d routes are shadowed, want %d", len(found), n-1)
	}
	for i, one := range found {
		if one.RouteIndex != i+1 || one.By != 0 {
			t.Errorf("route %d is shadowed by %d, want %d by 0", one.RouteIndex, one.By, i+1)
		}
	}
}
