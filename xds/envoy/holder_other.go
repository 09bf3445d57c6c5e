//go:build unix && !linux

package envoy

// holder would name the process that listens on the port; only Linux shows it
// without a further program.
func holder(uint32) string { return "" }
