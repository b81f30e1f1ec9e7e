//! Certificates and their keys, from files that may change while the server runs.
//!
//! Separate because nothing else touches a private key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// Why HTTPS cannot be served; the operator is to mend the files.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("{} is no readable PEM file", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The file of certificates has none.
    #[error("{} has no certificate", path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// The key does not belong to the certificate, or neither can be used.
    #[error("the certificate and the key cannot be used together")]
    Unusable(#[from] rustls::Error),
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// What new connections are secured with.
pub(crate) struct Certificates(RwLock<Arc<ServerConfig>>);

impl Certificates {
    /// Reads the files, if the configuration names them.
    pub(crate) fn load(config: &TlsConfig) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(config) = read(config)? else { return Ok(None) };
        Ok(Some(Arc::new(Self(RwLock::new(config)))))
    }

    /// Reads the files again. When that fails, the old ones stay in use.
    pub(crate) fn reload(&self, config: &TlsConfig) -> Result<(), TlsError> {
        if let Some(config) = read(config)? {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        }
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        // Nothing panics while it holds the lock, which only ever swaps a pointer.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

fn read(config: &TlsConfig) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| unreadable(certificate, source))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: certificate.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| unreadable(key, source))?;
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(server)))
}

fn unreadable(path: &Path, source: pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), source }
}
