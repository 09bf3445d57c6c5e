// Package importtest holds what an nginx.conf becomes against nginx itself.
//
// Its test makes random servers, runs them in a real nginx, imports the same
// file, runs the mesh in a real Envoy and in the matcher, and sends the same
// requests, half of them mutated, to all. It compares the status, the location
// that was hit, the path and query of a Location, and the target that the
// upstream saw. What the two are known to read apart is a named class, as narrow
// as it can be said, and counted.
package importtest
