package check

// rule is one thing that is looked for.
type rule struct {
	id  string // stands in Finding.Rule, and stays
	run func(*checker)
}

// rules are all of them, by theme. Mesh runs them in this order; the order of
// findings does not depend on it.
var rules = []rule{
	// validate.go
	{"validation", validation},
	{"unchecked-extension", unchecked},

	// references.go
	{"dangling-reference", danglingReferences},
	{"unused", unused},
}
