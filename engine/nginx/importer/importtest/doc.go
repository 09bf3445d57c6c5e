// Package importtest holds what an nginx.conf becomes against nginx itself.
//
// Its test makes random servers, with all that real files have, runs them in a real
// nginx, imports the same file, runs the mesh in a real Envoy and in the matcher, and
// sends the same requests, half of them mutated, to all. It compares the status, the
// location that was hit, the path and query of a Location, the method, target and
// headers that the upstream saw, and the headers that the client got.
//
// Every request is compared. What the two are known to read apart is a class of
// requests with a relation that says what the difference is, as "Envoy does what nginx
// does with the path as Envoy reads it", for which nginx is asked a second time. A class
// counts only where the import's report of that very file names it.
package importtest
