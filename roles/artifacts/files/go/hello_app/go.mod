module kubelab/hello_app

go 1.26
