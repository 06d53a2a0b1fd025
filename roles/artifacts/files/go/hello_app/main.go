// Command hello_app is kubelab's own hello-app: it behaves like the published
// gcr.io/google-samples/hello-app (same three lines, same port, same log), and
// is built here because no container registry is needed to run kubelab.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

// version is set at build time: the image hello-app:2.0 answers 2.0.0.
var version = "unset"

func hello(w http.ResponseWriter, r *http.Request) {
	log.Printf("Serving request: %s", r.URL.Path)
	host, err := os.Hostname()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "Hello, world!\nVersion: %s\nHostname: %s\n", version, host)
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	log.Printf("Server listening on port %s", port)
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(hello)))
}
