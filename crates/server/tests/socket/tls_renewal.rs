//! Certificates that are replaced while the server runs: new handshakes see the new one, and connections that are
//! there notice nothing.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::support::client::Client;
use super::support::node::builder;
use super::support::tls::{Certificates, Made, TlsNode, Trust, make};
use super::support::within;

/// Shakes hands with clients that trust this certificate alone, until one of them is content.
async fn until_served(address: std::net::SocketAddr, der: &CertificateDer<'static>) {
    let trust = Trust::in_one(der);
    let served = async {
        while trust.connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within("the new certificate", served).await.unwrap();
}

async fn still_there(client: &mut Client) {
    client.ask(&json!({"type": "ping"}), "pong").await;
}

#[tokio::test]
async fn renaming_another_pair_over_the_files_puts_it_in_force() {
    let node = TlsNode::start(builder()).await;
    let mut old = node.connect("/ws").await;
    for _ in 0..2 {
        let made = make();
        node.certificates.replace(&made);
        until_served(node.address, &made.der).await;
        let old_only = Trust::in_one(&node.der);
        assert!(old_only.connect(node.address).await.is_err(), "the old certificate is served no more");
        still_there(&mut old).await;
    }
    node.stop();
}

#[tokio::test]
async fn writing_into_the_files_puts_it_in_force() {
    let node = TlsNode::start(builder()).await;
    let made = make();
    std::fs::write(node.certificates.key(), &made.key).unwrap();
    std::fs::write(node.certificates.cert(), &made.cert).unwrap();
    until_served(node.address, &made.der).await;
    node.stop();
}

/// Puts a pair into a folder of its own and turns the link to it, as Kubernetes does with a secret.
fn mount(folder: &Path, version: &str, made: &Made) {
    std::fs::create_dir(folder.join(version)).unwrap();
    std::fs::write(folder.join(version).join("tls.crt"), &made.cert).unwrap();
    std::fs::write(folder.join(version).join("tls.key"), &made.key).unwrap();
    std::os::unix::fs::symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_puts_what_is_there_in_force() {
    let made = make();
    let folder = Certificates::new(&made);
    std::fs::remove_file(folder.cert()).unwrap();
    std::fs::remove_file(folder.key()).unwrap();
    mount(folder.folder(), "..2026_1", &made);
    std::os::unix::fs::symlink("..data/tls.crt", folder.cert()).unwrap();
    std::os::unix::fs::symlink("..data/tls.key", folder.key()).unwrap();
    let node = TlsNode::start_from(builder(), folder, &made).await;
    node.connect("/ws").await;
    for version in ["..2026_2", "..2026_3"] {
        let made = make();
        mount(node.certificates.folder(), version, &made);
        until_served(node.address, &made.der).await;
    }
    node.stop();
}

/// By the signal, which works also where changes of files are not heard of, such as over NFS; and what cannot be used
/// leaves the old certificate where it is.
#[tokio::test]
async fn sighup_puts_a_new_pair_in_force_and_a_bad_one_changes_nothing() {
    let first = make();
    let certificates = Certificates::new(&first);
    let (cert, key) = (certificates.cert(), certificates.key());
    let (mut server, address) = certificates.serve().await;
    let trust = Trust::in_one(&first.der);
    let mut old = Client::over(trust.connect(address).await.unwrap(), "/ws").await.unwrap();
    server.signal("HUP");
    server.logged("SIGHUP: reading the certificate again").await;

    let second = make();
    std::fs::write(&cert, &second.cert).unwrap();
    server.signal("HUP");
    server.logged("does not belong to the certificate").await;
    std::fs::write(&cert, "").unwrap();
    server.signal("HUP");
    server.logged("holds no certificate").await;
    trust.connect(address).await.unwrap();

    std::fs::write(&key, &second.key).unwrap();
    std::fs::write(&cert, &second.cert).unwrap();
    server.signal("HUP");
    server.logged("a new certificate is in force").await;
    until_served(address, &second.der).await;
    still_there(&mut old).await;
    server.terminate();
    old.expect("disconnect").await;
    drop(old);
    assert_eq!(server.ended().await.code(), Some(0));
}
