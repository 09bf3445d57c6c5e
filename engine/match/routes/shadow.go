package routes

func (p *pathMatch) covers(q *pathMatch, ignoreParameters bool) bool { return false }

// Shadowed names routes.
func (t *Table) Shadowed() []Shadow { return nil }
