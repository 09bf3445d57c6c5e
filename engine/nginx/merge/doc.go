// Package merge brings an edit of the projected nginx.conf back into the mesh.
//
// The text that nginx.Project made and the operator's edit of it are both
// imported; what differs between the two is what the operator changed, and only
// that is changed in the mesh, at the fields that the lines mirror. What nginx
// cannot say (health checks, outlier detection, retries, routes by header) is in
// neither import and stays as it is.
package merge
