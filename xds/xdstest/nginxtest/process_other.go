//go:build !linux

package nginxtest

import "syscall"

// dieWithUs gives nginx a process group of its own; more cannot be had here.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
