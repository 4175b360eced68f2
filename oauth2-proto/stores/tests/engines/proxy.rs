//! A connection to a server that can be lost at the worst moment: when the server has done what it
//! was asked, and before it is heard.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    loses_answers: Arc<AtomicBool>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let loses_answers = Arc::new(AtomicBool::new(false));
        let mut accepting = JoinSet::new();
        let losing = Arc::clone(&loses_answers);
        accepting.spawn(async move {
            let mut passing = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                passing.spawn(pass(client, server, Arc::clone(&losing)));
            }
        });
        Self { port, loses_answers, _accepting: accepting }
    }

    /// From now on, a connection breaks instead of bringing an answer.
    pub(crate) fn lose_answers(&self, lose: bool) {
        self.loses_answers.store(lose, Ordering::SeqCst);
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, loses_answers: Arc<AtomicBool>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    let (mut requests, mut to_client) = client.split();
    let (mut answers, mut to_server) = server.split();
    let back = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = answers.read(&mut buffer).await {
            let answer = buffer.get(..length).unwrap_or_default();
            if loses_answers.load(Ordering::SeqCst) || to_client.write_all(answer).await.is_err() {
                break;
            }
        }
    };
    // Whichever ends first breaks both connections.
    tokio::select! {
        () = back => (),
        _ = copy(&mut requests, &mut to_server) => (),
    }
}
