package routes

import (
	"fmt"
	"testing"
)

// TestChoiceGoesByTheRarestHeader holds that routes of tenants are told apart by
// the tenant, not by the method that they all want, and that few stay a list.
func TestChoiceGoesByTheRarestHeader(t *testing.T) {
	rs := make([]route, 3*few)
	ids := make([]int32, len(rs))
	for i := range rs {
		m := underSlash(exactly(":method", "GET"), exactly("X-Tenant", fmt.Sprint(i)))
		if i%3 == 0 {
			m = underSlash()
		}
		rs[i].headers = compileAll(m.GetHeaders(), compileHeader, "headers", func(field, problem string) {
			if problem != "" {
				t.Fatal(field, problem)
			}
		})
		ids[i] = int32(i)
	}
	c := newChoice(ids, rs, few)
	if len(c.ids) != few || len(c.by) != 1 || c.by[0].header != "x-tenant" || len(c.by[0].routes) != 2*few {
		t.Errorf("%d routes stand in the list, and %+v tells the others apart", len(c.ids), c.by)
	}
	if c := newChoice(ids[:few], rs, few); len(c.ids) != few || c.by != nil {
		t.Errorf("few routes are no list: %+v", c)
	}
}
