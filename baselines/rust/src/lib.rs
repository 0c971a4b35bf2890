//! What both servers share: serve connections until told to stop, then let those in flight finish.
use std::{convert::Infallible, env, future::Future, net::SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn, Request, Response};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::net::TcpListener;

/// The socket address in the environment variable, or the default.
pub fn address(variable: &str, default: &str) -> SocketAddr {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.parse().unwrap_or_else(|_| panic!("{variable}: '{text}' is not ADDRESS:PORT"))
}

/// Serves HTTP/1.1 on `listener` until `stop` completes, then waits for requests in flight.
pub async fn serve<H, R>(listener: TcpListener, handler: H, stop: impl Future<Output = ()>)
where
    H: Fn(Request<Incoming>) -> R + Copy + Send + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| async move { Ok::<_, Infallible>(handler(request).await) });
        let connection = graceful.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Completes on SIGTERM or SIGINT.
pub async fn terminated() {
    use tokio::signal::unix::{signal, SignalKind};
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM handler");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT handler");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
