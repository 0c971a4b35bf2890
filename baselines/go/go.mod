module tollgate/baselines/wasi-test

go 1.22
