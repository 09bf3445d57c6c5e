package upstream

import (
	"errors"
	"net/http"
	"strings"
)

// Why an answer that the transport takes is none that Envoy would pass on.
var (
	errMalformed     = errors.New("the answer's headers are not allowed")
	errTooManyFields = errors.New("the answer, in HTTP/2, has too many headers") // which Envoy calls a remote reset
)

// maxFields is how many headers an answer may have, in HTTP/2 with its :status.
const maxFields = 100

// examine refuses an answer for what is wrong with its headers, as far as the
// transport lets it be seen: nil for none.
func examine(r *http.Response) error {
	fields := 0
	if r.ProtoMajor > 1 {
		fields++
	}
	for name, values := range r.Header {
		if strings.ContainsRune(name, ' ') {
			return errMalformed
		}
		fields += len(values)
	}
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		fields++ // the transport has taken it out
	}
	switch {
	case r.StatusCode < 200 && r.StatusCode != http.StatusSwitchingProtocols, r.StatusCode > 999:
		return errMalformed
	case r.StatusCode == http.StatusNoContent && (len(r.TransferEncoding) > 0 || r.Header.Get("Content-Length") != "" && r.Header.Get("Content-Length") != "0"):
		return errMalformed
	case fields > maxFields && r.ProtoMajor == 1:
		return errMalformed
	case fields > maxFields:
		return errTooManyFields
	}
	return nil
}
