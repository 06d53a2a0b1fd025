module kubelab/runtime

go 1.26
