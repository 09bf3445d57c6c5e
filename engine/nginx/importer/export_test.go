package importer

import (
	"maps"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// What the tests that stand outside of the package need: package files imports
// this one.

// Root is where the files of the corpus lie.
const Root = root

// Disk is the files of an archive.
type Disk = disk

// Corpus is every archive of the corpus, by name.
func Corpus(t testing.TB) map[string]*txtar.Archive { return corpus(t) }

// DiskOf is the files of one.
func DiskOf(t testing.TB, a *txtar.Archive) Disk { return diskOf(t, a) }

// Variables are those of nginx's that Envoy has an operator for.
func Variables() []string { return slices.Sorted(maps.Keys(operators)) }
