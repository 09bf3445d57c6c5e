// Package truth joins what the xDS stream says about a node with what the node
// itself says, and comes to a verdict on every resource: is it served, warming,
// accepted, active, carrying traffic, rejected, or overridden by somebody else?
//
// "Sent" is not "done", an ACK is not "active", and a NACK is not "nothing
// happened". Every fact carries its time and who told it. All of it is a pure
// function of two immutable snapshots.
package truth
